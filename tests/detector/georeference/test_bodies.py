"""Bodies: told by radius and name, so that no product puts a place on another world."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyogrio
import pytest
from rasterio import Affine
from rasterio.crs import CRS

from dashboard.detector import Finished
from dashboard.detector.georeference.bodies import BODIES, EARTH
from dashboard.detector.georeference.geography import lonlat_crs
from tests.detector.products import test_finished
from tests.detector.products.test_products import made

finished = test_finished.finished


def equirectangular(name: str, radius: float, inverse: float = 0) -> str:
    return (
        f'PROJCS["Equirectangular {name}",GEOGCS["GCS_{name}",DATUM["D_{name}",'
        f'SPHEROID["{name}_localRadius",{radius!r},{inverse!r}]],PRIMEM["Reference_Meridian",0],'
        'UNIT["degree",0.0174532925199433]],PROJECTION["Equirectangular"],'
        'PARAMETER["standard_parallel_1",0],PARAMETER["central_meridian",0],'
        'PARAMETER["false_easting",0],PARAMETER["false_northing",0],UNIT["metre",1]]'
    )


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.name)
def test_the_catalogue_knows_every_body_by_its_code(body: object) -> None:
    assert isinstance(body, type(BODIES[0]))
    named = CRS.from_user_input(body.crs_name)
    assert named.is_geographic
    if body.name != EARTH:
        assert body.name in named.to_wkt()
        assert lonlat_crs(named.to_wkt()) == body.crs_name


@pytest.mark.parametrize(
    ("wkt", "code"),
    [
        (equirectangular("MOON", 1_737_400.0), "30100"),
        (equirectangular("unnamed", 1_737_400.0), "30100"),
        (equirectangular("MARS", 3_393_833.26075839), "49900"),  # HiRISE's local radius
        (equirectangular("unknown", 3_396_000.0), "49900"),  # MOLA's
        (equirectangular("unknown", 3_396_190.0, 169.894447223612), "49900"),
        (equirectangular("Mercury_2000", 2_439_700.0), "19900"),
        (equirectangular("Ceres", 470_000.0), "200000100"),
        (equirectangular("EUROPA", 1_560_800.0), "50200"),
        (equirectangular("Phobos", 11_100.0), "40100"),
        (equirectangular("unknown", 6_371_000.0), "4326"),
        (CRS.from_epsg(32633).to_wkt(), "4326"),
        (CRS.from_user_input("IAU_2015:30110").to_wkt(version="WKT2_2019"), "30100"),
        (CRS.from_user_input("IAU_2015:49936").to_wkt(), "49900"),
    ],
)
def test_a_body_is_told_by_radius_and_name(wkt: str, code: str) -> None:
    found = lonlat_crs(wkt) or ""
    assert found.rsplit(":", 1)[1] == code
    assert CRS.from_user_input(found).is_geographic


@pytest.mark.parametrize(
    ("name", "radius"),
    [("Bennu", 245.0), ("Mars", 1_737_400.0), ("unnamed", 11_100.0), ("Ryugu", 1_000_000.0)],
)
def test_an_unknown_body_carries_its_own_system(name: str, radius: float) -> None:
    found = lonlat_crs(equirectangular(name, radius)) or ""
    assert "IAU" not in found
    assert name in found
    crs = CRS.from_wkt(found)
    assert crs.is_geographic
    assert float(crs.to_dict()["R"]) == radius


def test_a_plane_has_no_longitudes() -> None:
    assert lonlat_crs('LOCAL_CS["site",UNIT["metre",1]]') is None


@pytest.mark.parametrize(
    ("name", "radius", "said"), [("MOON", 1_737_400.0, "Moon"), ("Bennu", 245.0, "Bennu")]
)
def test_gdal_reads_places_on_their_own_body(
    finished: Callable[..., Finished], tmp_path: Path, name: str, radius: float, said: str
) -> None:
    place = Affine(1e-7 * radius, 0, 0.4 * radius, 0, -1e-7 * radius, 0.01 * radius)
    done = finished(crs=equirectangular(name, radius), transform=place)
    path = tmp_path / "found.geojson"
    path.write_bytes(made(done, "detections.geojson"))
    assert "Mars" not in json.dumps(json.loads(path.read_text())["crs"])
    crs = CRS.from_user_input(pyogrio.read_info(path)["crs"])
    assert said in crs.to_wkt()
