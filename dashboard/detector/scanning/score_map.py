"""Scores on the grid of a scene, and what they mean in standard deviations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dashboard.detector.arrays import Floats
from dashboard.detector.errors import OptionError
from dashboard.detector.scanning.place_table import PlaceTable
from dashboard.detector.tiling import Box, Grid

CHUNK = 1 << 20  # scores worked on at a time: a whole scene has 73 million


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
    places: PlaceTable | None = None  # those that a judge looked at, all of them

    def __post_init__(self) -> None:
        if self.values.shape != (self.grid.rows, self.grid.cols):
            raise ValueError(f"{self.values.shape} scores on a grid of {self.grid}")

    @property
    def reach(self) -> int:
        """How many positions to either side have windows that overlap one's own."""
        return -(-self.window // self.grid.stride) - 1

    def parts(self) -> Iterator[tuple[slice, Floats]]:
        """The map some rows at a time, `(rows, scores [n, cols])`."""
        step = max(1, CHUNK // self.values.shape[1])
        for top in range(0, len(self.values), step):
            rows = slice(top, top + step)
            yield rows, self.values[rows]

    @property
    def present(self) -> Floats:
        """All scores that were given, `[n]`, row by row; a copy."""
        return self.values[np.isfinite(self.values)]

    @cached_property
    def scored(self) -> int:
        return sum(int(np.count_nonzero(np.isfinite(part))) for _, part in self.parts())

    @cached_property
    def mean(self) -> float:
        total = sum(float(np.nansum(part, dtype=np.float64)) for _, part in self.parts())
        return total / self.scored if self.scored else float("nan")

    @cached_property
    def std(self) -> float:
        """Standard deviation of the scores, in score units (the population's, as the article)."""
        squares = sum(float(np.nansum((part - self.mean) ** 2)) for _, part in self._doubles())
        return math.sqrt(squares / self.scored) if self.scored else float("nan")

    def _doubles(self) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        return ((rows, part.astype(np.float64)) for rows, part in self.parts())

    @cached_property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest score; NaN without scores."""
        if not self.scored:
            return float("nan"), float("nan")
        return float(np.nanmin(self.values)), float(np.nanmax(self.values))

    def sigma_of(self, score: Floats | float) -> NDArray[np.float64]:
        """Scores in standard deviations above the mean; 0 where all scores are equal."""
        above = np.asarray(score, np.float64) - self.mean
        return above / self.std if self.std > 0 else above * 0.0

    def at(self, sigma: float) -> float:
        """The score that lies `sigma` standard deviations above the mean."""
        if not np.isfinite(sigma):
            raise OptionError(f"sigma is {sigma}; it must be a finite number")
        return self.mean + sigma * self.std

    def count_above(self, sigma: float) -> int:
        """How many tiles score beyond `sigma`."""
        limit = np.float64(self.at(sigma))  # as a plain float it would be rounded to a float32
        return sum(int(np.count_nonzero(part > limit)) for _, part in self.parts())

    def histogram(self, bins: int = 120) -> Histogram:
        """Counts of the scores in equal bins from the lowest to the highest."""
        if not self.scored:
            return Histogram(np.linspace(0, 1, bins + 1), np.zeros(bins, np.int64))
        counts, edges = np.zeros(bins, np.int64), np.zeros(0)
        for _, part in self._doubles():
            more, edges = np.histogram(part[np.isfinite(part)], bins, self.ends)
            counts += more
        return Histogram(edges, counts)

    def scored_box(self, row: int, col: int) -> Box:
        """The ground that the score at `(row, col)` was taken over."""
        rim = (self.grid.tile - self.window) // 2
        return self.grid.at(row, col).read.grow(-rim)
