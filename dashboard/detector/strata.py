"""Kinds of ground, so that dunes are judged among dunes and dark ground among dark."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dashboard.detector.rules import Kinds
from dashboard.detector.scores import ScoreMap
from dashboard.detector.survey import CELL, Floats, Survey

ROUGHNESS = ("smooth", "fairly smooth", "fairly rough", "rough")  # parts of equal area
ROUGH, BRIGHT = len(ROUGHNESS), 2  # by roughness and by brightness: eight kinds
SURROUNDINGS = 11  # cells (176 px) that tell what is ordinary around a place
SAMPLE = 500_000  # positions that tell where the parts begin


def kinds_of_ground(scores: ScoreMap, survey: Survey) -> Kinds:
    """The kind of ground at each position of a score map, `[rows, cols]`.

    Ground is told apart by its roughness over some 180 px, and by whether it is brighter or darker
    than these surroundings where a score was taken.
    """
    kinds = _parts_of(roughness(survey), scores, ROUGH)
    kinds *= np.uint8(BRIGHT)
    kinds += _parts_of(contrast(survey), scores, BRIGHT)
    return kinds


def roughness_of(kinds: Kinds, row: int, col: int) -> str:
    """One of the `ROUGHNESS`: how rough the ground around a position is."""
    return ROUGHNESS[int(kinds[row, col]) // BRIGHT]


def roughness(survey: Survey) -> Floats:
    """Logarithm of the usual spread of DN around each cell."""
    usual = ndimage.median_filter(_filled(survey.spread), SURROUNDINGS, mode="nearest")
    return np.asarray(np.log(usual + np.float32(0.1)))


def contrast(survey: Survey) -> Floats:
    """How much brighter a cell is than its surroundings, in DN."""
    level = _filled(survey.level)
    return np.asarray(level - ndimage.median_filter(level, SURROUNDINGS, mode="nearest"))


def _filled(cells: Floats) -> Floats:
    """The map with its median where there is no ground."""
    known = np.isfinite(cells)
    return np.where(known, cells, np.median(cells[known]) if known.any() else 0)


def _parts_of(cells: Floats, scores: ScoreMap, parts: int) -> Kinds:
    """The part of equal area that each position lies in, from the lowest values up."""
    grid = scores.grid
    down, right = (
        (np.arange(count) * grid.stride + grid.tile / 2) / CELL - 0.5
        for count in (grid.rows, grid.cols)
    )
    across = _between(cells.T, right).T  # of a whole scene, the full map would take 292 MB
    every = slice(None, None, max(1, scores.values.size // SAMPLE))
    sample = _between(across, down[every])[np.isfinite(scores.values[every])]
    kinds = np.zeros(scores.values.shape, np.uint8)
    if len(sample):
        edges = np.quantile(sample, np.linspace(0, 1, parts + 1)[1:-1]).astype(np.float32)
        for rows, _ in scores.parts():
            values = _between(across, down[rows])
            for edge in edges:
                kinds[rows] += values >= edge
    return kinds


def _between(cells: Floats, places: NDArray[np.float64]) -> Floats:
    """Rows interpolated at fractional places."""
    low = np.clip(np.floor(places).astype(np.intp), 0, len(cells) - 1)
    high = np.minimum(low + 1, len(cells) - 1)
    part = np.clip(places - low, 0, 1).astype(np.float32)[:, None]
    return np.asarray(cells[low] * (1 - part) + cells[high] * part, np.float32)
