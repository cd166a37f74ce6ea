"""Labels that name a parameter of their projection wrongly are read as they are meant."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import rasterio
from rasterio import Affine
from rasterio.control import GroundControlPoint

from dashboard.detector import Scene, ingest
from dashboard.detector.georeference.labels import MARS_RADII, meant_crs
from tests.detector import rasters

Scenes = Callable[..., Scene]
LON, LAT = 326.75, 19.1


def local_radius(latitude: float) -> float:
    """Metres; HiRISE's DSMAP.CAT."""
    equatorial, polar = MARS_RADII
    angle = math.radians(latitude)
    return equatorial * polar / math.hypot(polar * math.cos(angle), equatorial * math.sin(angle))


def label(
    origin: float, true_scale: float, radius: float, projection: str = "Equirectangular"
) -> str:
    """A CRS as GDAL reads it from a label."""
    return (
        f'PROJCS["{projection} MARS",GEOGCS["GCS_MARS",DATUM["D_MARS",'
        f'SPHEROID["MARS",{radius!r},0]],PRIMEM["Reference_Meridian",0],'
        f'UNIT["degree",0.0174532925199433]],PROJECTION["{projection}"],'
        f'PARAMETER["latitude_of_origin",{origin}],PARAMETER["central_meridian",180],'
        f'PARAMETER["standard_parallel_1",{true_scale}],PARAMETER["false_easting",0],'
        'PARAMETER["false_northing",0],UNIT["metre",1]]'
    )


def placed(latitude: float, lat: float) -> Affine:
    """Where the picture's corner lies at (LON, lat) in a HiRISE product of this centre latitude."""
    radius = local_radius(latitude)
    x = radius * math.radians(LON - 180) * math.cos(math.radians(latitude))
    return Affine(0.5, 0, x, 0, -0.5, radius * math.radians(lat))


@pytest.mark.parametrize("name", ["old.jp2", "old.tif"])
@pytest.mark.parametrize("latitude", [20, 75, -5, -45])
def test_a_centre_latitude_of_hirise_is_that_of_true_scale(
    scene_of: Scenes, name: str, latitude: float
) -> None:
    lat = latitude - 0.9
    radius = local_radius(latitude)
    scene = scene_of(name=name, crs=label(latitude, 0, radius), transform=placed(latitude, lat))
    assert scene.lonlat(0, 0) == pytest.approx((LON, lat), abs=1e-6)
    assert scene.pixels([LON], [lat])[0] == pytest.approx((0, 0), abs=1e-3)
    assert f"centre latitude of {latitude} degrees" in scene.notes[0]


def test_a_graphic_latitude_is_told_too() -> None:
    equatorial, polar = MARS_RADII
    centric = math.atan((polar / equatorial) ** 2 * math.tan(math.radians(40)))
    wkt = label(40, 0, local_radius(math.degrees(centric)))
    assert meant_crs(wkt)[0] == label(0, 40, local_radius(math.degrees(centric)))


@pytest.mark.parametrize(
    "wkt",
    [
        label(0, 20, local_radius(20)),  # corrected
        label(20, 0, 3_396_190.0),  # the sphere of the whole planet: its own northings
        label(20, 0, local_radius(25)),
        label(20, 15, local_radius(20)),
        label(0, 0, 3_396_190.0),
        label(0.01, 0, local_radius(0.01)),
        label(20, 0, 1_737_400.0),  # the Moon
        label(90, 0, 3_376_200.0, "Polar_Stereographic"),
        label(20, 0, local_radius(20), "Mercator_1SP"),
    ],
)
def test_a_crs_that_is_right_is_left(wkt: str) -> None:
    assert meant_crs(wkt) == (wkt, None)


def test_the_real_product_lies_where_it_is(home: object) -> None:
    sample = rasters.DATA / "scenes" / "hirise_color_sample.jp2"
    if not sample.exists():
        pytest.skip("needs the scene hirise_color_sample.jp2 of ../shared/data")
    scene = ingest(sample)
    found = scene.lonlat(scene.width / 2, scene.height / 2)
    assert found == pytest.approx((275.4147, -8.2481), abs=1e-3)
    assert scene.bands == 3
    assert "mars" in (scene.crs_name or "").lower()


@pytest.mark.parametrize(
    ("transform", "said"),
    [
        (None, "not where it lies"),
        (Affine(0, 0, 5, 0, 0, 5), "leads nowhere"),
        (Affine(1, 1, 5, 2, 2, 5), "leads nowhere"),
    ],
)
def test_a_crs_without_a_transform_is_no_place(
    scene_of: Scenes, transform: Affine | None, said: str
) -> None:
    scene = scene_of(crs=rasters.MARS, transform=transform)
    assert scene.crs is scene.transform is scene.lonlat(1, 1) is scene.pixel_size is None
    assert said in scene.notes[0]


def test_control_points_are_said_to_be_left_out(tmp_path: Path) -> None:
    path, pixels = tmp_path / "gcps.tif", rasters.ground()
    points = [(0, 0, 137, -4), (0, 400, 138, -4), (300, 0, 137, -5)]
    placed = {"gcps": [GroundControlPoint(*point) for point in points], "crs": "IAU_2015:49900"}
    shape = {"width": 400, "height": 300, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", **shape, **placed) as out:
        out.write(pixels, 1)
    assert "3 ground control points" in " ".join(ingest(path).notes)
