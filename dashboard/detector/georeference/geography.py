"""Longitude and latitude on the body that a scene's own CRS describes."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from rasterio.crs import CRS
from rasterio.warp import transform

from dashboard.detector.georeference.bodies import ELLIPSOID, known_body
from dashboard.detector.system.gdal_errors import GDAL_ERRORS

Affine6 = tuple[float, float, float, float, float, float]

_NAME = re.compile(r'^\s*\w+\["([^"]*)"')
_BASE = re.compile(r'(?:GEOGCS|GEOGCRS|GEODCRS|BASEGEOGCRS|BASEGEODCRS)\["([^"]*)"')
_WEST = re.compile(r'AXIS\["[^"]*",\s*west', re.IGNORECASE)
_EARTH = (6.3e6, 6.4e6)  # metres; the Earth's latitudes are geodetic everywhere else, so here too
_TARGET = (
    'GEOGCS["{name}",DATUM["{name}",SPHEROID["{name}",{a!r},{f!r}]],PRIMEM["0",0],'
    'UNIT["degree",0.0174532925199433]]'
)


@dataclass(frozen=True)
class Body:
    """The body that a CRS lies on: its radius, flattening and direction of longitudes."""

    crs: CRS
    geographic: CRS  # plain longitude (east-positive) and latitude on the same ellipsoid
    radius: float  # metres, equatorial
    squeeze: float  # (1 - e^2), which turns the tangent of a graphic latitude into the centric one
    westward: bool  # a geographic CRS whose longitudes grow to the west


@lru_cache(maxsize=64)
def body_of(wkt: str) -> Body | None:
    """The body of a CRS; None where the CRS names none (a local or engineering CRS)."""
    try:
        crs = CRS.from_wkt(wkt)
        text = crs.to_wkt()
        found = ELLIPSOID.search(text)
        if not found:
            return None
        radius, inverse = float(found[1]), float(found[2])
        target = CRS.from_wkt(_TARGET.format(name="body", a=radius, f=inverse))
    except (*GDAL_ERRORS, ValueError):
        return None
    flattening = 1 / inverse if inverse else 0.0
    base = _BASE.search(text)
    # On an areocentric base, PROJ's projections hand back what was put in: a centric latitude. So
    # do its geographic systems in the older WKT; in WKT2 they come back graphic.
    centric = bool(base and re.search("ocentric|planetocentric", base[1], re.IGNORECASE))
    untouched = crs.is_projected or _hands_back(crs, target)
    keep = (centric and untouched) or _EARTH[0] < radius < _EARTH[1]
    squeeze = 1.0 if keep else (1 - flattening) ** 2
    westward = bool(crs.is_geographic and _WEST.search(text))
    return Body(crs, target, radius, squeeze, westward)


def _hands_back(crs: CRS, target: CRS, probe: float = 45.0) -> bool:
    """True where PROJ leaves a latitude of a geographic CRS as it is."""
    try:
        (lat,) = transform(crs, target, [0.0], [probe])[1]
    except GDAL_ERRORS:
        return False
    return bool(abs(lat - probe) < 1e-6)


def lonlat_crs(wkt: str) -> str | None:
    """The name of the CRS that `lonlats` of a CRS are in; None where the CRS has none.

    In the catalogue's name, which GDAL and QGIS resolve, where the body is a known one; else as
    WKT, which they take as well.
    """
    body = body_of(wkt)
    if body is None:
        return None
    known = known_body(wkt)
    if known:
        return known.crs_name
    base = _BASE.search(wkt)
    name = base[1] if base and base[1] else "unknown body"
    # A sphere: on an ellipsoid these latitudes, areocentric, would be taken for graphic ones.
    return _TARGET.format(name=name, a=body.radius, f=0.0)


def lonlat(wkt: str, x: float, y: float) -> tuple[float, float] | None:
    """Areocentric longitude and latitude in degrees of a point in map units; see `lonlats`."""
    return lonlats(wkt, [x], [y])[0]


def lonlats(wkt: str, xs: Sequence[float], ys: Sequence[float]) -> list[tuple[float, float] | None]:
    """Areocentric longitudes and latitudes in degrees of points in map units.

    Longitudes are east-positive, 0 to 360. On the Earth latitudes stay geodetic.

    Args:
        wkt: the scene's CRS.
        xs: eastings, westings or longitudes, as the CRS has them.
        ys: northings or latitudes.

    Returns:
        None where the CRS has no longitudes, or none at this point.
    """
    body = body_of(wkt)
    if body is None or not xs:
        return [None] * len(xs)
    # PROJ takes latitude first where longitudes grow to the west.
    given = (ys, xs) if body.westward else (xs, ys)
    try:
        lons, lats = transform(body.crs, body.geographic, *given)[:2]
    except GDAL_ERRORS:
        # One point that cannot be projected fails all of them.
        if len(xs) == 1:
            return [None]
        return [lonlat(wkt, x, y) for x, y in zip(xs, ys, strict=True)]
    return [_centric(body, lon, lat) for lon, lat in zip(lons, lats, strict=True)]


def from_lonlats(
    wkt: str, lons: Sequence[float], lats: Sequence[float]
) -> list[tuple[float, float] | None]:
    """Points in map units of areocentric longitudes and latitudes in degrees: `lonlats` undone.

    Returns:
        None where the CRS has no longitudes, or the point no place in it.
    """
    body = body_of(wkt)
    if body is None or not lons:
        return [None] * len(lons)
    graphic = [_graphic(body, lat) for lat in lats]
    try:
        given = transform(body.geographic, body.crs, lons, graphic)[:2]
    except GDAL_ERRORS:
        if len(lons) == 1:
            return [None]
        return [from_lonlats(wkt, [lon], [lat])[0] for lon, lat in zip(lons, lats, strict=True)]
    xs, ys = reversed(given) if body.westward else given
    finite = [math.isfinite(x) and math.isfinite(y) for x, y in zip(xs, ys, strict=True)]
    return [(x, y) if ok else None for x, y, ok in zip(xs, ys, finite, strict=True)]


def _graphic(body: Body, lat: float) -> float:
    if abs(lat) >= 90:
        return lat
    return math.degrees(math.atan(math.tan(math.radians(lat)) / body.squeeze))


def _centric(body: Body, lon: float, lat: float) -> tuple[float, float] | None:
    if not (math.isfinite(lon) and math.isfinite(lat)):
        return None
    if abs(lat) < 90:
        lat = math.degrees(math.atan(body.squeeze * math.tan(math.radians(lat))))
    # The modulo of a tiny negative number is 360.0 itself.
    return (lon % 360.0) % 360.0, lat


def pixel_size(wkt: str, affine: Affine6) -> float | None:
    """Metres a pixel, the geometric mean of both directions; None where the CRS has no metres."""
    body = body_of(wkt)
    if body is None:
        return None
    a, b, _, d, e, _ = affine
    units = math.sqrt(abs(a * e - b * d))
    if not body.crs.is_projected:
        return units * math.radians(1.0) * body.radius
    try:
        return float(units * body.crs.linear_units_factor[1])
    except GDAL_ERRORS:
        return None


def short_name(wkt: str) -> str | None:
    """The CRS's name for people, without underscores and shouting; None where it has none."""
    found = _NAME.match(wkt)
    if not found or not found[1] or found[1].lower() in ("unnamed", "unknown"):
        return None
    plain = found[1].replace("_", " ").strip()
    return re.sub(r"\b[A-Z]{4,}\b", lambda word: word[0].capitalize(), plain)
