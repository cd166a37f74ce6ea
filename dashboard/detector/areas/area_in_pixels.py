"""Polygons in any CRS, laid over a scene: cut where its projection is, closed around a pole."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from rasterio import Affine
from rasterio.crs import CRS

from dashboard.detector.areas.area_files import DEGREES, Drawn, NoArea, Polygon, Ring
from dashboard.detector.georeference.bodies import known_body
from dashboard.detector.georeference.geography import body_of, lonlats
from dashboard.detector.scenes.scene import Scene

TURN = 360.0  # degrees
SEAM = 1.0  # degrees: what is drawn wider than a turn less this, lies across where numbers begin
STEP = 1.0  # degrees, along a side; longer sides are bent by projections
INSIDE = 1e-9  # degrees: at the very cut a projection turns to its other end
SAME_BODY = 0.02  # of the radius
CUT_AT = {
    "longlat",
    "eqc",
    "merc",
    "cea",
    "mill",
    "sinu",
    "moll",
    "robin",
    "eck4",
    "eck6",
    "eqearth",
}


def in_pixels(drawn: Drawn, scene: Scene) -> list[Polygon]:
    """The polygons in pixels of a scene that is georeferenced, those that are cut in their parts.

    Raises:
        NoArea: they lie on another body, or a point has no place in the scene's CRS.
    """
    assert scene.crs is not None
    if drawn.crs not in (None, DEGREES):
        _check_body(drawn, scene)
        if (
            CRS.from_wkt(drawn.crs) == CRS.from_wkt(scene.crs)
            and CRS.from_wkt(scene.crs).is_projected
        ):
            return [[_from_map(ring, scene) for ring in polygon] for polygon in drawn.polygons]
    found: list[Polygon] = []
    for polygon in drawn.polygons:
        degrees = [_degrees(ring, drawn.crs) for ring in polygon]
        if any(abs(lat) > 90 for ring in degrees for _, lat in ring):
            raise NoArea("a latitude in it is beyond 90 degrees")
        width = _width(degrees)
        if width > 4 * TURN:
            raise NoArea("its longitudes are no degrees")
        parts = _cut(_folded(degrees) if TURN - SEAM < width < TURN else degrees, scene)
        if width > TURN / 2 and not any(_touches(part, scene) for part in parts):
            parts = _cut(_folded(degrees), scene)  # drawn across where numbers begin anew
        found += parts
    return found


def _width(degrees: Polygon) -> float:
    lons = [lon for ring in degrees for lon, _ in ring]
    return max(lons) - min(lons)


def _folded(degrees: Polygon) -> Polygon:
    """The polygon the other way round its body: what lies in the east of it, a turn to the west."""
    middle = min(lon for ring in degrees for lon, _ in ring) + _width(degrees) / 2
    return [[(lon - TURN * (lon > middle), lat) for lon, lat in ring] for ring in degrees]


def _touches(part: Polygon, scene: Scene) -> bool:
    xs, ys = zip(*part[0], strict=True)
    return bool(max(xs) > 0 and min(xs) < scene.width and max(ys) > 0 and min(ys) < scene.height)


def _check_body(drawn: Drawn, scene: Scene) -> None:
    theirs, ours = body_of(str(drawn.crs)), body_of(str(scene.crs))
    if theirs is None or ours is None:
        raise NoArea(f"its CRS is {drawn.name}; give longitude and latitude in degrees")
    if abs(theirs.radius - ours.radius) > SAME_BODY * ours.radius:
        known = known_body(str(drawn.crs))
        where = known.name if known else f"a body of {theirs.radius / 1000:g} km"
        raise NoArea(
            f"its CRS {drawn.name} lies on another body ({where}); give one of the scene's"
        )


def _from_map(ring: Ring, scene: Scene) -> Ring:
    back = ~Affine(*scene.affine[:6])
    return [back @ point for point in ring]


def _degrees(ring: Ring, crs: str | None) -> Ring:
    """A ring in areocentric degrees, east-positive, its longitudes going on as it was drawn."""
    if crs in (None, DEGREES):
        return ring
    body = body_of(str(crs))
    places = lonlats(str(crs), [x for x, _ in ring], [y for _, y in ring])
    known = [place for place in places if place is not None]
    if body is None or len(known) < len(ring):
        raise NoArea("a point of it has no longitude and latitude")
    lats = [lat for _, lat in known]
    if body.crs.is_geographic:
        sign = -1 if body.westward else 1
        lons = [sign * x for x, _ in ring]
    else:
        lons = np.unwrap([lon for lon, _ in known], period=TURN).tolist()
    return list(zip(lons, lats, strict=True))


def _cut(degrees: Polygon, scene: Scene) -> list[Polygon]:
    """The parts of a polygon in degrees that lie in one turn of longitudes, in pixels."""
    lons = [lon for ring in degrees for lon, _ in ring]
    centre = _cut_opposite(scene)
    if centre is None:
        centre = (max(lons) + min(lons)) / 2
    first, last = centre - TURN / 2 + INSIDE, centre + TURN / 2 - INSIDE
    parts = []
    for turn in range(
        math.floor((first - max(lons)) / TURN), math.ceil((last - min(lons)) / TURN) + 1
    ):
        moved = [[(lon + turn * TURN, lat) for lon, lat in ring] for ring in degrees]
        cut = [_between(ring, first, last) for ring in moved]
        if len(cut[0]) >= 4:
            parts.append([_mapped(_divided(ring), scene) for ring in cut if len(ring) >= 4])
    return parts


def _cut_opposite(scene: Scene) -> float | None:
    """The longitude opposite to which the scene's projection is cut; None where nowhere."""
    crs = CRS.from_wkt(str(scene.crs))
    if crs.is_geographic:
        middle = scene.lonlat(scene.width / 2, scene.height / 2)
        return middle[0] if middle else 0.0
    told = crs.to_dict()
    return float(told.get("lon_0", 0.0)) if told.get("proj") in CUT_AT else None


def _between(ring: Ring, first: float, last: float) -> Ring:
    """A ring clipped to two longitudes; Sutherland and Hodgman 1974."""
    return _one_side(_one_side(ring, first, 1), last, -1)


def _one_side(ring: Ring, edge: float, sign: int) -> Ring:
    """A ring clipped to the east of a longitude, or to the west where the sign is -1."""
    inside = [sign * (lon - edge) >= 0 for lon, _ in ring]
    if all(inside) or not ring:
        return ring
    kept: Ring = []
    following = zip(ring[1:] + ring[:1], inside[1:] + inside[:1], strict=True)
    for (lon0, lat0), here, ((lon1, lat1), there) in zip(ring, inside, following, strict=True):
        if here:
            kept.append((lon0, lat0))
        if here != there:
            part = (edge - lon0) / (lon1 - lon0)
            kept.append((edge, lat0 + part * (lat1 - lat0)))
    return [*kept, kept[0]] if kept else []


def _divided(ring: Ring) -> Ring:
    """The ring with points between, so that no side is longer than a step."""
    found = [ring[0]]
    for (lon0, lat0), (lon1, lat1) in pairwise(ring):
        count = max(1, math.ceil(max(abs(lon1 - lon0), abs(lat1 - lat0)) / STEP - 1e-9))
        for part in (step / count for step in range(1, count + 1)):
            found.append((lon0 + part * (lon1 - lon0), lat0 + part * (lat1 - lat0)))
    return found


def _mapped(ring: Ring, scene: Scene) -> Ring:
    points = scene.pixels([lon for lon, _ in ring], [lat for _, lat in ring])
    if any(point is None for point in points):
        raise NoArea(f"a point of it has no place in {scene.name}; give it in pixels")
    return [point for point in points if point is not None]
