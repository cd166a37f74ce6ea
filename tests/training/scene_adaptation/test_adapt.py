"""Learning one scene: it begins where the model stands, and knows the scene better afterwards."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from dashboard.detector import (
    Box,
    Model,
    ModelError,
    OptionError,
    Scene,
    StoreError,
    read_card,
)
from dashboard.detector.scanning.store import SIDE
from dashboard.detector.scenes.scene import Patch
from dashboard.detector.system.locks import alone
from tests.detector import rasters
from tests.models import CARD, plain_model
from training.__main__ import main
from training.kinds import calibration
from training.model_files import model_file
from training.networks.article import TILE
from training.networks.critic import EYE
from training.onnx_files.export import export
from training.onnx_files.weights import start_of, weights_of
from training.presets import PRESETS
from training.scene_adaptation.adapt import HALVES, RECIPES, adapt
from training.scene_adaptation.fine_tune import board_of
from training.trainer.trainer import CHECKPOINT, Trainer, TrainSettings, read_checkpoint, train
from training.windows import gather

PRESET = RECIPES["guarded"].preset
ROOT = Path(__file__).resolve().parents[3]
# The command line with a recipe of a hundred small steps.
SMALL = f"""
import sys
from dataclasses import replace
from training.kinds import calibration
from training.__main__ import main
from training.presets import PRESETS
calibration.AREAS = 2
PRESETS["{PRESET}"] = replace(PRESETS["{PRESET}"], width=0.25, windows=400, batch=4)
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def general(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small guarded model that has seen one kind of ground; its folder."""
    folder = tmp_path_factory.mktemp("general")
    picture = rasters.write(folder / "hills.png", rasters.ground(800, 800))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEEDLE_HOME", str(folder))
        patch.setattr(calibration, "AREAS", 2)
        sources = gather([picture], polluted=False)
        train(folder / "run", TrainSettings("smoke-guarded", 1, ("hills.png",)), lambda: sources)
        export(folder / "run", folder / "general.onnx")
    return folder


def learn_little(patch: pytest.MonkeyPatch, windows: int) -> None:
    """Makes `adapt` a matter of seconds."""
    patch.setattr(calibration, "AREAS", 2)
    patch.setitem(PRESETS, PRESET, replace(PRESETS[PRESET], width=0.25, windows=windows, batch=4))


def test_the_weights_come_back_from_the_file(general: Path) -> None:
    trained = read_checkpoint(general / "run" / CHECKPOINT)["network"]
    card, found = weights_of(general / "general.onnx")
    assert card.kind == "guarded"
    assert found.keys() == trained.keys()
    for name, weight in trained.items():
        torch.testing.assert_close(found[name], weight, msg=name)


def test_a_scene_is_less_surprising_once_it_has_been_learned(
    general: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn_little(monkeypatch, windows=160)
    x = np.tile(np.arange(800.0), (800, 1))
    dn = 128 + 60 * np.sin(x / 3) + np.random.default_rng(0).normal(0, 2, x.shape)
    stripes = rasters.write(tmp_path / "stripes.png", dn.astype(np.uint8))
    target = tmp_path / "stripes.onnx"
    card = adapt(stripes, str(general / "general.onnx"), target)
    assert card == read_card(target)
    assert (card.scenes, card.polluted, card.preset) == (("stripes.png",), True, PRESET)
    with (tmp_path / "stripes.run" / "log.csv").open(newline="") as log:
        losses = [float(row["loss"]) for row in csv.DictReader(log)]
    assert losses[-1] < losses[0] - 0.2


def test_a_critic_begins_with_the_eye_of_a_guarded_model_and_keeps_it(
    general: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEEDLE_HOME", str(general))
    monkeypatch.setattr(calibration, "AREAS", 2)
    monkeypatch.setattr(calibration, "PLANTED", 12)
    start = start_of(str(general / "general.onnx"), "critic")
    assert all(name.startswith(EYE) for name in start)
    sources = gather([general / "hills.png"], polluted=False)
    settings = TrainSettings("smoke-critic", 1, ("hills.png",), start="general")
    state = read_checkpoint(train(tmp_path / "run", settings, lambda: sources, start))
    after, line = state["network"], state["calibration"]["platt"]
    for name, weight in start.items():
        torch.testing.assert_close(after[name], weight, msg=name)
    export(tmp_path / "run", tmp_path / "critic.onnx")
    card, weights = weights_of(tmp_path / "critic.onnx")
    assert card.kind == "critic"
    assert card.planted == pytest.approx(float(state["calibration"]["planted"]), abs=1e-5)
    assert weights.keys() == after.keys()
    torch.testing.assert_close(weights["logit.weight"], line[0] * after["logit.weight"])
    torch.save(state | {"calibration": {"doubt": line}}, tmp_path / CHECKPOINT)
    with pytest.raises(ModelError, match="an earlier version's critic"):
        export(tmp_path, tmp_path / "other.onnx")


def test_a_logit_is_put_on_the_line_of_what_was_planted() -> None:
    rng = torch.Generator().manual_seed(0)
    true = 2 * torch.randn(60_000, generator=rng) - 3
    planted = (torch.rand(60_000, generator=rng) < torch.sigmoid(true)).float()
    said = (true + 1.5) / 0.8  # as a network with a focal loss may
    line = calibration.platt(said, planted)
    torch.testing.assert_close(line, torch.tensor([0.8, -1.5]), atol=0.06, rtol=0.05)
    for bad in (torch.zeros(60_000), 1 - planted):  # nothing planted; upside down
        assert calibration.platt(said, bad).tolist() == [1.0, 0.0]


def test_a_critic_cannot_begin_with_an_eye_of_fewer_rows(
    general: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the rows that it lacks would stay random, and nobody would notice."""
    monkeypatch.setitem(PRESETS, "smoke-guarded", replace(PRESETS["smoke-guarded"], deep=True))
    start = start_of(str(general / "general.onnx"), "critic")
    sources = gather([general / "hills.png"], polluted=False)
    settings = TrainSettings("smoke-critic", 1, ("hills.png",), start="general")
    with pytest.raises(OptionError, match="those of another network"):
        train(tmp_path / "run", settings, lambda: sources, start)


def test_a_critic_is_not_trained_without_a_trained_eye(
    general: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture, run = str(general / "hills.png"), str(tmp_path / "run")
    assert main(["train", "--preset", "critic", "--scenes", picture, "--out", run]) == 2
    assert "give --start MODEL, of preset guarded-deep" in capsys.readouterr().err


def test_weights_of_another_kind_are_refused(general: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="of kind guarded; needed is article"):
        start_of(str(general / "general.onnx"), "article")


def test_an_article_model_cannot_learn_a_scene(tmp_path: Path) -> None:
    plain = plain_model(tmp_path / "plain.onnx")
    with pytest.raises(ModelError, match="kind article cannot learn"):
        adapt(tmp_path / "hills.png", str(plain), tmp_path / "learned.onnx")
    with pytest.raises(ModelError, match="no such model"):
        model_file("nothing")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(ModelError, match="not a network"):
        weights_of(tmp_path / "text.onnx")


@pytest.mark.parametrize(
    ("width", "height", "side"),
    [(25_516, 45_788, 1536), (3072, 3072, 1536), (3071, 9999, 768), (600, 1024, 512)],
)
def test_squares_are_what_a_scan_looks_at_at_a_time_or_a_part_of_it(
    width: int, height: int, side: int
) -> None:
    scene = SimpleNamespace(name="x.png", width=width, height=height)
    assert board_of(scene, replace(CARD, margin=200, around=65)).side == side  # type: ignore[arg-type]
    assert SIDE * 4 % side == 0


def test_a_scene_too_small_for_halves_is_said() -> None:
    scene = SimpleNamespace(name="x.png", width=800, height=1023)
    with pytest.raises(OptionError, match=r"no room for two halves of 512 px; .* \(--fit whole\)"):
        board_of(scene, CARD)  # type: ignore[arg-type]


def test_halves_are_scored_by_what_has_not_learned_them(
    general: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn_little(monkeypatch, windows=64)
    picture = rasters.write(tmp_path / "scene.png", rasters.ground(1600, 1600))
    scene = gather([picture], polluted=True)[0].scenes[0]
    learned: dict[str, list[Box]] = {"black": [], "white": []}
    read, save = Scene.read, Trainer._save
    now = ["black"]

    def noted(self: Scene, box: Box) -> Patch:
        if box.width == box.height == TILE:
            learned[now[0]].append(box)
        return read(self, box)

    def saved(self: Trainer) -> None:
        save(self)
        now[0] = "white" if self.calibration else self.folder.name

    monkeypatch.setattr(Scene, "read", noted)
    monkeypatch.setattr(Trainer, "_save", saved)
    told: list[tuple[str, float]] = []
    target = tmp_path / "pair.onnx"
    card = adapt(
        picture,
        str(general / "general.onnx"),
        target,
        fit=HALVES,
        report=lambda doing, part: told.append((doing, part)),
    )
    assert card == read_card(target)
    assert (card.square, card.windows_seen) == (768, 2 * 64)
    board = card.board
    assert board is not None
    for colour, boxes in learned.items():
        left_out = board.squares(scene.width, scene.height, black=colour == "black")
        assert len(boxes) >= 64
        assert not any(box.overlaps(out) for box in boxes for out in left_out)
    assert [doing for doing, _ in told] == sorted(
        [doing for doing, _ in told], key=lambda doing: doing == "exporting"
    )
    parts = [part for _, part in told]
    assert parts == sorted(parts)
    assert 0 < parts[0] < parts[-1] < 1
    model = Model.load(target, "cpu")
    side = 2 * card.margin + 64
    dn = np.random.default_rng(0).normal(128, 20, (1, 1, side, side)).astype(np.float32)
    of_black, of_white = (model.score(dn, 128.0, 20.0, black) for black in (True, False))
    assert np.abs(of_black - of_white).max() > 1e-3
    (node,) = onnx.load(target).graph.node
    for branch, half in (("then_branch", "black"), ("else_branch", "white")):
        (graph,) = (part.g for part in node.attribute if part.name == branch)
        kept = {part.name.split(".", 2)[-1]: part for part in graph.initializer}
        after = read_checkpoint(tmp_path / "pair.run" / half / CHECKPOINT)["network"]
        for name, weight in after.items():
            np.testing.assert_array_equal(numpy_helper.to_array(kept[name]), weight, name)
    with pytest.raises(ModelError, match="has learned a scene already"):
        adapt(picture, str(target), tmp_path / "again.onnx")


def test_a_scene_that_is_being_learned_is_not_learned_twice(general: Path, tmp_path: Path) -> None:
    picture = rasters.write(tmp_path / "scene.png", rasters.ground(600, 600))
    run = tmp_path / "learned.run"
    run.mkdir()
    with alone(run / "lock"), pytest.raises(StoreError, match="being learned there already"):
        adapt(picture, str(general / "general.onnx"), tmp_path / "learned.onnx")


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such signal")
def test_learning_that_is_asked_to_stop_keeps_what_it_has_and_goes_on(
    general: Path, tmp_path: Path
) -> None:
    """By a process of its own, as the dashboard does it: its lines of JSON, then a signal."""
    picture = rasters.write(tmp_path / "scene.png", rasters.ground(800, 800))
    target = tmp_path / "learned.onnx"
    command = [sys.executable, "-c", SMALL, "adapt", str(picture), "--report"]
    command += ["--model", str(general / "general.onnx"), "--out", str(target)]
    with subprocess.Popen(command, cwd=ROOT, stdout=PIPE, stderr=PIPE, text=True) as process:
        assert process.stdout and process.stderr
        first = json.loads(process.stdout.readline())
        assert (first["doing"], first["part"] > 0) == ("learning", True)
        process.terminate()
        said = process.stderr.read()
    assert process.returncode == 130, said
    assert "the same command goes on where it was" in said
    step = read_checkpoint(tmp_path / "learned.run" / CHECKPOINT)["step"]
    assert 10 <= step < 100
    assert not target.exists()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    again = json.loads(done.stdout.splitlines()[0])
    assert first["part"] < again["part"]
    assert json.loads(done.stdout.splitlines()[-1])["doing"] == "exporting"
    assert read_card(target).windows_seen == 400
