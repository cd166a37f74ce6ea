"""How new each place is among all places of its scene, as a second look sees them.

A score says how unlike ground a place is, as the networks have learned it elsewhere; of what a
scene is full of, it may be full of high scores. What is seen of its places tells which of them have
no like in it: the distance to the tenth nearest of them, as in outlier detection by nearest
neighbours (Ramaswamy, Rastogi and Shim 2000), of features that a network has learned (Roth et al.
2022, arXiv 2106.08265). An object must not be its own kind, nor some pieces of one landing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from dashboard.detector.scores import ScoreMap
from dashboard.detector.seen import Floats, scored_places
from dashboard.detector.surprise import Doubles, surprise

MOST = 40_000  # places compared, the strongest: of the list, nobody reads more
SAMPLE = 8_000  # of them, evenly chosen, that they are compared with
NEAREST = 11  # with itself: the tenth other
FEWEST = 300  # places that can tell what is new
FURTHEST = 6.0  # standard deviations at which a feature is clipped
LEVELS = 32  # of novelty that are told apart
AROUND = 6  # positions each way that belong to a place, as in the network
THREADS = 2


@dataclass(frozen=True, eq=False)
class Novelty:
    """The level of novelty at each position, `[rows, cols]` uint8, and how surprising each is."""

    levels: NDArray[np.uint8]  # 0 where nothing is new, or no place near
    more: Doubles  # [LEVELS], ascending from 0: `-log` of the part of places as new


def novelty(scores: ScoreMap) -> Novelty | None:
    """The novelty of the places of a scan; None where nothing was seen, or too few places were."""
    if scores.seen is None:
        return None
    rows, cols, values, features = scored_places(scores)
    order = np.argsort(values, kind="stable")[-MOST:]
    order = order[values[order] > scores.mean]
    if len(order) < FEWEST:
        return None
    found = surprise_of(features[np.sort(order)])[np.argsort(np.argsort(order))]
    step = float(found.max()) / (LEVELS - 1) or 1.0
    levels = np.zeros(scores.values.shape, np.uint8)
    place = np.rint(found / step).astype(np.uint8)
    for row, col, level in zip(rows[order], cols[order], place, strict=True):  # strongest last
        top, left = max(0, row - AROUND), max(0, col - AROUND)
        levels[top : row + AROUND + 1, left : col + AROUND + 1] = level
    return Novelty(levels, step * np.arange(LEVELS, dtype=np.float64))


def surprise_of(features: Floats) -> Doubles:
    """How surprising it is to be as far from the nearest as each place is, `[n]` of `[n, F]`."""
    spread = features.std(axis=0)
    apart = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    apart = np.clip(apart, -FURTHEST, FURTHEST)
    tree = cKDTree(apart[:: -(-len(apart) // SAMPLE)])
    far = np.log(tree.query(apart, [NEAREST], workers=THREADS)[0][:, 0] + 1e-3)
    return surprise(far, np.ones(len(far))).of(far)
