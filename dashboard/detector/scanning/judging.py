"""A look or two at each place that a finder points at, stored as it goes, resumable at any time."""

from __future__ import annotations

import queue
from collections.abc import Generator, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import rasterio
from numpy.typing import NDArray

from dashboard.detector.arrays import Floats
from dashboard.detector.files.formats import GDAL_OPTIONS
from dashboard.detector.models.judge import AROUND, BATCH, Judge, Judgement
from dashboard.detector.scanning.place_table import PlaceTable
from dashboard.detector.scenes.scene import Scene, continued
from dashboard.detector.system.prefetch import map_in_order, prefetch
from dashboard.detector.tiling import Box, Grid

READ_AHEAD = 4  # batches of windows that wait for the judge, 2 MB each
NEAR = 512  # px each way, within which windows are cut from one read

Ints = NDArray[np.intp]


class JudgedBatch(NamedTuple):
    """Neighbouring lines of a table of places, with their logits and descriptions."""

    first: int
    judgement: Judgement


def judge_places(
    table: PlaceTable, first: int, scene: Scene, judge: Judge, grid: Grid
) -> Iterator[JudgedBatch]:
    """The judge's logits and descriptions of the places from line `first` on, batch by batch.

    Batches begin at fixed lines, so that a resumed scan shows the judge the very batches that an
    undisturbed one would, and gets the very same numbers. `first` is the first line of one.
    """
    with prefetch(_batches(table, first, scene, grid), READ_AHEAD) as batches:
        yield from _judge_batches(batches, judge)


def _batches(
    table: PlaceTable, first: int, scene: Scene, grid: Grid
) -> Generator[tuple[int, Floats], None, None]:
    """The windows of `BATCH` places at a time, each read when the judge will soon want it."""
    centres = [(lines * grid.stride + grid.tile // 2)[first:] for lines in (table.cols, table.rows)]
    with rasterio.Env(**GDAL_OPTIONS):
        for start in range(0, len(centres[0]), BATCH):
            xs, ys = (some[start : start + BATCH] for some in centres)
            yield first + start, windows(scene, xs, ys)


def windows(scene: Scene, xs: Ints, ys: Ints) -> Floats:
    """DN around points of a scene, `[N, 1, 134, 134]`, neighbours cut from one read.

    Beyond the scene's border the ground goes on as it ends there.
    """
    half = AROUND // 2
    found = np.empty((len(xs), 1, AROUND, AROUND), np.float32)
    near = (ys // NEAR) * (scene.width // NEAR + 1) + xs // NEAR
    for cell in np.unique(near):
        (some,) = np.nonzero(near == cell)
        left, top = int(xs[some].min()) - half, int(ys[some].min()) - half
        box = Box(left, top, int(xs[some].max()) + half, int(ys[some].max()) + half)
        there = box.clipped(scene.width, scene.height)
        dn = continued(scene.read(there).dn, there, box)
        for number in some.tolist():
            x, y = int(xs[number]) - half - left, int(ys[number]) - half - top
            found[number, 0] = dn[y : y + AROUND, x : x + AROUND]
    return found


def _judge_batches(batches: Iterable[tuple[int, Floats]], judge: Judge) -> Iterator[JudgedBatch]:
    """Batches with what the judge says, in their order; each session takes its share."""
    free: queue.SimpleQueue[Judge] = queue.SimpleQueue()
    for shard in judge.shards:
        free.put(shard)

    def work(batch: tuple[int, Floats]) -> JudgedBatch:
        shard = free.get()
        try:
            return JudgedBatch(batch[0], shard.look(batch[1]))
        finally:
            free.put(shard)

    if not judge.parallel_sessions:
        return map(work, batches)
    return map_in_order(work, batches, free.qsize())
