"""The ground that was not scored, as GeoJSON polygons that can be scanned as areas."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from dashboard.detector.areas.area_files import PIXELS
from dashboard.detector.georeference.geography import lonlat_crs
from dashboard.detector.products.finished import Finished
from dashboard.detector.scanning.coverage import Ring
from dashboard.detector.scenes.scene import Scene


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
            found.setdefault(why, []).append(placed)
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


def _lonlats(scene: Scene, ring: Ring) -> list[tuple[float, float]]:
    """A ring in degrees; empty where a point of it has none."""
    places = scene.lonlats([x for x, _ in ring], [y for _, y in ring])
    known = [place for place in places if place is not None]
    if len(known) < len(ring):
        return []
    lons = np.unwrap([lon for lon, _ in known], period=360)
    return [
        (round(float(lon), 8), round(lat, 8)) for lon, (_, lat) in zip(lons, known, strict=True)
    ]
