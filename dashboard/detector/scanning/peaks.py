"""The places that a finder points at: the strongest local maxima of its scores, block by block.

A block has its share of places whatever lies beside it. So which places are looked at depends on
the scores alone, not on how a scan was cut, resumed or timed, and a block can be looked at as soon
as its own scores are known.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dashboard.detector.arrays import Floats
from dashboard.detector.scanning.score_map import ScoreMap
from dashboard.detector.system.prefetch import map_in_order
from dashboard.detector.tiling import Grid

BLOCK = 1024  # px along a side
# Places looked at per Mpx of scored ground; there are some 240 maxima. Each costs a run of the
# judge, a thousandth of a second of one core.
PER_MPX = 100.0
THREADS = 2  # blocks gone through at once
FEWEST = 200  # places of a scene that has as many: fewer do not tell what is ordinary in it

Ints = NDArray[np.intp]


@dataclass(frozen=True)
class Block:
    """Neighbouring positions of a grid whose strongest places are looked at together."""

    rows: slice
    cols: slice


class Peaks(NamedTuple):
    """Local maxima of a score map, `[n]`, row by row; of all of it, block by block."""

    rows: Ints
    cols: Ints
    scores: Floats


def blocks(grid: Grid) -> Iterator[Block]:
    """The blocks of a grid, row by row; together they hold every position once."""
    side = max(1, round(BLOCK / grid.stride))
    for top in range(0, grid.rows, side):
        for left in range(0, grid.cols, side):
            yield Block(
                slice(top, min(top + side, grid.rows)), slice(left, min(left + side, grid.cols))
            )


def places(scores: ScoreMap, per_mpx: float | None = None) -> Peaks:
    """The places of a score map that are worth a look, so many per Mpx; more of a small scene."""
    if per_mpx is None:
        per_mpx = max(PER_MPX, FEWEST / (scores.scored * scores.grid.stride**2 / 1e6 or 1.0))
    found = map_in_order(
        lambda block: strongest(scores, block, per_mpx), blocks(scores.grid), THREADS
    )
    return Peaks(*(np.concatenate(part) for part in zip(*found, strict=True)))


def strongest(scores: ScoreMap, block: Block, per_mpx: float) -> Peaks:
    """The strongest local maxima of a block, as many as its scored ground has a right to.

    A maximum is larger than all scores whose windows overlap its own, in this block or beside it;
    among equals the first counts.
    """
    scored = int(np.count_nonzero(np.isfinite(scores.values[block.rows, block.cols])))
    most = math.ceil(per_mpx * scored * scores.grid.stride**2 / 1e6)
    found = _maxima(scores, block)
    chosen = np.sort(np.argsort(-found.scores, kind="stable")[:most])  # of equals the first
    return Peaks(found.rows[chosen], found.cols[chosen], found.scores[chosen])


def _maxima(scores: ScoreMap, block: Block) -> Peaks:
    """Rows, columns and scores of all local maxima of a block."""
    reach, side = scores.reach, 2 * scores.reach + 1
    top, left = max(0, block.rows.start - reach), max(0, block.cols.start - reach)
    near = scores.values[top : block.rows.stop + reach, left : block.cols.stop + reach]
    values = np.where(np.isfinite(near), near, -np.inf)
    peaks = np.isfinite(near) & (values == ndimage.maximum_filter(values, side, mode="nearest"))
    if len(np.unique(values[peaks])) < np.count_nonzero(peaks):
        # Equal scores, as of flat ground, are all maxima; the first of them is that of all around.
        turn = np.where(peaks, np.arange(peaks.size, 0, -1).reshape(peaks.shape), 0)
        peaks &= turn == ndimage.maximum_filter(turn, side, mode="nearest")
    own = peaks[block.rows.start - top :, block.cols.start - left :]
    own = own[: block.rows.stop - block.rows.start, : block.cols.stop - block.cols.start]
    rows, cols = np.nonzero(own)
    found = scores.values[block.rows, block.cols][rows, cols]
    return Peaks(rows + block.rows.start, cols + block.cols.start, np.asarray(found, np.float32))
