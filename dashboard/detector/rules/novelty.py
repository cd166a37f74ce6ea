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

from dashboard.detector.arrays import Doubles, Floats
from dashboard.detector.rules.surprisal import surprise
from dashboard.detector.scanning.score_map import ScoreMap

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
    rows, cols, features = scores.seen.places()
    values = scores.values[rows, cols]
    rising = np.argsort(values, kind="stable")  # what is not a number comes last
    rising = rising[values[rising] > scores.mean][-MOST:]
    if len(rising) < FEWEST:
        return None
    new = np.zeros(len(values))
    compared = np.sort(rising)  # row by row, so that a sample is from all over the scene
    new[compared] = surprise_of(features[compared])
    step = float(new.max()) / (LEVELS - 1) or 1.0
    place = np.rint(new / step).astype(np.uint8)
    levels = np.zeros(scores.values.shape, np.uint8)
    for number in rising.tolist():  # where two are near, the stronger one counts
        row, col = int(rows[number]), int(cols[number])
        top, left = max(0, row - AROUND), max(0, col - AROUND)
        levels[top : row + AROUND + 1, left : col + AROUND + 1] = place[number]
    return Novelty(levels, step * np.arange(LEVELS, dtype=np.float64))


def surprise_of(features: Floats) -> Doubles:
    """How surprising it is to be as far from the nearest as each place is, `[n]` of `[n, F]`."""
    spread = features.std(axis=0)
    apart = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    apart = np.clip(apart, -FURTHEST, FURTHEST)
    tree = cKDTree(apart[:: -(-len(apart) // SAMPLE)])
    far = np.log(tree.query(apart, [NEAREST], workers=THREADS)[0][:, 0] + 1e-3)
    return surprise(far, np.ones(len(far))).of(far)
