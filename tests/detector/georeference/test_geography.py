"""Longitude and latitude: areocentric, east-positive, on the scene's own body."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from rasterio import Affine
from rasterio.crs import CRS

from dashboard.detector import Scene
from dashboard.detector.georeference.geography import lonlat, pixel_size, short_name
from tests.detector import rasters

RADIUS, FLATTENING = 3_396_190.0, 1 / 169.894447223612  # of Mars, IAU 2015
# Where Curiosity landed, areocentric and east-positive.
LON, LAT = 137.4417, -4.5895
# tan of the graphic latitude = tan of the centric one / (1 - e^2)
GRAPHIC = math.degrees(math.atan(math.tan(math.radians(LAT)) / (1 - FLATTENING) ** 2))
EAST, WEST = (RADIUS * math.radians(angle) for angle in (LON, 360 - LON))
NORTH, GRAPHIC_NORTH = (RADIUS * math.radians(angle) for angle in (LAT, GRAPHIC))


def test_graphic_and_centric_differ_enough_to_tell() -> None:
    assert abs(GRAPHIC - LAT) > 0.05  # 3 km on the ground


@pytest.mark.parametrize("version", ["WKT1_GDAL", "WKT2_2019"])
@pytest.mark.parametrize(
    ("crs", "x", "y"),
    [
        ("IAU_2015:49910", EAST, NORTH),  # sphere, equirectangular
        ("IAU_2015:49911", WEST, GRAPHIC_NORTH),  # ellipsoid, graphic, westings
        ("IAU_2015:49912", EAST, NORTH),  # ellipsoid, centric
        ("IAU_2015:49900", LON, LAT),  # the same three in degrees
        ("IAU_2015:49901", 360 - LON, GRAPHIC),
        ("IAU_2015:49902", LON, LAT),
    ],
)
def test_a_known_point_is_areocentric_in_every_system(
    crs: str, x: float, y: float, version: str
) -> None:
    wkt = CRS.from_user_input(crs).to_wkt(version=version)
    assert lonlat(wkt, x, y) == pytest.approx((LON, LAT), abs=1e-6)


@pytest.mark.parametrize(("x", "lon"), [(-1e-9, 0.0), (-RADIUS, 360 - math.degrees(1)), (0, 0.0)])
def test_longitudes_run_from_0_to_360(x: float, lon: float) -> None:
    found = lonlat(CRS.from_user_input(rasters.MARS).to_wkt(), x, 0)
    assert found is not None
    assert 0 <= found[0] < 360
    assert found[0] == pytest.approx(lon, abs=1e-9)


def test_poles_and_the_earth() -> None:
    south = CRS.from_user_input("IAU_2015:49935").to_wkt()
    assert lonlat(south, 0, 0) == pytest.approx((0, -90))
    utm = CRS.from_user_input("EPSG:32633").to_wkt()
    assert lonlat(utm, 500_000, 5.5e6) == pytest.approx((15, 49.6525), abs=1e-3)  # geodetic there


def test_a_system_without_a_body_has_no_longitudes() -> None:
    local = 'LOCAL_CS["site",UNIT["metre",1]]'
    assert lonlat(local, 1, 2) is None
    assert lonlat("nonsense", 1, 2) is None
    assert pixel_size("nonsense", (1, 0, 0, 0, -1, 0)) is None


def test_pixel_sizes_are_metres() -> None:
    metres = CRS.from_user_input(rasters.MARS).to_wkt()
    assert pixel_size(metres, (0.25, 0, 9, 0, -0.25, 9)) == 0.25
    turned = (0.15, 0.2, 9, 0.2, -0.15, 9)
    assert pixel_size(metres, turned) == pytest.approx(0.25)
    degrees = CRS.from_user_input("IAU_2015:49900").to_wkt()
    one = math.degrees(0.5 / RADIUS)
    assert pixel_size(degrees, (one, 0, 0, 0, -one, 0)) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("wkt", "name"),
    [
        ('PROJCS["Equirectangular_MARS",GEOGCS', "Equirectangular Mars"),
        ('PROJCS["unnamed",GEOGCS', None),
        ('GEOGCS["Mars (2015) / Ographic",', "Mars (2015) / Ographic"),
        ("", None),
    ],
)
def test_names_are_for_people(wkt: str, name: str | None) -> None:
    assert short_name(wkt) == name


def test_a_scene_gives_the_place_of_its_pixels(scene_of: Callable[..., Scene]) -> None:
    corner = Affine(0.25, 0, EAST - 100, 0, -0.25, NORTH + 75)
    scene = scene_of(rasters.ground(600, 800), crs=rasters.MARS, transform=corner)
    assert scene.lonlat(400, 300) == pytest.approx((LON, LAT), abs=1e-9)
    assert scene.pixel_size == 0.25
    assert "Mars" in (scene.crs_name or "")
    plain = scene_of(name="plain.png")
    assert plain.lonlat(400, 300) is plain.pixel_size is plain.crs_name is None
