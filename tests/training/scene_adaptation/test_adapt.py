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

import numpy as np
import pytest
import torch

from dashboard.detector import (
    ModelError,
    StoreError,
    read_card,
)
from dashboard.detector.system.locks import alone
from tests.detector import rasters
from tests.models import plain_model
from training.kinds import calibration
from training.model_files import model_file
from training.onnx_files.export import export
from training.onnx_files.weights import start_of, weights_of
from training.presets import PRESETS
from training.scene_adaptation.adapt import adapt
from training.trainer.trainer import CHECKPOINT, TrainSettings, read_checkpoint, train
from training.windows import gather

PRESET = "guarded-adapt"
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
