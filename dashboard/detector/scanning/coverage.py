"""How much of a scene's ground was scored, and where the rest lies and why."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from rasterio import Affine
from rasterio.features import geometry_mask, shapes

from dashboard.detector.areas.area_of_interest import Region
from dashboard.detector.arrays import Floats, Kinds, Mask
from dashboard.detector.scanning.score_map import ScoreMap
from dashboard.detector.scenes.scene import Scene

CELLS = 1024  # along the longer side of the map of what was not scored
CHUNK = 1 << 24  # scores counted at a time
SCORED, MARGIN, NODATA, OUTSIDE = range(4)  # of a cell; scored, or nothing to score
WHY = {
    MARGIN: "border of the picture",
    NODATA: "beside nodata",
    OUTSIDE: "outside the area of interest",
}

Ring = list[tuple[float, float]]  # px of the scene
Rings = list[Ring]  # of one polygon, the outer first


@dataclass(frozen=True)
class Coverage:
    """The part of a scene's ground that was scored, and why the rest was not."""

    scene: Scene
    scores: ScoreMap
    region: Region | None = None

    @property
    def side(self) -> int:
        """Pixels along the ground that one score speaks for."""
        return min(self.scores.grid.stride, self.scores.window)

    @property
    def margin(self) -> float:
        """Pixels along every border of the picture that no score speaks for."""
        return (self.scores.grid.tile - self.side) / 2

    @cached_property
    def part(self) -> float:
        """The part of the ground that was scored, 0 to 1."""
        ground = self.scene.valid_fraction * self.scene.width * self.scene.height
        return min(1.0, self.scores.scored * self.side**2 / ground) if ground else 0.0

    @property
    def words(self) -> str:
        """In a few words, for people."""
        said = f"{self.part:.1%} of the ground was scored"
        return f"{said}, in the area of interest alone" if self.region else said

    def record(self) -> dict[str, Any]:
        """For `run.json`."""
        return {
            "scored_part_of_ground": round(self.part, 6),
            "unscored_margin_px": self.margin,
            "area_of_interest_alone": self.region is not None,
        }

    def unscored(self) -> Iterator[tuple[str, Rings]]:
        """The ground that was not scored: why, and a polygon of it in px of the scene."""
        step = self._together * self.scores.grid.stride
        left = self._before * step - self.scores.grid.origin
        place = Affine(step, 0, -left, 0, step, -left)
        cells = self._cells(place)
        ends = (self.scene.width, self.scene.height)
        for shape, kind in shapes(cells, cells != SCORED, connectivity=4, transform=place):
            rings = [[_within(point, ends) for point in ring] for ring in shape["coordinates"]]
            yield WHY[int(kind)], rings

    @property
    def _together(self) -> int:
        """Positions along a cell, so that there are not too many."""
        longer = max(self.scene.width, self.scene.height)
        return max(1, math.ceil(longer / self.scores.grid.stride / CELLS))

    @property
    def _before(self) -> int:
        """Cells to the left of the first position, and above it."""
        step = self._together * self.scores.grid.stride
        return math.ceil(max(0.0, self.scores.grid.origin) / step)

    def _cells(self, place: Affine) -> Kinds:
        """The kind of each cell, `[rows, cols]` over the whole scene: scored, or why not."""
        scored = _shares(self.scores, self._together)
        step, corner = place.a, place.c
        wide, high = (
            max(math.ceil((end - corner) / step), self._before + len_)
            for end, len_ in zip(
                (self.scene.width, self.scene.height), scored.shape[::-1], strict=True
            )
        )
        cells = np.full((high, wide), MARGIN, np.uint8)
        inner = cells[self._before :, self._before :][: scored.shape[0], : scored.shape[1]]
        inner[...] = np.where(scored >= 0.5, SCORED, NODATA)
        if self.region:
            polygons = [{"type": "Polygon", "coordinates": rings} for rings in self.region.polygons]
            outside = geometry_mask(polygons, cells.shape, place)
            cells[outside & (cells != SCORED)] = OUTSIDE
        cells[~self._ground(place, cells.shape)] = SCORED
        return cells

    def _ground(self, place: Affine, shape: tuple[int, ...]) -> Mask:
        """True where the middle of a cell lies on ground."""
        seen = self.scene.overview(2 * CELLS).valid
        found = []
        for count, corner, end, size in (
            (shape[0], place.f, self.scene.height, seen.shape[0]),
            (shape[1], place.c, self.scene.width, seen.shape[1]),
        ):
            first = np.clip(corner + place.a * np.arange(count), 0, end)
            last = np.clip(corner + place.a * np.arange(1, count + 1), 0, end)
            found.append(np.minimum((first + last) / 2 / end * size, size - 1).astype(np.intp))
        return np.asarray(seen[np.ix_(*found)])


def _shares(scores: ScoreMap, together: int) -> Floats:
    """The share of positions that were scored in each cell of so many by so many."""
    rows, cols = scores.values.shape
    lefts = np.arange(0, cols, together)
    lines = max(1, CHUNK // cols // together) * together
    found = []
    for top in range(0, rows, lines):
        part = np.isfinite(scores.values[top : top + lines])
        sums = np.add.reduceat(part, lefts, axis=1, dtype=np.float32)
        tops = np.arange(0, len(part), together)
        counts = np.diff(tops, append=len(part))[:, None] * np.diff(lefts, append=cols)
        found.append(np.add.reduceat(sums, tops, axis=0) / counts)
    return np.concatenate(found).astype(np.float32)


def _within(point: tuple[float, float], ends: tuple[int, int]) -> tuple[float, float]:
    x, y = (min(max(0.0, float(value)), float(end)) for value, end in zip(point, ends, strict=True))
    return x, y
