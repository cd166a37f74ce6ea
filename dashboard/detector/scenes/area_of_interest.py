"""An area of interest: polygons in pixels of the scene, from a box in words or from GeoJSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.features import geometry_mask

from dashboard.detector.errors import OptionError
from dashboard.detector.scenes.scene import Scene
from dashboard.detector.tiling import Box, Grid

PIXELS = "pixels"  # the CRS of our own: pixels of the scene, y down
LONLATS = (
    None,
    "urn:ogc:def:crs:IAU:2015:49900",
    "urn:ogc:def:crs:OGC:1.3:CRS84",
)  # the last is what QGIS writes

# What reading a file as GeoJSON raises where it is something else: nested without end, numbers of
# hundreds of digits, no text.
NOT_GEOJSON = (
    OSError,
    ValueError,
    ArithmeticError,
    RecursionError,
    LookupError,
    TypeError,
    AttributeError,
)

FARTHEST = 1e9  # px or degrees, of a point

Ring = list[tuple[float, float]]


@dataclass(frozen=True)
class Region:
    """Where a scan looks: `text` is a GeoJSON MultiPolygon in pixels of the scene."""

    text: str

    @classmethod
    def of(cls, area: str, scene: Scene, files: bool = True) -> Region:
        """The area of interest that a user means.

        Args:
            area: a box `x_min,y_min,x_max,y_max` in pixels of the scene, the path of a GeoJSON
                file, or GeoJSON itself; polygons in areocentric degrees where the scene is
                georeferenced, else, or where the CRS is named `pixels`, in pixels.
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
            polygons = _from_geojson(area, scene)
        record = {"type": "MultiPolygon", "crs": _named(PIXELS), "coordinates": polygons}
        region = cls(json.dumps(record, separators=(",", ":")))
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
        shapes = [{"type": "Polygon", "coordinates": one} for one in self.polygons]
        return np.asarray(geometry_mask(shapes, shape, place, invert=True))


def _box(area: str) -> list[list[Ring]] | None:
    """The one polygon of a box in words; None where these are other words."""
    try:
        left, top, right, bottom = (float(edge) for edge in area.split(","))
    except ValueError:
        return None
    if not (
        left < right
        and top < bottom
        and all(abs(edge) < FARTHEST for edge in (left, top, right, bottom))
    ):
        raise OptionError(f"the area {area[:80]} holds no pixel; give x_min,y_min,x_max,y_max")
    return [[[(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]]]


def _from_geojson(area: str, scene: Scene) -> list[list[Ring]]:
    shown = area if len(area) < 80 else "the area"
    try:
        text = area if area.lstrip().startswith("{") else Path(area).read_text(encoding="utf-8")
        record = json.loads(text)
        found = [_ring_points(polygon) for polygon in _polygons(record)]
        named = record.get("crs", {}).get("properties", {}).get("name")
    except NOT_GEOJSON as error:
        why = str(error).partition("\n")[0][:200]
        raise OptionError(
            f"{shown}: no box x_min,y_min,x_max,y_max and no GeoJSON with polygons ({why})"
        ) from error
    if not found:
        raise OptionError(f"{shown}: holds no polygon; draw one around what is to be scanned")
    if named == PIXELS or (named is None and scene.crs is None):
        return found
    if named not in LONLATS:
        raise OptionError(f"{shown}: its CRS is {named}; give longitude and latitude in degrees")
    return [[_in_pixels(ring, scene, shown) for ring in polygon] for polygon in found]


def _polygons(record: Mapping[str, Any]) -> Iterator[list[Any]]:
    """The coordinates of every polygon in a GeoJSON object, whatever holds them."""
    kind = record["type"]
    if kind == "FeatureCollection":
        for feature in record["features"]:
            yield from _polygons(feature)
    elif kind == "Feature":
        yield from _polygons(record["geometry"])
    elif kind == "GeometryCollection":
        for geometry in record["geometries"]:
            yield from _polygons(geometry)
    elif kind == "MultiPolygon":
        yield from record["coordinates"]
    elif kind == "Polygon":
        yield record["coordinates"]


def _ring_points(polygon: list[Any]) -> list[Ring]:
    rings = [[(float(point[0]), float(point[1])) for point in ring] for ring in polygon]
    finite = all(abs(value) < FARTHEST for ring in rings for point in ring for value in point)
    if not (rings and finite and all(len(ring) >= 4 for ring in rings)):
        raise ValueError("a polygon needs rings of four points and more")
    return rings


def _in_pixels(ring: Ring, scene: Scene, shown: str) -> Ring:
    points = scene.pixels([lon for lon, _ in ring], [lat for _, lat in ring])
    if any(point is None for point in points):
        raise OptionError(f"{shown}: a point of it has no place in {scene.name}; give it in pixels")
    return [point for point in points if point is not None]


def _named(crs: str) -> dict[str, Any]:
    return {"type": "name", "properties": {"name": crs}}
