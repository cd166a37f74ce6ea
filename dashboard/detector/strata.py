"""Kinds of ground, so that dunes are judged among dunes and dark ground among dark."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dashboard.detector.rules import Kinds
from dashboard.detector.scores import ScoreMap
from dashboard.detector.survey import CELL, Floats, Survey

ROUGH, BRIGHT = 4, 2  # parts of equal area, by roughness and by brightness: eight kinds
SURROUNDINGS = 11  # cells (176 px) that tell what is ordinary around a place
SAMPLE = 500_000  # positions that tell where the parts begin


def kinds_of_ground(scores: ScoreMap, survey: Survey) -> Kinds:
    """The kind of ground at each position of a score map, `[rows, cols]`.

    Ground is told apart by its roughness over some 180 px, and by how much brighter or darker than
    these surroundings it is where a score was taken.
    """
    rough, bright = roughness(survey), contrast(survey)
    first = _parts_of(_at(rough, scores), scores, ROUGH)
    first *= np.uint8(BRIGHT)
    return first + _parts_of(_at(bright, scores), scores, BRIGHT)


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


def _at(cells: Floats, scores: ScoreMap) -> Floats:
    """The map between its cells, at the middles of the positions, `[rows, cols]`."""
    grid = scores.grid
    down, right = (
        (np.arange(count, dtype=np.float32) * grid.stride + grid.tile / 2) / CELL - 0.5
        for count in (grid.rows, grid.cols)
    )
    return _between(_between(cells, down).T, right).T


def _between(cells: Floats, places: NDArray[Any]) -> Floats:
    """Rows interpolated at fractional places."""
    low = np.clip(np.floor(places).astype(np.intp), 0, len(cells) - 1)
    high = np.minimum(low + 1, len(cells) - 1)
    part = np.clip(places - low, 0, 1).astype(np.float32)[:, None]
    return np.asarray(cells[low] * (1 - part) + cells[high] * part, np.float32)


def _parts_of(values: Floats, scores: ScoreMap, parts: int) -> Kinds:
    """The part of equal area that each position lies in, from the lowest values up."""
    step = max(1, values.size // SAMPLE)
    sample = values.reshape(-1)[::step]
    sample = sample[np.isfinite(scores.values.reshape(-1)[::step])]
    found = np.zeros(values.shape, np.uint8)
    if len(sample):
        for edge in np.quantile(sample, np.linspace(0, 1, parts + 1)[1:-1]):
            found += values >= np.float32(edge)
    return found
