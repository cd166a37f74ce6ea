"""From scores to places: threshold, grouping of overlapping tiles, ranking."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from dashboard.detector.errors import OptionError
from dashboard.detector.scene import Scene
from dashboard.detector.scores import ScoreMap
from dashboard.detector.tiling import Box


@dataclass(frozen=True, slots=True)
class FlaggedTile:
    """A tile whose score lies beyond the threshold."""

    row: int
    col: int
    box: Box  # what the network read
    score: float
    sigma: float


@dataclass(frozen=True, slots=True)
class Detection:
    """One place: the strongest of the flagged tiles whose scored windows overlap there."""

    rank: int  # 1 is the strongest
    sigma: float
    score: float
    x: float  # px of the scene
    y: float
    box: Box  # the scored window of the strongest tile
    row: int
    col: int
    tiles: int  # flagged tiles grouped here
    lon: float | None = None  # degrees, areocentric, east-positive, 0 to 360
    lat: float | None = None


def flagged(scores: ScoreMap, sigma: float) -> list[FlaggedTile]:
    """The tiles beyond `sigma` standard deviations above the mean, strongest first."""
    rows, cols = np.nonzero(scores.values > scores.at(sigma))
    order = np.argsort(-scores.values[rows, cols], kind="stable")
    return [
        FlaggedTile(
            row,
            col,
            scores.grid.at(row, col).read,
            float(scores.values[row, col]),
            float(scores.sigma[row, col]),
        )
        for row, col in zip(rows[order].tolist(), cols[order].tolist(), strict=True)
    ]


def find(
    scores: ScoreMap, sigma: float = 3.0, top: int | None = None, scene: Scene | None = None
) -> list[Detection]:
    """The detections, strongest first, each one place.

    A tile whose scored window overlaps that of a stronger detection belongs to it (greedy
    non-maximum suppression), so that a detection never stretches beyond one scored window.

    Args:
        sigma: the threshold in standard deviations above the mean.
        top: give the `top` strongest candidates instead, whatever their sigma.
        scene: adds longitude and latitude where it has a coordinate reference system.
    """
    if top is not None and top < 1:
        raise OptionError(f"top is {top}; it must be at least 1")
    threshold = -np.inf if top is not None else scores.at(sigma)
    found = []
    for rank, (row, col, tiles) in enumerate(_peaks(scores, threshold, top), start=1):
        found.append(_detection(scores, rank, row, col, tiles))
    return [_placed(detection, scene) for detection in found] if scene else found


def _peaks(scores: ScoreMap, threshold: float, limit: int | None) -> Iterator[tuple[int, int, int]]:
    """`(row, col, flagged tiles grouped)` of each peak above the threshold, strongest first."""
    with np.errstate(invalid="ignore"):
        free = scores.values > threshold
    reach = -(-scores.window // scores.grid.stride) - 1  # cells whose windows overlap
    rows, cols = np.nonzero(free)
    order = np.argsort(-scores.values[rows, cols], kind="stable")
    given = 0
    for row, col in zip(rows[order].tolist(), cols[order].tolist(), strict=True):
        if not free[row, col]:
            continue
        near = free[max(0, row - reach) : row + reach + 1, max(0, col - reach) : col + reach + 1]
        yield row, col, int(near.sum())
        near[:] = False
        given += 1
        if given == limit:
            return


def _detection(scores: ScoreMap, rank: int, row: int, col: int, tiles: int) -> Detection:
    box = scores.scored_box(row, col)
    x, y = box.centre
    return Detection(
        rank=rank,
        sigma=float(scores.sigma[row, col]),
        score=float(scores.values[row, col]),
        x=x,
        y=y,
        box=box,
        row=row,
        col=col,
        tiles=tiles,
    )


def _placed(detection: Detection, scene: Scene) -> Detection:
    place = scene.lonlat(detection.x, detection.y)
    return replace(detection, lon=place[0], lat=place[1]) if place else detection
