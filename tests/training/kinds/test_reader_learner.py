"""How the reader of residuals learns: what counts, and that nothing else of the network moves."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from tests.detector import rasters
from training.kinds.candidates import GROUND, NONE, SIDE, THING
from training.kinds.reader_learner import ReaderLearner, SurroundedWindows, entropy
from training.networks import BLOCK, guarded
from training.presets import PRESETS
from training.trainer.trainer import TrainSettings, batch_of, read_checkpoint, train
from training.windows import gather


def labels(*things: tuple[int, int, int]) -> torch.Tensor:
    """Ground `[1, 64, 64]` with square things: row, column and side in blocks."""
    found = torch.full((1, SIDE // BLOCK, SIDE // BLOCK), GROUND, dtype=torch.int8)
    for row, col, side in things:
        found[0, row : row + side, col : col + side] = THING
    return found


def at(*points: tuple[int, int]) -> torch.Tensor:
    """Logits of about -6, of 6 at some blocks."""
    found = -6 + 0.1 * torch.rand(1, SIDE // BLOCK, SIDE // BLOCK, generator=torch.Generator())
    for row, col in points:
        found[0, row, col] = 6.0
    return found


def test_one_place_on_a_thing_is_enough_and_ground_that_stands_out_costs() -> None:
    label = labels((20, 20, 5))
    right, nothing = entropy(at((22, 22)), label), entropy(at(), label)
    wrong = entropy(at((22, 22), (50, 50)), label)
    assert right < 0.05 < wrong < nothing


def test_a_large_thing_counts_as_much_as_a_small_one() -> None:
    label = labels((10, 10, 2), (40, 40, 6))
    only_small, only_large = entropy(at((10, 10)), label), entropy(at((43, 43)), label)
    assert abs(only_small - only_large) < 0.2 * only_small


def test_what_counts_for_nothing_costs_nothing() -> None:
    label = labels((20, 20, 5))
    doubtful = label.clone()
    doubtful[0, 45:55, 45:55] = NONE
    assert entropy(at((22, 22), (50, 50)), doubtful) < 0.05


def test_a_window_without_things_teaches_what_ground_is() -> None:
    logits = at().requires_grad_(True)
    entropy(logits, labels()).backward()
    assert logits.grad is not None
    assert (logits.grad > 0).all()


def test_only_the_reader_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEEDLE_HOME", str(tmp_path))
    monkeypatch.setattr("training.kinds.calibration.AREAS", 2)
    picture = rasters.write(tmp_path / "ground.png", rasters.ground(700, 700))
    sources = gather([picture], polluted=False)
    torch.manual_seed(0)
    start = guarded.Guarded(guarded.widened(guarded.ROWS, PRESETS["smoke-reader"].width))
    settings = TrainSettings("smoke-reader", 2, ("ground.png",), start="net")
    checkpoint = read_checkpoint(
        train(tmp_path / "run", settings, lambda: sources, start.state_dict())
    )
    assert checkpoint["calibration"].keys() == {"ordinary", "rare"}
    for name, weight in start.state_dict().items():
        same = torch.equal(weight, checkpoint["network"][name])
        assert same != name.startswith("reader."), name
    assert (tmp_path / "run" / "preview-002.png").is_file()


def test_it_learns_what_was_put_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEEDLE_HOME", str(tmp_path))
    picture = rasters.write(tmp_path / "ground.png", rasters.ground(420, 420))
    torch.manual_seed(0)
    network = guarded.Guarded(guarded.widened(guarded.ROWS, 0.25))
    learner = ReaderLearner(network, nullcontext)
    windows = learner.windows(gather([picture], polluted=False), 3, True)
    assert isinstance(windows, SurroundedWindows)
    batch = [part.float() for part in batch_of(windows, 6)]
    optimiser = torch.optim.AdamW(network.reader.parameters(), 5e-3)
    losses = []
    for _ in range(30):
        loss = learner(*batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]
