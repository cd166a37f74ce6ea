"""A scan: every tile of a scene scored once, stored as it goes, resumable at any moment.

Batches begin at fixed places of the grid, so that a resumed scan sends the network the very batches
an undisturbed one would, and gets the very same numbers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dashboard.detector.errors import NoGround, StoreError
from dashboard.detector.model import Model
from dashboard.detector.scene import Scene
from dashboard.detector.store import ScanRecord, ScanStore, Scores
from dashboard.detector.tiling import Box, Grid

VALID = 0.99  # of a tile must be ground, as in the article
OBSERVED = 0.5  # of a scored window must have been observed: what was filled in says nothing
SETTLE_SECONDS = 1.0  # between two writes of a scan's progress
TRIAL_SECONDS = 1.5  # of an estimate, besides the first batch, which warms up
TRIAL_BATCHES = 64  # at most

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Progress:
    """How far a scan is; `seconds` and the rate are those of this sitting."""

    done: int  # tiles
    total: int
    fresh: int  # tiles done in this sitting
    seconds: float

    @property
    def fraction(self) -> float:
        return self.done / self.total

    @property
    def rate(self) -> float:
        """Tiles a second; 0 before the first batch."""
        return self.fresh / self.seconds if self.seconds > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds left; None before the first batch."""
        return (self.total - self.done) / self.rate if self.rate > 0 else None


def scan(store: ScanStore, scene: Scene, model: Model) -> Iterator[Progress]:
    """Score what is left of a scan, batch by batch; a caller that stops asking stops the scan.

    Raises:
        StoreError: the store cannot be written, or belongs to another scene or model.
        NoGround: no tile of the finished scan could be scored.
    """
    record = store.record
    if (record.scene_sha256, record.model_sha256) != (scene.sha256, model.sha256):
        raise StoreError(f"{store.key}: the scan of another scene or model; start a new one")
    values, before = store.values("r+"), record.seconds
    began = settled = time.monotonic()
    first = record.done
    try:
        for batch in _batches(record):
            _score_batch(values, record.grid, batch, (scene, model))
            now = time.monotonic()
            record = replace(
                record,
                done=batch.stop,
                seconds=before + now - began,
                provider=model.provider,
                device=model.device_label,
            )
            store.record = record
            if now - settled > SETTLE_SECONDS:
                settled = now
                _settle(store, values)
            yield Progress(record.done, store.total, record.done - first, now - began)
    finally:
        _settle(store, values)
    if not np.isfinite(values).any():
        raise NoGround(
            f"{scene.name}: no tile of {record.tile} px holds {VALID:.0%} ground; "
            "give a larger or a fuller picture"
        )


def estimate(scene: Scene, model: Model, stride: int | None = None) -> float:
    """Seconds that scoring the whole scene would take here, from a short trial on its own tiles.

    The trial takes about two seconds; it times reading and network together on batches from all
    over the scene, after one to warm up. Tiles without ground cost as little in it as in the scan.
    """
    record = ScanRecord.of(scene, model, model.card.stride if stride is None else stride)
    grid = record.grid
    starts = np.random.default_rng(0).permutation(len(grid))[:TRIAL_BATCHES].tolist()
    done, began = 0, time.monotonic()
    for number, start in enumerate([starts[0], *starts]):
        batch = next(_batches(replace(record, done=start)))
        dn = _ground(scene, grid, batch, record.window)[1]
        if len(dn):
            model.score(dn, scene.centre, scene.scale)
        done += len(batch)
        if number == 0:
            done, began = 0, time.monotonic()
        elif time.monotonic() - began > TRIAL_SECONDS:
            break
    return (time.monotonic() - began) / done * len(grid)


def _batches(record: ScanRecord) -> Iterator[range]:
    """The tile numbers left to score, row by row; a batch never goes on into the next row."""
    cols, total, start = record.grid.cols, len(record.grid), record.done
    while start < total:
        col = start % cols
        stop = start - col + min(cols, (col // record.batch + 1) * record.batch)
        yield range(start, stop)
        start = stop


def _score_batch(values: Scores, grid: Grid, batch: range, using: tuple[Scene, Model]) -> None:
    """Scores one batch into `values [rows, cols]`."""
    scene, model = using
    chosen, dn = _ground(scene, grid, batch, model.card.score_window)
    if len(dn):
        row, col = divmod(batch.start, grid.cols)
        values[row, col : col + len(batch)][chosen] = model.score(dn, scene.centre, scene.scale)


def _ground(scene: Scene, grid: Grid, batch: range, window: int) -> tuple[Mask, Scores]:
    """Which tiles of a batch hold enough ground, and their DN `[n, 1, T, T]`; one read for all."""
    first, last = (grid.at(*divmod(number, grid.cols)).read for number in (batch[0], batch[-1]))
    patch = scene.read(Box(first.x_min, first.y_min, last.x_max, last.y_max))
    rim = (grid.tile - window) // 2
    valid = _tiles(patch.valid, grid).mean(axis=(1, 2))
    observed = _tiles(patch.valid & ~patch.hole, grid)[:, rim : rim + window, rim : rim + window]
    chosen = (valid >= VALID) & (observed.mean(axis=(1, 2)) >= OBSERVED)
    return chosen, np.ascontiguousarray(_tiles(patch.dn, grid)[chosen][:, None])


def _tiles(strip: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """The tiles `[n, T, T]` in a strip `[T, W]`, as views."""
    return sliding_window_view(strip, grid.tile, axis=1).transpose(1, 0, 2)[:: grid.stride]


def _settle(store: ScanStore, values: Any) -> None:
    """Puts scores on disk, then says how far they reach, in this order."""
    try:
        values.flush()
        store.write_record()
    except OSError as error:
        raise StoreError(
            f"{store.folder}: the scores cannot be written ({error.strerror}); make room and resume"
        ) from error
