"""Candidates: the places of a score map above a low floor, found once for every threshold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboard.detector.arrays import Doubles, Floats, Mask
from dashboard.detector.rules import Scale
from dashboard.detector.scanning.score_map import ScoreMap

MOST = 2_000_000  # positions ranked at a time; a whole scene has 73 million, of which few matter
TURN = 4096  # positions that are asked together whether a place has them by now
SAMPLE = 1_000_000  # scores that tell where the floor lies

Ints = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Candidates:
    """The positions of a score map above `floor`, strongest first, and the places they make.

    A position whose scored window overlaps that of a stronger place belongs to it (greedy
    non-maximum suppression). Which place a position belongs to does not depend on the threshold,
    so that moving the threshold only changes how many of them count.
    """

    floor: float  # sigma; complete above it
    cells: Ints  # [n] flat indices into the map
    scores: Floats  # [n]
    sigmas: Doubles  # [n], in descending order
    owners: Ints  # [n] the place that a position belongs to
    peaks: Ints  # [m] the strongest position of each place: an index into `cells`, ascending

    def above(self, limit: float) -> int:
        """How many positions score above a limit."""
        return int(np.count_nonzero(self.scores > np.float64(limit)))

    def places(self, above: int) -> int:
        """How many places the strongest `above` positions make."""
        return int(np.searchsorted(self.peaks, above))

    def sizes(self, above: int) -> Ints:
        """How many of the strongest `above` positions belong to each of their places."""
        return np.bincount(self.owners[:above], minlength=self.places(above))


def candidates(
    scores: ScoreMap, measure: Scale, floor: float | None = None, limit: int | None = None
) -> Candidates:
    """The candidates of a score map.

    Args:
        measure: what its scores are measured by.
        floor: in sigma; otherwise so low that two million positions lie above it.
        limit: the most places to find; those beyond, and their positions, are left out.
    """
    if floor is None:
        floor = _floor(scores, measure)
    cells = _cells_above(scores, measure, floor)
    values = scores.values.reshape(-1)[cells]
    sigmas = measure.sigma_of(values)
    order = np.argsort(-sigmas, kind="stable")
    cells = cells[order]
    owners, peaks = _suppress(scores, cells, limit)
    mine = owners >= 0
    if not mine.all():
        order, cells, owners = order[mine], cells[mine], owners[mine]
        peaks = (np.cumsum(mine) - 1)[peaks]
    return Candidates(floor, cells, values[order], sigmas[order], owners, peaks)


def _floor(scores: ScoreMap, measure: Scale) -> float:
    """The sigma above which about two million positions lie; minus infinity for small maps."""
    if scores.scored <= MOST:
        return -np.inf
    step = max(1, scores.values.size // SAMPLE)
    cells = np.arange(step // 2, scores.values.size, step)
    values = scores.values.reshape(-1)[cells]
    given = np.isfinite(values)
    sigmas = measure.sigma_of(values[given])
    return float(np.quantile(sigmas, 1 - MOST / scores.scored))


def _cells_above(scores: ScoreMap, measure: Scale, floor: float) -> Ints:
    """Flat indices of the positions above the floor, row by row."""
    limit = measure.limit(floor) if np.isfinite(floor) else floor
    found = [np.zeros(0, np.intp)]
    for rows, above in beyond(scores, limit):
        found.append(np.flatnonzero(above) + rows.start * scores.values.shape[1])
    return np.concatenate(found)


def beyond(scores: ScoreMap, limit: float) -> Iterator[tuple[slice, Mask]]:
    """Where scores lie above a limit, some rows at a time."""
    for rows, part in scores.parts():
        yield rows, part > np.float64(limit)


def _free(owner: NDArray[np.int32], cells: Ints) -> Iterator[int]:
    """The positions, in their order, without those that had a place when their turn came."""
    for start in range(0, len(cells), TURN):
        free = np.flatnonzero(owner[cells[start : start + TURN]] == -1)
        yield from (free + start).tolist()


def _suppress(scores: ScoreMap, cells: Ints, limit: int | None) -> tuple[Ints, Ints]:
    """The place of each position, -1 where none was wanted, and each place's strongest position."""
    reach = scores.reach
    owner = np.full(scores.values.shape, -2, np.int32)
    flat, cols = owner.reshape(-1), scores.grid.cols
    flat[cells] = -1
    seen = memoryview(flat.data)  # twice as fast as the array, one by one
    peaks: list[int] = []
    for index in _free(flat, cells):
        cell = int(cells[index])
        if seen[cell] != -1:
            continue
        row, col = divmod(cell, cols)
        near = owner[max(0, row - reach) : row + reach + 1, max(0, col - reach) : col + reach + 1]
        near[near == -1] = len(peaks)
        peaks.append(index)
        if len(peaks) == limit:
            break
    return flat[cells].astype(np.intp), np.array(peaks, np.intp)
