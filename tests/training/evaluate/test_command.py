"""The whole evaluation: three files, resumed from its parts, in one line where it cannot."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest

from dashboard.detector import Box, Scene
from tests.detector import rasters
from tests.models import area_model, judge_model, plain_model
from training.__main__ import main
from training.evaluate import adapted, command, contestants
from training.evaluate.cases import Case, Cases
from training.evaluate.command import EvaluateSettings, contestants_of
from training.evaluate.contestants import Network
from training.truth import KnownObject, Truth


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of two pictures, one with a bright object and its truth, and of two models."""
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    pixels = rasters.ground(600, 800)
    pixels[290:310, 390:410] = 250
    picture = rasters.write(scenes / "plain.png", pixels)
    Truth("plain.png", (KnownObject("lander", "lander", Box(390, 290, 410, 310)),)).write(picture)
    rasters.write(scenes / "unlabelled.png", rasters.ground(600, 800, seed=1))
    plain_model(tmp_path / "tiles.onnx", scenes=("plain.png",))
    area_model(tmp_path / "areas.onnx")
    return tmp_path


def run(folder: Path, *more: str) -> int:
    models = [str(folder / f"{name}.onnx") for name in ("areas", "tiles")]
    out = str(folder / "report.json")
    return main(["evaluate", *models, "--scenes", str(folder / "scenes"), "--out", out, *more])


def test_it_writes_json_csv_and_a_page_that_stands_alone(folder: Path) -> None:
    assert run(folder) == 0
    record = json.loads((folder / "report.json").read_text())
    assert [row["contestant"] for row in record["rows"]] == ["areas", "tiles / 48"]
    areas, tiles = record["cases"]
    assert (areas["sample"], tiles["sample"]) == ("out", "in")
    for case in record["cases"]:
        assert case["review_cost"] == 0
        assert case["objects"][0]["cost"] == 0
        assert sum(case["counts"]) == case["scored"]
        assert case["seconds_per_gpx"] > 0
    lines = list(csv.DictReader((folder / "report.csv").read_text().splitlines()))
    assert [line["contestant"] for line in lines] == ["areas", "tiles / 48"]
    assert lines[0]["false_above"] == "0"
    page = (folder / "report.html").read_text()
    assert "data:image/jpeg;base64," in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert page.count("<svg") == page.count("</svg>") >= 3


def test_ground_that_a_model_it_began_with_has_learned_is_in_its_sample(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = area_model(folder / "first.onnx", scenes=("theirs.png",))
    second = area_model(folder / "second.onnx", start="first", scenes=("chips",))
    third = area_model(folder / "third.onnx", start="second", scenes=("mine.png",))
    alone = area_model(folder / "alone.onnx", start="general", scenes=("mine.png",))
    monkeypatch.setattr(contestants, "list_models", lambda: [first, second])
    for path, known in (
        (third, {"mine.png", "chips", "theirs.png"}),
        (second, {"chips", "theirs.png"}),
        (alone, {"mine.png"}),
    ):
        network = Network.load(str(path), device="cpu")
        for ground in ("mine.png", "chips", "theirs.png", "other.png"):
            assert network.sample(ground) == ("in" if ground in known else "out")


def test_the_stride_is_for_models_that_score_tile_by_tile(folder: Path) -> None:
    assert run(folder, "--stride", "16") == 0
    record = json.loads((folder / "report.json").read_text())
    assert [case["contestant"] for case in record["cases"]] == ["areas", "tiles / 16"]


def test_scores_are_read_by_each_rule_and_scanned_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = []
    honest = contestants.scan

    def counted(*given: Any) -> Iterator[Any]:
        for progress in honest(*given):
            pieces.append(progress)
            yield progress

    monkeypatch.setattr(contestants, "scan", counted)
    assert run(folder) == 0
    once = len(pieces)
    shutil.rmtree(folder / "report.parts")
    pieces.clear()
    assert run(folder, "--rules", "mean", "robust", "places") == 0
    assert len(pieces) == once, "what is scanned is read three times"
    record = json.loads((folder / "report.json").read_text())
    names = ["areas", "areas, robust", "areas, places"]
    names += ["tiles / 48", "tiles / 48, robust", "tiles / 48, places"]
    assert [case["contestant"] for case in record["cases"]] == names
    areas, robust = record["cases"][:2]
    assert areas["scored"] == robust["scored"]
    assert areas["objects"][0]["sigma"] != robust["objects"][0]["sigma"]
    assert robust["objects"][0]["cost"] == 0


def test_a_model_is_loaded_once_whatever_the_rules(folder: Path) -> None:
    """Each takes gigabytes once it has scored a scene."""
    model, scenes = (str(folder / name) for name in ("areas.onnx", "scenes"))
    rules = ("mean", "robust", "places")
    settings = EvaluateSettings((model,), (scenes,), folder / "report.json", rules, device="cpu")
    first, *others = (one for one in contestants_of(settings) if isinstance(one, Network))
    assert [one.rule for one in (first, *others)] == list(rules)
    assert all(one.model is first.model for one in others)


def test_it_resumes_from_its_parts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    honest = command.case_of

    def counted(*arguments: object) -> Case:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return honest(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(command, "case_of", counted)
    assert run(folder) == 130
    assert not (folder / "report.json").exists()
    assert run(folder) == 0
    assert len(calls) == 3, "only the case that was interrupted is worked out again"
    assert run(folder) == 0
    assert len(calls) == 3


def test_another_judge_beside_the_same_finder_is_worked_out_anew(folder: Path) -> None:
    path = folder / "places.onnx"

    def keys() -> list[str]:
        scenes, out = str(folder / "scenes"), str(folder / "report.json")
        assert main(["evaluate", str(path), "--scenes", scenes, "--out", out]) == 0
        (contestant,) = json.loads((folder / "report.json").read_text())["contestants"]
        return [contestant["key"], *(one.name for one in (folder / "report.parts/cases").iterdir())]

    judge_model(path)
    first = keys()
    judge_model(path, title="another")
    another = keys()
    assert another[0] != first[0]
    assert set(first[1:]) < set(another[1:]), "the first one's cases stay, and have company"


def test_what_another_evaluation_works_on_is_left_alone(folder: Path) -> None:
    beside = folder / "report.parts" / "scan-another" / "scores"
    beside.parent.mkdir(parents=True)
    beside.write_text("half done")
    assert run(folder) == 0
    kept = {path.name for path in (folder / "report.parts").iterdir()}
    assert kept == {"cases", "scan-another"}
    assert beside.read_text() == "half done"


def test_a_scene_too_small_for_one_model_is_scored_by_the_other(folder: Path) -> None:
    small = rasters.write(folder / "scenes" / "small.png", rasters.ground(200, 400))
    Truth("small.png", (KnownObject("spot", "spot", Box(190, 100, 194, 104)),)).write(small)
    assert run(folder) == 0
    record = json.loads((folder / "report.json").read_text())
    scored = [(case["subject"]["scene"], case["contestant"]) for case in record["cases"]]
    assert ("small.png", "areas") in scored
    assert ("small.png", "tiles / 48") not in scored
    assert len(scored) == 3
    (remark,) = record["remarks"]
    assert "small.png, tiles / 48" in remark


def test_a_changed_truth_is_judged_anew(folder: Path) -> None:
    assert run(folder) == 0
    nothing_there = KnownObject("lander", "lander", Box(600, 100, 610, 110))
    Truth("plain.png", (nothing_there,)).write(folder / "scenes" / "plain.png")
    assert run(folder) == 0
    record = json.loads((folder / "report.json").read_text())
    assert all(case["review_cost"] > 0 for case in record["cases"])


def test_a_stored_case_is_read_as_it_was_and_a_damaged_one_is_not(
    folder: Path, scene_of: Callable[..., Scene]
) -> None:
    assert run(folder) == 0
    kept = Cases(folder / "report.parts" / "cases")
    (trial,) = command.labelled_pictures([folder / "scenes"])
    model = Network.load(str(folder / "areas.onnx"))
    case = kept.get(trial.key, model)
    assert case is not None
    assert Case.from_json(case.to_json()) == case
    assert case.picture(case.worst[0]) == case.pictures[1]
    kept.path(trial.key, model).write_text("{")
    assert kept.get(trial.key, model) is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["areas.onnx", "--scenes", "scenes", "--out", "report.txt"], "must be a .json"),
        (["--scenes", "scenes", "--out", "report.json"], "name a model"),
        (["absent.onnx", "--scenes", "scenes", "--out", "report.json"], "no such model"),
        (["areas.onnx", "--scenes", "absent", "--out", "report.json"], "no such picture"),
        (
            ["areas.onnx", "--rules", "median", "--out", "report.json"],
            "of places, mean, robust",
        ),
        (["areas.onnx", "--scenes", "scenes/unlabelled.png", "--out", "report.json"], "no picture"),
    ],
)
def test_bad_input_gets_one_line(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(folder)
    assert main(["evaluate", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


def test_models_can_learn_each_scene_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that has learned scores upside down, so that it is told from one that has not."""
    taught: list[tuple[str, str]] = []

    def learn(picture: Path, model: str, target: Path) -> None:
        taught.append((Scene.open(picture).name, Path(model).name))
        target.parent.mkdir(parents=True)
        graph = onnx.load(model)
        for node in graph.graph.node:
            node.op_type = {"Abs": "Neg"}.get(node.op_type, node.op_type)
        onnx.save(graph, target)

    monkeypatch.setattr(adapted, "adapt", learn)
    (folder / "tiles.onnx").unlink()
    how = ["evaluate", str(folder / "areas.onnx"), "--scenes", str(folder / "scenes"), "--adapt"]
    how += ["--out", str(folder / "report.json")]
    assert main(how) == 0
    assert taught == [("plain.png", "areas.onnx")]
    record = json.loads((folder / "report.json").read_text())
    as_it_is, learned = record["cases"]
    assert (as_it_is["contestant"], learned["contestant"]) == ("areas", "areas, adapted")
    assert (as_it_is["sample"], learned["sample"]) == ("out", "own")
    assert as_it_is["review_cost"] == 0
    assert learned["review_cost"] != 0
    assert main(how) == 0
    assert len(taught) == 1


def test_a_model_that_cannot_learn_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, "--adapt") == 2
    assert "kind article cannot learn a scene; leave out --adapt" in capsys.readouterr().err
