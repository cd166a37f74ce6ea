"""Scores on the grid of a scene, and what they mean in standard deviations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dashboard.detector.errors import OptionError
from dashboard.detector.tiling import Box, Grid

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Histogram:
    """Counts of scores between edges: `counts [B]`, `edges [B + 1]`."""

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]


@dataclass(frozen=True)
class ScoreMap:
    """The scores of a scene, `values [rows, cols]` float32; NaN where nothing was scored."""

    values: Floats
    grid: Grid
    window: int  # side in px of the ground a score was taken over, around its tile's centre

    def __post_init__(self) -> None:
        if self.values.shape != (self.grid.rows, self.grid.cols):
            raise ValueError(f"{self.values.shape} scores on a grid of {self.grid}")

    @cached_property
    def present(self) -> NDArray[np.float64]:
        """All scores that were given, `[n]`, in ascending order."""
        return np.sort(self.values[np.isfinite(self.values)].astype(np.float64))

    @property
    def scored(self) -> int:
        return len(self.present)

    @cached_property
    def mean(self) -> float:
        return float(self.present.mean()) if self.scored else float("nan")

    @cached_property
    def std(self) -> float:
        """Standard deviation of the scores, in score units (the population's, as the article)."""
        return float(self.present.std()) if self.scored else float("nan")

    def sigma_of(self, score: Floats | float) -> NDArray[np.float64]:
        """Scores in standard deviations above the mean; 0 where all scores are equal."""
        above = np.asarray(score, np.float64) - self.mean
        return above / self.std if self.std > 0 else above * 0.0

    @cached_property
    def sigma(self) -> NDArray[np.float64]:
        """The map in standard deviations above the mean, `[rows, cols]`, NaN as in `values`."""
        return self.sigma_of(self.values)

    def at(self, sigma: float) -> float:
        """The score that lies `sigma` standard deviations above the mean."""
        if not np.isfinite(sigma):
            raise OptionError(f"sigma is {sigma}; it must be a finite number")
        return self.mean + sigma * self.std

    def count_above(self, sigma: float) -> int:
        """How many tiles score beyond `sigma`."""
        return self.scored - int(np.searchsorted(self.present, self.at(sigma), side="right"))

    def histogram(self, bins: int = 120) -> Histogram:
        """Counts of the scores in equal bins from the lowest to the highest."""
        if not self.scored:
            return Histogram(np.linspace(0, 1, bins + 1), np.zeros(bins, np.int64))
        counts, edges = np.histogram(self.present, bins)
        return Histogram(edges, counts)

    def scored_box(self, row: int, col: int) -> Box:
        """The ground that the score at `(row, col)` was taken over."""
        rim = (self.grid.tile - self.window) // 2
        return self.grid.at(row, col).read.grow(-rim)
