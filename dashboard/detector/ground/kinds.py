"""Kinds of ground, so that dunes are judged among dunes and dark things among dark.

Where a scene is full of dark spots, a network that has learned otherwise finds too much in them;
mean and deviation of places of one polarity, on ground as rough, make up for a part of that.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dashboard.detector.arrays import Floats, Kinds
from dashboard.detector.ground.survey import CELL, SPOTS, Survey
from dashboard.detector.scanning.score_map import ScoreMap

ROUGHNESS = ("smooth", "fairly smooth", "fairly rough", "rough")  # parts of equal area
ROUGH, BRIGHT = len(ROUGHNESS), 2  # by roughness and by polarity: eight kinds
SURROUNDINGS = 11  # cells (176 px) that tell what is ordinary around a place
SAMPLE = 500_000  # positions that tell where the parts begin


def kinds_of_ground(scores: ScoreMap, survey: Survey) -> Kinds:
    """The kind of ground at each position of a score map, `[rows, cols]`.

    Ground is told apart by its roughness over some 180 px, and by whether the place that a position
    belongs to is brighter or darker than what is around it.
    """
    kinds = _parts_of(roughness(survey), scores, ROUGH)
    kinds *= np.uint8(BRIGHT)
    for rows, brighter in _brighter(scores, survey):
        kinds[rows] += brighter
    return kinds


def roughness_of(kinds: Kinds, row: int, col: int) -> str:
    """One of the `ROUGHNESS`: how rough the ground around a position is."""
    return ROUGHNESS[int(kinds[row, col]) // BRIGHT]


def roughness(survey: Survey) -> Floats:
    """Logarithm of the usual spread of DN around each cell."""
    usual = ndimage.median_filter(_filled(survey.spread), SURROUNDINGS, mode="nearest")
    return np.asarray(np.log(usual + np.float32(0.1)))


def _brighter(scores: ScoreMap, survey: Survey) -> Iterator[tuple[slice, NDArray[np.bool_]]]:
    """Whether the place that a position belongs to is brighter than what is around it, `[n, cols]`.

    Some rows at a time. Of all positions whose windows overlap, that with the highest score
    decides, and the strongest spot there: what lies beside a dark spot is no bright place.
    """
    grid, side = scores.grid, 2 * scores.reach + 1
    spot = np.pad(np.nan_to_num(survey.spot), ((0, 1), (0, 1)))
    down, right = (
        np.clip((np.arange(count) * grid.stride + grid.tile / 2) / SPOTS.cell - 0.5, 0, length - 2)
        for count, length in zip((grid.rows, grid.cols), spot.shape, strict=True)
    )
    down, right = down.astype(np.intp), right.astype(np.intp)  # first of the two cells around
    for rows, part in scores.parts():
        near = slice(max(0, rows.start - scores.reach), rows.start + len(part) + scores.reach)
        values, first = scores.values[near], down[near][0]
        four = _strongest_of_four(spot[first : down[near][-1] + 2])
        bright = four[down[near] - first][:, right] >= 0
        by_bright, by_dark = (
            ndimage.maximum_filter(np.where(np.isfinite(values) & one, values, -np.inf), side)
            for one in (bright, ~bright)
        )
        own = slice(rows.start - near.start, rows.start - near.start + len(part))
        yield rows, by_bright[own] >= by_dark[own]


def _strongest_of_four(spot: Floats) -> Floats:
    """The strongest spot in each square of four cells, `[h - 1, w - 1]` of `[h, w]`."""
    for one, other in (
        (np.s_[:-1], np.s_[1:]),
        (np.s_[:, :-1], np.s_[:, 1:]),
    ):
        spot = np.where(np.abs(spot[one]) >= np.abs(spot[other]), spot[one], spot[other])
    return spot


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
