"""Learning one scene: it begins where the model stands, and knows the scene better afterwards."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dashboard.detector import Box, ModelError, OptionError, Scene, read_card
from dashboard.detector.scene import Patch
from tests.detector import rasters
from tests.models import plain_model
from training import learners
from training.__main__ import main
from training.adapt import RECIPES, adapt, squares
from training.data import gather
from training.export import export
from training.networks.article import TILE
from training.networks.critic import EYE
from training.presets import PRESETS
from training.train import CHECKPOINT, TrainSettings, read_checkpoint, train
from training.weights import model_file, start_of, weights_of

PRESET = RECIPES["guarded"]


@pytest.fixture(scope="module")
def general(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small guarded model that has seen one kind of ground; its folder."""
    folder = tmp_path_factory.mktemp("general")
    picture = rasters.write(folder / "hills.png", rasters.ground(800, 800))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEEDLE_HOME", str(folder))
        patch.setattr(learners, "AREAS", 2)
        sources = gather([picture], polluted=False)
        train(folder / "run", TrainSettings("smoke-guarded", 1, ("hills.png",)), lambda: sources)
        export(folder / "run", folder / "general.onnx")
    return folder


def learn_little(patch: pytest.MonkeyPatch, windows: int) -> None:
    """Makes `adapt` a matter of seconds."""
    patch.setattr(learners, "AREAS", 2)
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
    monkeypatch.setattr(learners, "AREAS", 2)
    monkeypatch.setattr(learners, "PLANTED", 12)
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
    line = learners.platt(said, planted)
    torch.testing.assert_close(line, torch.tensor([0.8, -1.5]), atol=0.06, rtol=0.05)
    for bad in (torch.zeros(60_000), 1 - planted):  # nothing planted; upside down
        assert learners.platt(said, bad).tolist() == [1.0, 0.0]


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


def test_the_halves_of_a_chessboard_cover_the_scene_once() -> None:
    scene = SimpleNamespace(width=2000, height=1700)
    count = np.zeros((scene.height, scene.width), int)
    for black in (True, False):
        for box in squares(scene, black):  # type: ignore[arg-type]
            count[box.y_min : box.y_max, box.x_min : box.x_max] += 1
    assert (count == 1).all()


def test_cross_fitting_never_learns_what_it_will_score(
    general: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn_little(monkeypatch, windows=64)
    picture = rasters.write(tmp_path / "scene.png", rasters.ground(1600, 1600))
    learned: list[Box] = []
    read = Scene.read

    def noted(self: Scene, box: Box) -> Patch:
        if box.width == box.height == TILE:
            learned.append(box)
        return read(self, box)

    monkeypatch.setattr(Scene, "read", noted)
    monkeypatch.setattr("training.adapt.export", lambda run, target: None)
    adapt(picture, str(general / "general.onnx"), tmp_path / "black.onnx", black=True)
    white = squares(gather([picture], polluted=True)[0].scenes[0], black=False)
    assert len(learned) >= 64
    assert not any(box.overlaps(out) for box in learned for out in white)
