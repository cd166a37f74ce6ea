"""Surprisal: empirical p-values as -log p, with an exponential tail that outliers do not bend."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dashboard.detector.arrays import Doubles, Floats

TAIL = 0.05  # of the values; beyond, how far one lies counts, not only how few lie as far
FEWEST = 20  # values that make the tail, where there are as many
LEAST = 1e-9  # of the values' range, that the tail's scale comes to at least


@dataclass(frozen=True, eq=False)
class Surprisal:
    """`-log p`, where p is the part of all values that are as large.

    Beyond `start` the tail is an exponential. Its scale is the median of the excesses over ln 2, so
    that a few values far out, which are what is looked for, do not stretch it.
    """

    values: Doubles  # [n], ascending
    start: float
    level: float  # surprise at the start of the tail
    scale: float  # of the excesses

    @classmethod
    def of(cls, values: Floats | Doubles) -> Surprisal:
        """The distribution of values, given in any order."""
        rising = np.sort(np.asarray(values, np.float64))
        count = len(rising)
        tail = min(max(round(TAIL * count), FEWEST), count // 2)
        if not tail:
            return cls(rising, math.inf, 0.0, 1.0)
        start = float(rising[count - tail - 1])
        scale = float(np.median(rising[count - tail :] - start)) / math.log(2)
        least = LEAST * float(rising[-1] - rising[0])
        return cls(rising, start, math.log(count / (tail + 0.5)), max(scale, least, 1e-300))

    def __call__(self, values: Floats | Doubles) -> Doubles:
        """How surprising values are; near 0 below all others."""
        values = np.asarray(values, np.float64)
        count = len(self.values)
        as_large = count - np.searchsorted(self.values, values, side="left")
        below = np.log((count + 0.5) / (as_large + 0.5))
        beyond = self.level + (values - self.start) / self.scale
        return np.where(values > self.start, beyond, below)
