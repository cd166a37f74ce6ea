"""The few strongest places of a score map, however large, in a tenth of a second."""

from __future__ import annotations

import numpy as np

from dashboard.detector.arrays import Floats
from dashboard.detector.scanning.score_map import ScoreMap
from dashboard.detector.tiling import Box

AROUND = 9  # blocks that one place can touch


def strongest(scores: ScoreMap, count: int) -> list[Box]:
    """The scored ground of at most so many places, strongest first.

    For a look at a scan under way: nothing is measured, the map is gone through once, and of
    places side by side the weaker may be missed.
    """
    values, reach = scores.values, scores.reach
    side = 2 * reach + 1
    cols = np.arange(0, values.shape[1], side)
    highest = np.fmax.reduceat(_highest(values, side), cols, axis=1)
    order = np.argsort(-np.where(np.isfinite(highest), highest, -np.inf), axis=None, kind="stable")
    found = list[tuple[int, int]]()
    for block in order[: AROUND * count].tolist():
        top, left = (side * part for part in divmod(block, len(cols)))
        part = values[top : top + side, left : left + side]
        if len(found) == count or not np.isfinite(part).any():
            break
        down, right = divmod(int(np.nanargmax(part)), part.shape[1])
        row, col = top + down, left + right
        if all(max(abs(row - r), abs(col - c)) > reach for r, c in found):
            found.append((row, col))
    return [scores.scored_box(*place) for place in found]


def _highest(values: Floats, side: int) -> Floats:
    """The largest of every `side` rows, by column, the last rows fewer: twenty times `reduceat`."""
    whole = len(values) // side * side
    blocks = values[:whole].reshape(-1, side, values.shape[1])
    found = [np.fmax.reduce(blocks, axis=1)]
    if whole < len(values):
        found.append(np.fmax.reduce(values[whole:], axis=0)[None])
    return np.concatenate(found)
