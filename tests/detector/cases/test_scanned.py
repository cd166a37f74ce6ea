"""Each case of `../shared/cases` that is scanned gives the places of its `expect.md`."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import rasterio
from rasterio import Affine

from dashboard.detector import (
    PRODUCTS,
    Detection,
    Finished,
    ScanSettings,
    ingest,
    run,
)
from tests.detector import rasters
from tests.detector.cases import files
from tests.detector.positions import in_scores, in_tiles, points_of, product_of
from tests.models import plain_model

OBJECT = (404, 308)  # px: the first place of unharmed ground


def scanned(picture: Path, out: Path, **how: Any) -> Finished:
    settings = {"model": "guarded", "rule": "mean", "device": "cpu"} | how
    return run(picture, out, ScanSettings(**settings))


def first(done: Finished) -> Detection:
    found = done.detections[0]
    assert found.rank == 1
    return found


def strict(text: str | bytes) -> Any:
    """JSON as RFC 8259 has it."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_every_case_is_tested(cases: Path) -> None:
    said = "".join(one.read_text() for one in Path(__file__).parent.glob("test_*.py"))
    for case in files.CASES.glob("[0-9]*"):
        assert case.name in said


@pytest.mark.parametrize(
    ("name", "valid", "sigma"),
    [
        ("00-base/base.tif", 1, 8),
        ("05-rgb16-minisblack/irb16.tif", 1, 8),
        ("14-jp2-image-offset/offset.jp2", 1, 8),
        ("14-jp2-image-offset/offset-tiled.jp2", 1, 8),
        ("20-tiff-kinds/dtm.tif", 0.9089, 8),
        ("20-tiff-kinds/dtm-untagged.tif", 0.9089, 8),
        ("20-tiff-kinds/dtm-untagged-32767.tif", 0.9089, 8),
        ("20-tiff-kinds/dtm-untagged-9999.tif", 0.9089, 8),
        ("20-tiff-kinds/dtm-nodata-other.tif", 0.9089, 8),
        ("20-tiff-kinds/untagged65535.tif", 0.8828, 8),
        ("27-line-dropout/one-line.png", 1, 8),
        ("27-line-dropout/two-lines.png", 1, 8),
        ("27-line-dropout/short.png", 1, 8),
    ],
)
def test_the_object_is_the_first_place(
    cases: Path, tmp_path: Path, name: str, valid: float, sigma: float
) -> None:
    done = scanned(cases / name, tmp_path)
    found = first(done)
    assert (found.x, found.y) == pytest.approx(OBJECT, abs=4)
    assert found.sigma > sigma
    assert done.scene.valid_fraction == pytest.approx(valid, abs=1e-4)
    if name.startswith("27"):
        assert done.scores.scored == 43_309


def test_case_01_nodata_nan_is_strict_json(cases: Path, tmp_path: Path) -> None:
    done = scanned(cases / "01-nodata-nan" / "nan.tif", tmp_path)
    assert (first(done).x, first(done).y) == OBJECT
    for name in ("detections.geojson", "run.json", "coverage.geojson"):
        strict((tmp_path / name).read_bytes())
    with rasterio.open(tmp_path / "scores.tif") as scores:
        assert strict(scores.tags()["NEEDLE_RUN"])["scene"]["nodata"] is None


def test_case_02_moon_names_its_body(cases: Path, tmp_path: Path) -> None:
    picture = cases / "02-moon" / "moon.tif"
    done = scanned(picture, tmp_path)
    assert first(done).lon == pytest.approx(23.460600, abs=1e-6)
    assert first(done).lat == pytest.approx(0.649401, abs=1e-6)
    for name in ("detections.geojson", "coverage.geojson"):
        named = strict((tmp_path / name).read_bytes())["crs"]["properties"]["name"]
        assert named == "urn:ogc:def:crs:IAU:2015:30100"
    for product in PRODUCTS:
        if product.name.endswith((".gpkg", ".json", ".kml", ".csv")):
            assert b"Mars" not in product.make(done), product.name
    base = sqlite3.connect(":memory:")
    base.deserialize(product_of(done, "detections.gpkg"))
    (wkt,) = base.execute(
        "SELECT definition FROM gpkg_spatial_ref_sys WHERE srs_id = 100000"
    ).fetchone()
    base.close()
    assert "1737400" in wkt
    area = str(cases / "21-areas" / "moon.geojson")
    assert (first(scanned(picture, tmp_path, area=area)).x) == OBJECT[0]


@pytest.mark.parametrize(
    ("body", "radius", "named"),
    [
        ("Earth", 6_378_137, "urn:ogc:def:crs:EPSG::4326"),
        ("Phobos", 11_100, "urn:ogc:def:crs:IAU:2015:40100"),
        ("Mercury", 2_439_400, "urn:ogc:def:crs:IAU:2015:19900"),
    ],
)
def test_case_02_other_bodies_are_named(
    cases: Path, tmp_path: Path, body: str, radius: float, named: str
) -> None:
    with rasterio.open(cases / "02-moon" / "moon.tif") as moon:
        wkt = moon.crs.to_wkt().replace("1737400", str(radius))
        wkt = wkt.replace("MOON", body).replace("Moon", body)
    path = rasters.write(
        tmp_path / "body.tif",
        rasters.ground(500, 600),
        crs=wkt,
        transform=Affine(1, 0, 9, 0, -1, 9),
    )
    scanned(path, tmp_path, model=str(plain_model(tmp_path / "plain.onnx")))
    told = strict((tmp_path / "detections.geojson").read_bytes())["crs"]["properties"]["name"]
    assert told == named


@pytest.mark.parametrize(
    "name", ["03-no-georef-flip/plain.png", "04-crs-without-transform/crs-only.tif"]
)
def test_without_a_place_all_lie_in_one_plane(cases: Path, tmp_path: Path, name: str) -> None:
    done = scanned(cases / name, tmp_path)
    found = first(done)
    plane = (OBJECT[0], -OBJECT[1])
    assert next(points_of(done)) == (*plane, -1)
    assert in_tiles(done, found) == pytest.approx(plane)
    assert in_scores(tmp_path) == pytest.approx(plane, abs=4)
    assert found.lon is None
    with rasterio.open(tmp_path / "scores.tif") as scores:
        assert scores.crs is None
    features = strict((tmp_path / "detections.geojson").read_bytes())
    assert features["features"][0]["geometry"] is None
    assert "crs" not in features


@pytest.mark.parametrize("name", ["old-label.jp2", "new-label.jp2"])
def test_case_13_hirise_centerlat_lies_where_the_new_label_says(
    cases: Path, tmp_path: Path, name: str
) -> None:
    found = first(scanned(cases / "13-hirise-centerlat" / name, tmp_path))
    assert (found.x, found.y) == OBJECT
    assert found.lon == pytest.approx(326.74997, abs=1e-5)
    assert found.lat == pytest.approx(19.10001, abs=1e-5)


def test_case_13_a_geotiff_made_of_it_is_read_alike(cases: Path, tmp_path: Path) -> None:
    path = tmp_path / "made.tif"
    with rasterio.open(cases / "13-hirise-centerlat" / "old-label.jp2") as source:
        rasterio.shutil.copy(source, path, driver="GTiff")
    found = ingest(path).lonlat(407, 309)
    assert found == pytest.approx((326.75, 19.1), abs=1e-6)


@pytest.mark.parametrize("name", ["declared255.tif", "shadow-is-1.tif"])
def test_case_30_true_zero_shadow_is_ground(cases: Path, tmp_path: Path, name: str) -> None:
    done = scanned(cases / "30-true-zero-shadow" / name, tmp_path)
    assert done.scene.valid_fraction == pytest.approx(0.9479, abs=1e-4)
    found = first(done)
    assert 400 <= found.x <= 407
    assert 304 <= found.y <= 307
