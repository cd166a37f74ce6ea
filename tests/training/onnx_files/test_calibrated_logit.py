"""A critic's logit calibrated on other ground: what it says is another, what it scores is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dashboard.detector import Model
from dashboard.detector.errors import ModelError, OptionError
from dashboard.detector.models.model import read_card
from tests.detector import rasters
from training import __main__ as command
from training.model_files import EXPORTED
from training.onnx_files import recalibrate
from training.onnx_files.recalibrate import calibrate_logit, line_of
from training.windows import Source, gather

SIDE = 256


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    """Ground that no network has learned."""
    folder = tmp_path_factory.mktemp("ground")
    rasters.write(folder / "hills.png", rasters.ground(320, 320, seed=4).astype(np.uint8))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEEDLE_HOME", str(folder))
        return gather([folder / "hills.png"], polluted=False)


@pytest.fixture
def shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    """On little ground, with a line that is known beforehand."""
    monkeypatch.setattr(recalibrate, "PLANTED", 4)
    monkeypatch.setattr(recalibrate, "platt", lambda *_: torch.tensor([0.5, -1.25]))


def asked(model: Path) -> dict[str, np.ndarray]:
    """All that a model says of an area."""
    one = Model.load(model, "cpu")
    side = SIDE + 2 * one.card.margin
    dn = rasters.ground(side, side, seed=5).astype(np.float32)[None, None]
    said = one.complete(dn, 100.0, 20.0)
    assert said.logits is not None
    gains = said.scores * 0 if said.gains is None else said.gains
    every = ("scores", said.scores), ("completion", said.completion), ("gains", gains)
    return {**dict(every), "logits": said.logits}


@pytest.mark.usefixtures("shortly")
@pytest.mark.parametrize("name", ["critic", "second-look"])
def test_scores_stay_to_the_last_bit(name: str, sources: list[Source], tmp_path: Path) -> None:
    before = EXPORTED / f"{name}.onnx"
    card = calibrate_logit(name, sources, tmp_path / "once.onnx")
    calibrate_logit(str(tmp_path / "once.onnx"), sources, tmp_path / "twice.onnx")
    was, now, again = (
        asked(one) for one in (before, tmp_path / "once.onnx", tmp_path / "twice.onnx")
    )
    for part in ("scores", "completion", "gains"):
        np.testing.assert_array_equal(now[part], was[part])
    raw = tmp_path / "raw.onnx"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recalibrate, "platt", lambda *_: torch.tensor([1.0, 0.0]))
        calibrate_logit(name, sources, raw)
    np.testing.assert_allclose(now["logits"], 0.5 * asked(raw)["logits"] - 1.25, atol=1e-5)
    np.testing.assert_array_equal(again["logits"], now["logits"], "a line replaces the one before")
    assert line_of(str(tmp_path / "twice.onnx")) == (0.5, -1.25)
    assert read_card(tmp_path / "once.onnx") == card
    assert card.planted is not None
    assert 0 < card.planted < 0.2


@pytest.mark.usefixtures("shortly")
def test_what_gives_no_logit_is_refused(sources: list[Source], tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="gives no logit"):
        calibrate_logit("guarded", sources, tmp_path / "new.onnx")
    with pytest.raises(ModelError, match="no such model"):
        calibrate_logit("nothing", sources, tmp_path / "new.onnx")
    assert not list(tmp_path.iterdir())


def test_another_critic_would_change_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["calibrate", "second-look", str(tmp_path / "new.onnx"), "--scenes", "hills.png"]
    assert command.main([*line, "--logit", "--critic", "critic"]) == 2
    assert "leave out --critic" in capsys.readouterr().err
