"""The ground that was not scored, as GeoJSON polygons that can be scanned as areas."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from itertools import chain, pairwise
from typing import Any

import numpy as np

from dashboard.detector.areas.area_files import PIXELS
from dashboard.detector.georeference.geography import lonlat_crs
from dashboard.detector.products.finished import Finished
from dashboard.detector.scanning.coverage import Ring, Rings
from dashboard.detector.scenes.scene import Scene

STRAIGHT = 0.25  # px by which a side may leave the straight line between its ends in degrees
HALVINGS = 12  # of a side, at most


def coverage_geojson(finished: Finished, origin: Mapping[str, Any]) -> str:
    """A feature a reason, a MultiPolygon of the ground that was not scored for it.

    In areocentric degrees where the scene is georeferenced, else in its pixels, y down; the CRS is
    named. Longitudes go on beyond 0 and 360 where a polygon lies across.
    """
    scene, coverage = finished.scene, finished.coverage
    named = lonlat_crs(scene.crs) if scene.crs is not None else None
    found: dict[str, list[Any]] = {}
    for why, rings in coverage.unscored():
        placed = [_lonlats(scene, ring) for ring in rings] if named else rings
        if all(placed):
            found.setdefault(why, []).append(_rounded(_around_pole(placed)) if named else placed)
    features = [
        {
            "type": "Feature",
            "properties": {"scored": False, "why": why, "scene": scene.name},
            "geometry": {"type": "MultiPolygon", "coordinates": polygons},
        }
        for why, polygons in found.items()
    ]
    record = {
        "type": "FeatureCollection",
        "name": "not scored",
        "crs": {"type": "name", "properties": {"name": named or PIXELS}},
        "coverage": coverage.record(),
        "needle": origin,
        "features": features,
    }
    return json.dumps(record, allow_nan=False) + "\n"


def _rounded(rings: Rings) -> Rings:
    return [[(round(lon, 8), round(lat, 8)) for lon, lat in ring] for ring in rings]


def _lonlats(scene: Scene, ring: Ring) -> Ring:
    """A closed ring in degrees, with points between where its sides are curved there.

    Empty where a point of it has no place.
    """
    for _ in range(HALVINGS):
        degrees = _degrees(scene, ring)
        if not degrees:
            return []
        halves = [((x + u) / 2, (y + v) / 2) for (x, y), (u, v) in pairwise(ring)]
        chords = [((x + u) / 2, (y + v) / 2) for (x, y), (u, v) in pairwise(degrees)]
        straight = scene.pixels([lon for lon, _ in chords], [lat for _, lat in chords])
        curved = [
            seen is None or math.dist(half, seen) > STRAIGHT
            for half, seen in zip(halves, straight, strict=True)
        ]
        if not any(curved):
            break
        sides = zip(ring, halves, curved, strict=False)
        ring = [*chain.from_iterable([a, b] if bent else [a] for a, b, bent in sides), ring[-1]]
    return _degrees(scene, ring)


def _degrees(scene: Scene, ring: Ring) -> Ring:
    """The points of a ring in degrees, longitudes going on; none where one has no place."""
    places = scene.lonlats([x for x, _ in ring], [y for _, y in ring])
    known = [place for place in places if place is not None]
    if len(known) < len(ring):
        return []
    lons = np.unwrap([lon for lon, _ in known], period=360)
    lons -= 360 * np.floor((lons.min() + lons.max()) / 720)  # the middle is within 0 and 360
    return list(zip(lons.tolist(), (lat for _, lat in known), strict=True))


def _around_pole(rings: Rings) -> Rings:
    """A polygon's rings in degrees; one that goes round a pole is closed there.

    Its longitudes end a turn from where they begin: it goes on along the hole that holds the pole,
    the other way round, or where there is none, to the pole.
    """
    outer, *holes = rings
    if not _turns(outer):
        return rings
    inner = [hole for hole in holes if _turns(hole)]
    pole = math.copysign(90.0, sum(lat for _, lat in outer))
    (first, _), (last, _) = outer[0], outer[-1]
    back = _from(inner[0], last, first - last) if inner else [(last, pole), (first, pole)]
    return [[*outer, *back, outer[0]], *(hole for hole in holes if not _turns(hole))]


def _turns(ring: Ring) -> bool:
    """Whether a ring goes round a pole."""
    return abs(ring[-1][0] - ring[0][0]) > 180


def _from(ring: Ring, start: float, turn: float) -> Ring:
    """A ring round a pole begun by its point nearest to a longitude, a turn east or west."""
    if (ring[-1][0] - ring[0][0]) * turn < 0:
        ring = ring[::-1]
    turn = math.copysign(360.0, turn)
    aside = [abs(math.remainder(lon - start, 360)) for lon, _ in ring[:-1]]
    nearest = aside.index(min(aside))
    whole = [*ring[nearest:-1], *((lon + turn, lat) for lon, lat in ring[: nearest + 1])]
    turns = 360 * round((start - whole[0][0]) / 360)
    return [(lon + turns, lat) for lon, lat in whole]
