"""Where a picture lies by its label: its CRS and its transform, as the label means them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import rasterio

from dashboard.detector.georeference.geography import Affine6
from dashboard.detector.georeference.label_bounds import WESTWARD, by_bounds

MARS_RADII = (3_396_190.0, 3_376_200.0)  # metres, equatorial and polar: IAU 2000 and later
SAME_RADIUS = 0.5  # metres; the local radius changes by 12 m a degree at 1 degree, by 350 m at 45
LEAST_LATITUDE = 1.0  # degrees; nearer to the equator the local radius is the equatorial one

_EQUIRECTANGULAR = re.compile(r'PROJECTION\["Equirectangular"', re.IGNORECASE)
_SPHERE = re.compile(r'SPHEROID\["[^"]*",\s*([-+.\deE]+),\s*0(?:\.0*)?\s*[,\]]')
_PARAMETER = r'(PARAMETER\["{}",\s*)([-+.\deE]+)'
_ORIGIN = re.compile(_PARAMETER.format("latitude_of_origin"), re.IGNORECASE)
_TRUE_SCALE = re.compile(_PARAMETER.format("standard_parallel_1"), re.IGNORECASE)
_MERIDIAN = re.compile(_PARAMETER.format("(?:central_meridian|longitude_of_center)"), re.IGNORECASE)


@dataclass(frozen=True)
class Placement:
    """Where a picture lies; `crs` is None where `transform` is: neither is a place without it."""

    crs: str | None  # WKT
    transform: Affine6 | None  # pixels to map units
    notes: tuple[str, ...]  # sentences on what was read otherwise than the label says, or left out


def placement_of(source: rasterio.DatasetReader, label: Mapping[str, float]) -> Placement:
    """Where an open picture lies, by what is in its file.

    Args:
        label: the numbers that the label of a PDS3 product or of a cube has of its map, by their
            keywords; none of other files.
    """
    notes = []
    transform: Affine6 | None = None
    if not source.transform.is_identity:
        transform = tuple(source.transform)[:6]
        if not _leads_back(transform):
            transform = None
            notes.append("its geotransform leads nowhere: positions are in pixels only")
    elif source.crs:
        notes.append("it names a CRS but not where it lies there: positions are in pixels only")
    if transform is None and source.gcps[0]:
        count = len(source.gcps[0])
        notes.append(f"its {count} ground control points are not used; place it by gdalwarp")
    if transform is None or not source.crs:
        return Placement(None, transform, tuple(notes))
    if label.get("ROTATION"):
        turned = f"its map is turned by {label['ROTATION']:g} degrees: positions are in pixels only"
        return Placement(None, None, (*notes, turned))
    crs, note = meant_crs(source.crs.to_wkt())
    notes += [note] if note else []
    crs, told = crs_of_label(crs, label)
    transform, note = by_bounds(transform, (source.width, source.height), crs, label)
    notes += [*told, note] if note else told
    return Placement(crs, transform, tuple(notes))


def _leads_back(transform: Affine6) -> bool:
    a, b, _, d, e, _ = transform
    return all(map(math.isfinite, transform)) and a * e - b * d != 0


def crs_of_label(wkt: str, label: Mapping[str, float]) -> tuple[str, list[str]]:
    """The CRS of a label whose degrees GDAL takes for others than they are, and what was read so.

    It takes longitudes that count to the west for eastern ones, and the graphic latitude of true
    scale of an equirectangular cube for a centric one, of which ISIS takes the local radius, too.
    """
    notes = []
    if label.get(WESTWARD) and (found := _MERIDIAN.search(wkt)):
        wkt = _MERIDIAN.sub(rf"\g<1>{-float(found[2]) % 360!r}", wkt)
        notes.append("its label counts longitudes to the west")
    radii = label.get("EQUATORIALRADIUS", 0.0), label.get("POLARRADIUS", 0.0)
    scale, sphere = _TRUE_SCALE.search(wkt), _SPHERE.search(wkt)
    flat = 0 < radii[1] < radii[0] and _EQUIRECTANGULAR.search(wkt)
    if label.get("graphic") and flat and scale and sphere and float(scale[2]):
        centric = _centric(math.radians(float(scale[2])), radii)
        wkt = wkt.replace(scale[0], f"{scale[1]}{math.degrees(centric)!r}")
        local = sphere[0].replace(sphere[1], repr(_radius_at(centric, radii)))
        wkt = wkt.replace(sphere[0], local)
        notes.append("the latitude of true scale in its label is graphic")
    return wkt, notes


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
    angle = math.radians(latitude)
    return _radius_at(angle, MARS_RADII), _radius_at(_centric(angle, MARS_RADII), MARS_RADII)


def _centric(graphic: float, radii: tuple[float, float]) -> float:
    """The areocentric latitude of a graphic one, radians."""
    equatorial, polar = radii
    return math.atan((polar / equatorial) ** 2 * math.tan(graphic))


def _radius_at(centric: float, radii: tuple[float, float]) -> float:
    equatorial, polar = radii
    cos, sin = math.cos(centric), math.sin(centric)
    return equatorial * polar / math.hypot(polar * cos, equatorial * sin)
