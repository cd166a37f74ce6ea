"""How surprising a value is among others, so that a score and a look can be weighed together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboard.detector.arrays import Doubles

TAIL = 0.01  # of the values; beyond, how far one lies counts, not only how few lie as far
KNOTS = 256


@dataclass(frozen=True, eq=False)
class Surprise:
    """`-log p`, where p is the part of all values that are as large; straight between its knots.

    Beyond the last knot the tail is taken for an exponential with the mean of its excesses.
    """

    knots: Doubles  # [n] values, ascending
    levels: Doubles  # [n] their surprise, ascending from 0
    slope: float  # of surprise, beyond the last knot

    def of(self, values: NDArray[np.floating]) -> Doubles:
        """The surprise of values; 0 below all of them, NaN for NaN."""
        values = np.asarray(values, np.float64)
        beyond = np.maximum(values - self.knots[-1], 0.0)
        return np.asarray(np.interp(values, self.knots, self.levels) + self.slope * beyond)

    def back(self, levels: Doubles) -> Doubles:
        """The values that are as surprising; minus infinity below 0, where all are more so."""
        beyond = np.maximum(levels - self.levels[-1], 0.0)
        values = np.interp(levels, self.levels, self.knots) + beyond / self.slope
        return np.where(levels < 0, -np.inf, values)


def surprise(values: Doubles, counts: NDArray[np.floating] | NDArray[np.integer]) -> Surprise:
    """The surprise of values `[n]`, in any order, of which each occurs so often `[n]`."""
    order = np.argsort(values, kind="stable")
    order = order[counts[order] > 0]
    if not len(order):
        return Surprise(np.zeros(1), np.zeros(1), 1.0)
    values, counts = values[order], np.asarray(counts, np.float64)[order]
    first = np.flatnonzero(np.diff(values, prepend=-np.inf))
    values, counts = values[first], np.add.reduceat(counts, first)
    part = np.cumsum(counts[::-1])[::-1] / counts.sum()
    wanted = TAIL ** (np.arange(KNOTS + 1) / KNOTS)
    found = np.unique(np.searchsorted(-part, -wanted, side="right") - 1)
    knots, beyond = values[found], slice(found[-1] + 1, None)
    slope = 1.0
    if len(counts[beyond]):
        excess = np.average(values[beyond] - knots[-1], weights=counts[beyond])
        slope = 1 / float(excess)
    return Surprise(knots, -np.log(part[found]), slope)
