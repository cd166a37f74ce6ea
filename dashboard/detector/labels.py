"""The CRS that a label means, where the label is known to name one of its parameters wrongly."""

from __future__ import annotations

import math
import re

MARS_RADII = (3_396_190.0, 3_376_200.0)  # metres, equatorial and polar: IAU 2000 and later
SAME_RADIUS = 0.5  # metres; the local radius changes by 12 m a degree at 1 degree, by 350 m at 45
LEAST_LATITUDE = 1.0  # degrees; nearer to the equator the local radius is the equatorial one

_EQUIRECTANGULAR = re.compile(r'PROJECTION\["Equirectangular"', re.IGNORECASE)
_SPHERE = re.compile(r'SPHEROID\["[^"]*",\s*([-+.\deE]+),\s*0(?:\.0*)?\s*[,\]]')
_PARAMETER = r'(PARAMETER\["{}",\s*)([-+.\deE]+)'
_ORIGIN = re.compile(_PARAMETER.format("latitude_of_origin"), re.IGNORECASE)
_TRUE_SCALE = re.compile(_PARAMETER.format("standard_parallel_1"), re.IGNORECASE)


def meant_crs(wkt: str) -> tuple[str, str | None]:
    """The CRS that a label means, and a sentence on what was read otherwise; None where nothing.

    Labels of HiRISE products call the latitude of true scale the centre of the projection, which
    GDAL takes for the latitude where northings are 0: the place comes out wrong by all of it. Such
    a label is told by its sphere, whose radius is that of Mars at this very latitude.

    Args:
        wkt: the CRS as GDAL reads it, WKT 1.
    """
    origin, scale = _ORIGIN.search(wkt), _TRUE_SCALE.search(wkt)
    sphere = _SPHERE.search(wkt)
    if not (_EQUIRECTANGULAR.search(wkt) and origin and sphere):
        return wkt, None
    latitude = float(origin[2])
    if (scale and float(scale[2]) != 0) or not LEAST_LATITUDE <= abs(latitude) < 90:
        return wkt, None
    if not _is_local_radius(float(sphere[1]), latitude):
        return wkt, None
    meant = _ORIGIN.sub(r"\g<1>0", wkt)
    if scale:
        meant = _TRUE_SCALE.sub(rf"\g<1>{origin[2]}", meant)
    else:
        meant = meant.replace(origin[0], f'PARAMETER["standard_parallel_1",{origin[2]}', 1)
    note = (
        f"the label's centre latitude of {latitude:g} degrees is read as the latitude of true "
        "scale, as HiRISE's labels mean it; northings count from the equator"
    )
    return meant, note


def _is_local_radius(radius: float, latitude: float) -> bool:
    """True where a sphere has Mars' radius at a latitude, be that areocentric or graphic."""
    return any(abs(radius - local) <= SAME_RADIUS for local in _local_radii(latitude))


def _local_radii(latitude: float) -> tuple[float, float]:
    """Metres from the middle of Mars to its ellipsoid at a centric, and at a graphic latitude."""
    equatorial, polar = MARS_RADII
    graphic = math.radians(latitude)
    centric = math.atan((polar / equatorial) ** 2 * math.tan(graphic))
    return _radius_at(graphic), _radius_at(centric)


def _radius_at(centric: float) -> float:
    equatorial, polar = MARS_RADII
    cos, sin = math.cos(centric), math.sin(centric)
    return equatorial * polar / math.hypot(polar * cos, equatorial * sin)
