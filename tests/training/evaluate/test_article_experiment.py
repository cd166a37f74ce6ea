"""The article's experiment in small: every stage trained, scored, told; kinds of ground apart."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from dashboard.detector import Grid, OptionError, Scene, ScoreMap, read_card
from tests.detector import rasters
from tests.models import plain_model
from training.__main__ import main
from training.evaluate import article_experiment
from training.evaluate.grounds import calibrate_per_kind, kinds_of
from training.evaluate.subjects import Labelled


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    folder = tmp_path / "grounds"
    folder.mkdir()
    for number in (1, 2):
        rasters.write(folder / f"plain-{number}.png", rasters.ground(1000, 1000, seed=number))
    return folder


def test_the_whole_experiment_runs_and_runs_again_without_work(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def trained(name: str, preset: str, epochs: int, on: Sequence[Labelled], folder: Path) -> Path:
        names = tuple(one.picture.name for one in on)
        folder.mkdir(parents=True, exist_ok=True)
        made.append((name, preset, epochs, len(names)))
        return plain_model(folder / f"{name}.onnx", scenes=names, epochs=float(epochs))

    monkeypatch.setattr(article_experiment, "train_network", trained)
    command = ["evaluate", "--story", "--scale", "smoke", "--scenes", str(scenes)]
    assert main([*command, "--out", str(tmp_path / "story.json")]) == 0
    assert made == [
        ("base", "smoke", 1, 2),
        ("more-epochs", "smoke", 2, 2),
        ("wider", "smoke-wide", 1, 2),
        ("only-plain-1-planted-0", "smoke", 1, 1),
        ("only-plain-2-planted-0", "smoke", 1, 1),
    ]
    record = json.loads((tmp_path / "story.json").read_text())
    told = [case["contestant"] for case in record["cases"]]
    assert (
        told[: len(told) // 2]
        == told[len(told) // 2 :]
        == [
            "base / 256",
            "base / 64",
            "more-epochs / 64",
            "wider / 64",
            "a network a scene / 64",
            "base / 64, by ground",
        ]
    )
    coarse, fine = (case["scored"] for case in record["cases"][:2])
    assert coarse < fine
    assert {case["sample"] for case in record["cases"]} == {"in"}, "trained polluted"
    assert len(record["remarks"]) == 1 + 6
    truth = tmp_path / "story.parts" / "smoke" / "scenes" / "plain-1-planted-0.truth.json"
    assert len(json.loads(truth.read_text())["objects"]) == 6

    def no_work(*_: object) -> None:
        raise AssertionError("all of it has been worked out")

    monkeypatch.setattr("training.evaluate.command.case_of", no_work)
    monkeypatch.setattr("training.simulation.planting.plant", no_work)
    assert main([*command, "--out", str(tmp_path / "story.json")]) == 0


def test_a_stage_is_trained_polluted_exported_and_trained_once(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (known,) = article_experiment.polluted_scenes(
        article_experiment.SCALES["smoke"], [str(scenes / "plain-1.png")], tmp_path
    )
    target = article_experiment.train_network("base", "smoke", 1, [known], tmp_path / "models")
    card = read_card(target)
    assert (card.scenes, card.polluted, card.preset) == ((known.picture.name,), True, "smoke")

    def no_work(*_: object) -> None:
        raise AssertionError("it is trained")

    monkeypatch.setattr("training.trainer.trainer.train", no_work)
    assert (
        article_experiment.train_network("base", "smoke", 1, [known], tmp_path / "models") == target
    )
    with pytest.raises(AssertionError):
        article_experiment.train_network("base", "smoke", 2, [known], tmp_path / "models")


def test_an_unknown_scale_is_refused() -> None:
    with pytest.raises(OptionError, match="small, full"):
        article_experiment.scale_of("huge")


def test_scores_are_measured_among_similar_ground(scene_of: Callable[..., Scene]) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.normal(120, 3, (900, 1800))
    pixels[:, 900:] = rng.normal(120, 30, (900, 900))
    scene = scene_of(np.clip(pixels, 1, 255).astype(np.uint8))
    grid = Grid(1800, 900, 256, 16)
    values = rng.normal(1, 0.1, (grid.rows, grid.cols)).astype(np.float32)
    middle = (1800 - 256) // 2 // 16
    values[:, middle:] += 4
    values[3, 3] = 3.0  # far out among the smooth tiles, nothing among all
    values[0, 0] = np.nan
    scores = ScoreMap(values, grid, 48)
    kinds = kinds_of(scene, scores)
    assert kinds[10, 5] == kinds[30, 10] != kinds[10, -5]
    found = calibrate_per_kind(scores, kinds)
    assert np.isnan(found.values[0, 0])
    assert found.values[3, 3] > 5 > np.nanmax(found.values[:, -20:])
    assert scores.sigma_of(values[3, 3]) < 1


def test_a_rare_kind_is_judged_as_the_whole() -> None:
    rng = np.random.default_rng(1)
    grid = Grid(1000, 1000, 256, 16)
    values = rng.normal(1, 0.1, (grid.rows, grid.cols)).astype(np.float32)
    kinds = np.zeros(values.shape, np.intp)
    kinds[0, :5] = 1
    found = calibrate_per_kind(ScoreMap(values, grid, 48), kinds)
    assert found.values[0, :5] == pytest.approx(ScoreMap(values, grid, 48).sigma_of(values[0, :5]))
