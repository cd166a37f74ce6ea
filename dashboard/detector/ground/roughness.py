"""How rough the ground around a place is, beside the rest of its scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from dashboard.detector.arrays import Doubles, Floats
from dashboard.detector.scanning.score_map import ScoreMap
from dashboard.detector.scenes.survey import CELL, Survey
from dashboard.detector.tiling import Grid

ROUGHNESS = ("smooth", "fairly smooth", "fairly rough", "rough")  # parts of equal area
COARSE = 2  # cells of the survey along a side of those in which roughness is told
SURROUNDINGS = 5  # such cells (160 px) that tell what is ordinary around a place
SAMPLE = 500_000  # positions that tell where the parts begin


@dataclass(frozen=True, eq=False)
class Roughness:
    """The roughness of a scene, told apart in parts of equal area."""

    grid: Grid
    cells: Floats  # logarithm of the usual spread of DN around each cell
    edges: Doubles  # where the parts but the first begin

    @classmethod
    def of(cls, scores: ScoreMap, survey: Survey) -> Roughness:
        """The roughness of what is scored of a scene."""
        spread = _coarse(_filled(survey.cells["spread"]))
        usual = ndimage.median_filter(spread, SURROUNDINGS, mode="nearest")
        cells = np.asarray(np.log(usual + np.float32(0.1)))
        every = max(1, int(np.sqrt(scores.values.size / SAMPLE)))
        rows, cols = (np.arange(0, length, every) for length in scores.values.shape)
        scored = np.isfinite(scores.values[::every, ::every])
        found = _at(cells, scores.grid, *np.meshgrid(rows, cols, indexing="ij"))[scored]
        parts = np.linspace(0, 1, len(ROUGHNESS) + 1)[1:-1]
        return cls(scores.grid, cells, np.quantile(found, parts) if len(found) else parts)

    def word(self, row: int, col: int) -> str:
        """One of the `ROUGHNESS`: how rough the ground around a position is."""
        here = _at(self.cells, self.grid, np.array([row]), np.array([col]))
        return ROUGHNESS[int(np.searchsorted(self.edges, here[0], side="right"))]


def _at(cells: Floats, grid: Grid, rows: np.ndarray, cols: np.ndarray) -> Floats:
    """Cells interpolated at positions of a grid."""
    side = COARSE * CELL
    places = [(part * grid.stride + grid.tile / 2) / side - 0.5 for part in (rows, cols)]
    return np.asarray(ndimage.map_coordinates(cells, places, order=1, mode="nearest"))


def _coarse(cells: Floats) -> Floats:
    """Means of `COARSE` x `COARSE` cells, of which the last may go on as they end."""
    rows, cols = (-length % COARSE for length in cells.shape)
    whole = np.pad(cells, ((0, rows), (0, cols)), "edge")
    down, across = (length // COARSE for length in whole.shape)
    return np.asarray(whole.reshape(down, COARSE, across, COARSE).mean(axis=(1, 3)), np.float32)


def _filled(cells: Floats) -> Floats:
    """The map with its median where there is no ground."""
    known = np.isfinite(cells)
    return np.where(known, cells, np.median(cells[known]) if known.any() else 0)
