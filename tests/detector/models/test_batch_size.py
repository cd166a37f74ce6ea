"""The batch is the one beyond which nothing more is gained, and that fits the device."""

from __future__ import annotations

import pytest

from dashboard.detector.models import batch_size


class Device:
    """A device that takes so long for a batch, and fails beyond what it can hold."""

    def __init__(self, full_at: int, holds: int = 10**9) -> None:
        self.full_at, self.holds, self.now, self.tried = full_at, holds, 0.0, list[int]()

    def score(self, batch: int) -> None:
        if batch > self.holds:
            raise RuntimeError("out of memory")
        self.tried.append(batch)
        self.now += max(batch, self.full_at) / self.full_at

    def perf_counter(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("device", "best"),
    [
        (Device(full_at=1), 16),
        (Device(full_at=64), 64),
        (Device(full_at=1000), 256),
        (Device(full_at=1000, holds=100), 64),
        (Device(full_at=1000, holds=1), 16),
    ],
)
def test_the_batch_that_is_worth_it(
    device: Device, best: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_size, "time", device)
    assert batch_size.best_batch(device.score) == best
