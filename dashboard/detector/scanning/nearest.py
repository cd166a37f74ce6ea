"""How far each place is from the places most like it, by their descriptions.

The distance to the tenth nearest tells what has no like in its scene, as in outlier detection by
nearest neighbours (Ramaswamy, Rastogi and Shim 2000) in features of a pretrained network (Roth et
al. 2022, arXiv 2106.08265). The nearest would not do: pieces of one landing may look alike.
Distances are those of Mahalanobis: an axis along which all places vary tells little of what is new.
"""

from __future__ import annotations

import numpy as np

from dashboard.detector.arrays import Floats, Mask
from dashboard.detector.system.prefetch import map_in_order

NEAREST = 10  # which neighbour, itself not counted
SAMPLE = 4_000  # places, at most, evenly chosen, that each is compared with
FURTHEST = 6.0  # standard deviations at which a number is clipped
LEAST = (
    0.01  # of the mean variance, added to that of each principal axis; more where places are few
)
ROWS = 512  # places compared at a time; 8 MB of distances
THREADS = 2  # that compare side by side


def novelty(descriptions: Floats) -> Floats:
    """The distance of each place to its tenth nearest, `[n]`, given `[n, D]`; 0 where n is 1.

    Of fewer places than eleven it is the distance to the furthest. Each principal axis is measured
    in its standard deviation over the places.
    """
    count = len(descriptions)
    if count < 2:
        return np.zeros(count, np.float32)
    apart = whitened(standardised(descriptions))
    known = np.zeros(count, bool)
    known[:: -(-count // SAMPLE)] = True
    others = apart[known]

    def compared(first: int) -> Floats:
        some = slice(first, first + ROWS)
        return _to_nearest(apart[some], others, known[some])

    return np.concatenate(list(map_in_order(compared, range(0, count, ROWS), THREADS)))


def standardised(descriptions: Floats, by: Floats | None = None) -> Floats:
    """Descriptions in standard deviations from the mean, clipped: their own, or those of `by`."""
    known = descriptions if by is None else by
    spread = known.std(axis=0)
    apart = (descriptions - known.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return np.asarray(np.clip(apart, -FURTHEST, FURTHEST), np.float32)


def whitened(descriptions: Floats) -> Floats:
    """Descriptions along their principal axes, each of variance 1 or less, `[n, D]`."""
    centred = descriptions.astype(np.float64) - descriptions.mean(axis=0)
    variances, axes = np.linalg.eigh(centred.T @ centred / len(centred))
    added = (LEAST + (centred.shape[1] / len(centred)) ** 2) * float(variances.mean())
    variances = np.maximum(variances, 0) + max(added, 1e-12)
    return np.asarray(centred @ axes / np.sqrt(variances), np.float32)


def _to_nearest(some: Floats, others: Floats, among: Mask) -> Floats:
    """Distances to the tenth nearest of others, `[m]`; `among [m]` says who is one of them."""
    squares = (some**2).sum(1)[:, None] + (others**2).sum(1) - 2 * some @ others.T
    last = min(NEAREST, len(others) - 1)
    near = np.partition(squares, last, axis=1)[:, : last + 1]  # thirteen times faster than two
    nearest = np.where(among, near[:, last], near[:, :last].max(axis=1))  # one of them is itself
    return np.sqrt(np.maximum(nearest, 0))
