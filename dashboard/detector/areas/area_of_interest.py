"""An area of interest: polygons in pixels of the scene, from a box in words or from GeoJSON."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.features import geometry_mask

from dashboard.detector.areas.area_files import (
    FARTHEST,
    PIXELS,
    NoArea,
    Polygon,
    Ring,
    geojson,
    read_area,
)
from dashboard.detector.areas.area_in_pixels import in_pixels
from dashboard.detector.errors import OptionError
from dashboard.detector.scenes.scene import Scene
from dashboard.detector.tiling import Box, Grid


@dataclass(frozen=True)
class Region:
    """Where a scan looks: `text` is a GeoJSON MultiPolygon in pixels of the scene."""

    text: str

    @classmethod
    def of(cls, area: str, scene: Scene, files: bool = True) -> Region:
        """The area of interest that a user means.

        Args:
            area: a box `x_min,y_min,x_max,y_max` in pixels of the scene, the path of a GeoJSON or
                GeoPackage, or GeoJSON itself; polygons in the CRS that it names, else in
                areocentric degrees where the scene is georeferenced, else in pixels.
            files: a path may be given; not by one who sits before a browser.

        Raises:
            OptionError: it is none of these, or does not touch the scene.
        """
        polygons = _box(area)
        if polygons is None:
            if not (files or area.lstrip().startswith("{")):
                raise OptionError(
                    "the area is no box x_min,y_min,x_max,y_max and no GeoJSON; "
                    "give one of them, or nothing for the whole scene"
                )
            polygons = _polygons_of(area, scene)
        record = {"type": "MultiPolygon", "crs": _named(PIXELS), "coordinates": polygons}
        region = cls(json.dumps(record, separators=(",", ":"), allow_nan=False))
        if not region.bounds.overlaps(Box(0, 0, scene.width, scene.height)):
            raise OptionError(
                f"the area of interest lies outside {scene.name} "
                f"({scene.width} x {scene.height} px); {tuple(region.bounds)} in its pixels"
            )
        return region

    @cached_property
    def polygons(self) -> list[list[Ring]]:
        return json.loads(self.text)["coordinates"]  # type: ignore[no-any-return]

    @cached_property
    def bounds(self) -> Box:
        """The pixels that the polygons touch."""
        points = [point for polygon in self.polygons for point in polygon[0]]
        xs, ys = zip(*points, strict=True)
        return Box(math.floor(min(xs)), math.floor(min(ys)), math.ceil(max(xs)), math.ceil(max(ys)))

    def touches(self, grid: Grid, part: tuple[slice, slice]) -> bool:
        """False where certainly none of these positions of the grid lies inside."""
        rows, cols = part
        first, last = grid.at(rows.start, cols.start), grid.at(rows.stop - 1, cols.stop - 1)
        return self.bounds.overlaps(Box(*first.read[:2], *last.read[2:]))

    def inside(self, grid: Grid, part: tuple[slice, slice]) -> NDArray[np.bool_]:
        """Which of these positions of the grid lie inside: the middles of their tiles do."""
        rows, cols = part
        shape = (rows.stop - rows.start, cols.stop - cols.start)
        if not self.touches(grid, part):
            return np.zeros(shape, bool)
        step, start = grid.stride, grid.origin
        place = Affine(step, 0, start + cols.start * step, 0, step, start + rows.start * step)
        shapes = [{"type": "Polygon", "coordinates": rings} for rings in self.polygons]
        return np.asarray(geometry_mask(shapes, shape, place, invert=True))


def _box(area: str) -> list[list[Ring]] | None:
    """The one polygon of a box in words; None where these are other words."""
    try:
        left, top, right, bottom = (float(edge) for edge in area.split(","))
    except ValueError:
        return None
    edges = (left, top, right, bottom)
    if not (left < right and top < bottom and all(abs(edge) < FARTHEST for edge in edges)):
        raise OptionError(f"the area {area[:80]} holds no pixel; give x_min,y_min,x_max,y_max")
    return [[[(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]]]


def _polygons_of(area: str, scene: Scene) -> list[Polygon]:
    """The polygons of a file, or of GeoJSON itself, in pixels of the scene."""
    shown = area if len(area) < 80 and area.isprintable() else "the area"
    try:
        drawn = geojson(area) if area.lstrip().startswith("{") else read_area(Path(area))
        if not drawn.polygons:
            raise NoArea("holds no polygon; draw one around what is to be scanned")
        if drawn.crs == PIXELS or (drawn.crs is None and scene.crs is None):
            turn = -1 if drawn.downward else 1
            return [
                [[(x, turn * y) for x, y in ring] for ring in rings] for rings in drawn.polygons
            ]
        if scene.crs is None:
            raise NoArea(f"its CRS is {drawn.name}, but {scene.name} has none; give it in pixels")
        found = in_pixels(drawn, scene)
        if not found:
            raise NoArea("lies outside the scene")
        return found
    except NoArea as error:
        raise OptionError(f"{shown}: {error}") from error


def _named(crs: str) -> dict[str, Any]:
    return {"type": "name", "properties": {"name": crs}}
