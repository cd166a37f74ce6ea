"""Planets, moons and small bodies: which one a CRS lies on, by its radius and its names."""

from __future__ import annotations

import re
from dataclasses import dataclass

SPELLED = re.compile(r'"([^"]*)"')
ELLIPSOID = re.compile(
    r'(?:SPHEROID|ELLIPSOID)\["[^"]*",\s*([-+.\deE]+),\s*([-+.\deE]+)', re.IGNORECASE
)
EARTH = "Earth"
LARGE = 190.0  # km; smaller bodies are no ellipsoids, and their maps' radii differ widely
NAMED, SMALL_NAMED = 0.02, 0.5  # how far the radius of a body that is named may be off, as a part
UNNAMED = 0.0006  # likewise, beyond its polar and equatorial radius, where only these tell


@dataclass(frozen=True)
class KnownBody:
    """A body with a geographic CRS of its own in the catalogue IAU_2015 (on the Earth, EPSG)."""

    name: str
    code: int  # of areocentric longitude and latitude
    equatorial: float  # km
    polar: float  # km

    @property
    def crs_name(self) -> str:
        """The name of longitude and latitude on this body, which GDAL and QGIS resolve."""
        if self.name == EARTH:
            return f"urn:ogc:def:crs:EPSG::{self.code}"
        return f"urn:ogc:def:crs:IAU:2015:{self.code}"

    def fits(self, radius: float, beyond: float) -> bool:
        """True where a radius in metres is the body's, but for a part of it."""
        km = radius / 1000
        return self.polar * (1 - beyond) <= km <= self.equatorial * (1 + beyond)


BODIES = (
    KnownBody("Mercury", 19900, 2440.53, 2438.26),
    KnownBody("Venus", 29900, 6051.8, 6051.8),
    KnownBody("Moon", 30100, 1737.4, 1737.4),
    KnownBody(EARTH, 4326, 6378.4, 6356.7),
    KnownBody("Phobos", 40100, 13.0, 9.1),
    KnownBody("Deimos", 40200, 7.8, 5.1),
    KnownBody("Mars", 49900, 3396.19, 3376.2),
    KnownBody("Io", 50100, 1829.4, 1815.7),
    KnownBody("Europa", 50200, 1562.6, 1559.5),
    KnownBody("Ganymede", 50300, 2631.2, 2631.2),
    KnownBody("Callisto", 50400, 2410.3, 2410.3),
    KnownBody("Amalthea", 50500, 125.0, 64.0),
    KnownBody("Jupiter", 59900, 71492.0, 66854.0),
    KnownBody("Mimas", 60100, 207.8, 190.6),
    KnownBody("Enceladus", 60200, 256.6, 248.3),
    KnownBody("Tethys", 60300, 538.4, 526.3),
    KnownBody("Dione", 60400, 563.4, 559.6),
    KnownBody("Rhea", 60500, 765.0, 762.4),
    KnownBody("Titan", 60600, 2575.15, 2574.47),
    KnownBody("Hyperion", 60700, 180.1, 102.7),
    KnownBody("Iapetus", 60800, 745.7, 712.1),
    KnownBody("Phoebe", 60900, 109.4, 101.8),
    KnownBody("Saturn", 69900, 60268.0, 54364.0),
    KnownBody("Ariel", 70100, 581.1, 577.7),
    KnownBody("Umbriel", 70200, 584.7, 584.7),
    KnownBody("Titania", 70300, 788.9, 788.9),
    KnownBody("Oberon", 70400, 761.4, 761.4),
    KnownBody("Miranda", 70500, 240.4, 232.9),
    KnownBody("Triton", 80100, 1352.6, 1352.6),
    KnownBody("Charon", 90100, 606.0, 606.0),
    KnownBody("Pluto", 99900, 1188.3, 1188.3),
    KnownBody("Churyumov", 100001200, 2.4, 1.5),
    KnownBody("Ceres", 200000100, 487.3, 446.0),
    KnownBody("Vesta", 200000400, 289.0, 229.0),
    KnownBody("Psyche", 200001600, 139.5, 94.5),
    KnownBody("Lutetia", 200002100, 62.0, 46.5),
    KnownBody("Eros", 200043300, 17.0, 5.5),
    KnownBody("Itokawa", 202514300, 0.268, 0.104),
)


def known_body(wkt: str) -> KnownBody | None:
    """The body of a CRS, by the names in it and its radius; None where it is none of those known.

    A name and a radius that contradict each other make no known body; nor does a radius alone
    that two bodies share, or that of a body too small to have one.
    """
    found = ELLIPSOID.search(wkt)
    if not found:
        return None
    radius = float(found[1])
    words = {
        word.lower() for name in SPELLED.findall(wkt) for word in re.findall("[A-Za-z]+", name)
    }
    named = [body for body in BODIES if body.name.lower() in words]
    if named:
        fitting = [body for body in named if body.fits(radius, _slack(body))]
    else:
        large = [body for body in BODIES if body.equatorial >= LARGE]
        fitting = [body for body in large if body.fits(radius, UNNAMED)]
    return fitting[0] if len(fitting) == 1 else None


def _slack(body: KnownBody) -> float:
    return NAMED if body.equatorial >= LARGE else SMALL_NAMED
