"""The trainer: it learns, it resumes exactly, and many processes learn what one does."""

from __future__ import annotations

import csv
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from dashboard.detector import OptionError, StoreError
from tests.detector import rasters
from training.presets import PRESETS, Preset
from training.trainer.processes import Team
from training.trainer.trainer import (
    CHECKPOINT,
    Trainer,
    TrainSettings,
    learning_rate,
    read_checkpoint,
    train,
)
from training.windows import Source, gather

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return rasters.write(tmp_path / "ground.png", rasters.ground(400, 400))


@pytest.fixture
def sources(picture: Path) -> list[Source]:
    return gather([picture], polluted=False)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in a fixed order, so that exact means exact."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def settings(epochs: int = 2) -> TrainSettings:
    return TrainSettings("smoke", epochs, ("ground.png",))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(read_checkpoint(folder / CHECKPOINT)["network"])


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(newline="") as log:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(log)]


def test_a_run_leaves_checkpoint_logs_and_previews(tmp_path: Path, sources: list[Source]) -> None:
    run = tmp_path / "run"
    assert train(run, settings(), lambda: sources) == run / CHECKPOINT
    names = {path.name for path in run.iterdir()}
    assert {"settings.json", "log.csv", "preview-001.png", "preview-002.png"} <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    assert [row["step"] for row in rows_of(run)] == ["8"]
    # a row a tile: query, hidden, completion, difference
    with Image.open(run / "preview-002.png") as preview:
        assert preview.size == (4 * 128, 6 * 128)


def test_the_guarded_network_learns_the_same_each_time(
    tmp_path: Path, sources: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    longer = replace(PRESETS["smoke-guarded"], name="longer", windows=120)
    monkeypatch.setitem(PRESETS, "longer", longer)
    once, twice = tmp_path / "once", tmp_path / "twice"
    train(once, TrainSettings("longer", 2, ("ground.png",)), lambda: sources)
    losses = [float(row["loss"]) for row in rows_of(once)]
    assert losses[-1] < losses[0] - 0.5
    train(twice, TrainSettings("longer", 2, ("ground.png",)), lambda: sources)
    for name, weight in weights(once).items():
        assert torch.equal(weight, weights(twice)[name]), name
    with Image.open(once / "preview-002.png") as preview:
        assert preview.size == (4 * 256, 6 * 256)


def test_it_learns(tmp_path: Path, sources: list[Source], monkeypatch: pytest.MonkeyPatch) -> None:
    longer = Preset("longer", 0.125, 1, 160, batch=4, learning_rate=3e-3, warm_up=4)
    monkeypatch.setitem(PRESETS, "longer", longer)
    train(tmp_path / "run", TrainSettings("longer", 1, ("ground.png",)), lambda: sources)
    losses = [float(row["loss"]) for row in rows_of(tmp_path / "run")]
    assert losses[-1] < 0.7 * losses[0]


def test_an_interrupted_run_goes_on_to_the_very_same_weights(
    tmp_path: Path, sources: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train(whole, settings(), lambda: sources)
    monkeypatch.setattr("training.trainer.trainer.SAVE_SECONDS", 0.0)  # a checkpoint each step
    learn, calls = Trainer._learn, iter(range(100))

    def cut_off(self: Trainer, batch: list[torch.Tensor]) -> torch.Tensor:
        if next(calls) == 5:
            raise KeyboardInterrupt
        return learn(self, batch)

    monkeypatch.setattr(Trainer, "_learn", cut_off)
    with pytest.raises(KeyboardInterrupt):
        train(broken, settings(), lambda: sources)
    assert read_checkpoint(broken / CHECKPOINT)["step"] == 5
    train(broken, settings(), lambda: sources)
    for name, weight in weights(whole).items():
        assert torch.equal(weight, weights(broken)[name]), name
    assert rows_of(whole) == rows_of(broken)


def test_a_run_takes_no_other_settings(tmp_path: Path, sources: list[Source]) -> None:
    train(tmp_path / "run", settings(1), lambda: sources)
    other = TrainSettings("smoke", 1, ("ground.png",), seed=1)
    with pytest.raises(StoreError, match="holds another run"):
        train(tmp_path / "run", other, lambda: sources)
    train(tmp_path / "run", settings(2), lambda: sources)  # more epochs are no other run
    assert read_checkpoint(tmp_path / "run" / CHECKPOINT)["step"] == 8


def test_two_processes_learn_what_one_does(
    tmp_path: Path, picture: Path, sources: list[Source]
) -> None:
    alone = tmp_path / "alone"
    train(alone, settings(1), lambda: sources)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = ["-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={port}"]
    run = ["-m", "training", "train", "--preset", "smoke", "--epochs", "1"]
    command = [sys.executable, *launch, *run, "--scenes", picture, "--out", tmp_path / "team"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        list(map(str, command)),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    together = weights(tmp_path / "team")
    for name, weight in weights(alone).items():
        torch.testing.assert_close(together[name], weight, rtol=1e-2, atol=2e-4, msg=name)


def test_the_rate_warms_up_and_decays_to_a_hundredth() -> None:
    recipe = PRESETS["article"]
    rates = [learning_rate(step, 10_000, recipe) for step in range(10_000)]
    top = max(rates)
    assert top == pytest.approx(recipe.learning_rate, rel=1e-3)
    assert rates[:1000] == sorted(rates[:1000])
    assert rates[1000:] == sorted(rates[1000:], reverse=True)
    assert rates[-1] == pytest.approx(0.01 * top, rel=1e-2)


@pytest.mark.parametrize(
    ("wrong", "said"), [({"preset": "nope"}, "no preset 'nope'"), ({"epochs": 0}, "0 epochs")]
)
def test_settings_without_meaning_are_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        TrainSettings(**({"preset": "smoke", "epochs": 1, "scenes": ()} | wrong))


def test_a_batch_that_does_not_divide_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="does not divide over 3"):
        Trainer(tmp_path / "run", settings(), Team(0, 3, torch.device("cpu")))


def test_a_damaged_checkpoint_is_said(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(StoreError, match="not a readable checkpoint"):
        read_checkpoint(tmp_path / CHECKPOINT)
