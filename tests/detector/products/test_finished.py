"""Results: what is written reads back in the tools of the field, in the right place."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sqlite3
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio import Affine
from rasterio.io import MemoryFile

from dashboard import __main__ as command
from dashboard.detector import (
    PRODUCTS,
    Finished,
    Model,
    OptionError,
    ScanSettings,
    Scene,
    StoreError,
    write_results,
)
from tests.detector import rasters
from tests.detector.scans import finish_scan

PLACE = Affine(0.5, 0, 8_130_000, 0, -0.5, -270_000)
COLUMNS = "rank,sigma,score,x,y,x_min,y_min,x_max,y_max,area_px,lon,lat,p,q,artefacts"
COLUMNS += ",verdict,name,note,reviewer,decided,disputed"


@pytest.fixture
def finished(scene_of: Callable[..., Scene], model: Model) -> Callable[..., Finished]:
    def make(sigma: float = 3.0, top: int | None = None, **how: object) -> Finished:
        scene = scene_of(**how)
        store = finish_scan(scene, model, stride=48)
        return Finished(store, scene, store.scores(), ScanSettings("plain", 48, "cpu", sigma, top))

    return make


def made(finished: Finished, name: str) -> bytes:
    (product,) = (product for product in PRODUCTS if product.name == name)
    return product.make(finished)


def test_the_table_has_the_promised_columns_and_half_open_boxes(
    finished: Callable[..., Finished],
) -> None:
    text = made(finished(), "detections.csv").decode()
    assert text.splitlines()[0] == COLUMNS
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["rank"] for row in rows] == [str(n + 1) for n in range(len(rows))]
    best = {key: float(value) for key, value in rows[0].items() if value and key != "artefacts"}
    assert best["x_max"] - best["x_min"] == best["y_max"] - best["y_min"] == 48
    assert best["area_px"] == 48 * 48
    assert best["x_min"] <= 400 < best["x_max"]
    assert best["y_min"] <= 300 < best["y_max"]
    assert rows[0]["lon"] == rows[0]["lat"] == ""


def test_places_on_mars_agree_in_table_map_and_raster(finished: Callable[..., Finished]) -> None:
    done = finished(crs=rasters.MARS, transform=PLACE)
    row = next(csv.DictReader(io.StringIO(made(done, "detections.csv").decode())))
    x, y = (float(row[key]) for key in ("x", "y"))
    easting, northing = PLACE @ (x, y)
    radius = 3_396_190.0  # of the sphere of rasters.MARS, central meridian 0
    assert float(row["lon"]) == pytest.approx(np.degrees(easting / radius) % 360, abs=2e-6)
    assert float(row["lat"]) == pytest.approx(np.degrees(northing / radius), abs=2e-6)
    (feature, *_) = json.loads(made(done, "detections.geojson"))["features"]
    assert feature["geometry"]["coordinates"] == [float(row["lon"]), float(row["lat"])]
    with MemoryFile(made(done, "scores.tif")) as file, file.open() as cog:
        assert cog.crs == rasterio.crs.CRS.from_user_input(rasters.MARS)
        ((score,),) = cog.sample([(easting, northing)])
    assert score == pytest.approx(float(row["score"]), rel=1e-5)


def test_geojson_names_a_crs_that_gdal_finds_on_mars(
    finished: Callable[..., Finished], tmp_path: Path
) -> None:
    done = finished(crs=rasters.MARS, transform=PLACE)
    named = json.loads(made(done, "detections.geojson"))["crs"]["properties"]["name"]
    crs = rasterio.crs.CRS.from_user_input(named)
    assert crs.is_geographic
    assert "Mars" in crs.to_wkt()


def test_geojson_without_a_crs_claims_no_place(finished: Callable[..., Finished]) -> None:
    collection = json.loads(made(finished(), "detections.geojson"))
    assert "crs" not in collection
    assert {feature["geometry"] for feature in collection["features"]} == {None}


def test_the_score_map_of_a_plain_picture_leads_to_its_pixels(
    finished: Callable[..., Finished],
) -> None:
    done = finished()
    with MemoryFile(made(done, "scores.tif")) as file, file.open() as cog:
        assert cog.crs is None
        assert cog.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        np.testing.assert_array_equal(cog.read(1), done.scores.values)
        # The first tile's middle: where a GIS shows the picture itself, whose rows go down.
        assert cog.transform @ (0.5, 0.5) == (128, -128)


def test_every_flagged_tile_is_listed_and_pictured(finished: Callable[..., Finished]) -> None:
    done = finished(sigma=1.0)
    rows = list(csv.DictReader(io.StringIO(made(done, "tiles.csv").decode())))
    assert len(rows) == done.scores.count_above(1.0) > 1
    with zipfile.ZipFile(io.BytesIO(made(done, "tiles.zip"))) as archive:
        names = [name for name in archive.namelist() if name.endswith(".png")]
        assert len(names) == len(rows)
        picture = Image.open(archive.open(names[0]))
    assert picture.size == (int(rows[0]["width"]), int(rows[0]["height"])) == (256, 256)


def test_top_gives_so_many_whatever_their_sigma(finished: Callable[..., Finished]) -> None:
    done = finished(sigma=99.0, top=5)
    rows = list(csv.DictReader(io.StringIO(made(done, "detections.csv").decode())))
    assert len(rows) == 5
    assert made(done, "tiles.csv").decode().count("\n") == 1


def test_the_record_of_a_run_holds_the_checksums_of_its_files(
    finished: Callable[..., Finished], tmp_path: Path
) -> None:
    done = finished()
    done = replace(done, settings=replace(done.settings, rule="mean"))
    paths = write_results(tmp_path / "out", done)
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert {path.name for path in paths} == {"run.json", *record["sha256"]}
    for name, digest in record["sha256"].items():
        assert hashlib.sha256((tmp_path / "out" / name).read_bytes()).hexdigest() == digest
    assert record["rule"]["name"] == "mean"
    assert record["rule"]["threshold"] == record["scores"]["threshold"]
    assert record["rule"]["expected_false"] == len(done.detections) == 1  # never more than listed
    assert record["provider"] == "CPUExecutionProvider"
    assert record["tiles"]["grid"] == record["tiles"]["scored"] == 96
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


def test_the_same_scan_gives_the_same_bytes(finished: Callable[..., Finished]) -> None:
    one, other = finished(sigma=2.0), finished(sigma=2.0)
    for product in PRODUCTS:
        assert product.make(one) == product.make(other), product.name


def test_results_that_cannot_be_written_say_so(
    finished: Callable[..., Finished], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="give another --out"):
        write_results(tmp_path / "file", finished())


@pytest.mark.parametrize("wrong", [{"sigma": float("nan")}, {"top": 0}])
def test_settings_without_meaning_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(OptionError):
        ScanSettings(**wrong)


def strictly(text: str | bytes) -> Any:
    """JSON as RFC 8259 has it: NaN and Infinity are no numbers."""

    def refused(constant: str) -> None:
        raise AssertionError(f"{constant} in JSON")

    return json.loads(text, parse_constant=refused)


@pytest.mark.parametrize("nodata", [np.nan, np.inf, -3.4028234663852886e38])
def test_every_json_that_is_written_is_strict(
    finished: Callable[..., Finished],
    tmp_path: Path,
    nodata: float,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pixels = rasters.ground(600, 800, "float32")
    pixels[290:310, 390:410] = 250
    pixels[:80] = nodata
    done = finished(pixels=pixels, crs=rasters.MARS, transform=PLACE, nodata=nodata)
    write_results(tmp_path / "out", done)
    assert strictly((tmp_path / "out" / "run.json").read_bytes())["detections"]
    strictly((tmp_path / "out" / "detections.geojson").read_bytes())
    strictly((done.store.folder / "scan.json").read_bytes())
    with rasterio.open(tmp_path / "out" / "scores.tif") as cog:
        strictly(cog.tags()["NEEDLE_RUN"])
    with rasterio.open(done.scene.path) as ingested:
        strictly(ingested.tags()["NEEDLE_SCENE"])
    base = sqlite3.connect(":memory:")
    base.deserialize(made(done, "detections.gpkg"))
    for (value,) in base.execute("SELECT value FROM run WHERE substr(value, 1, 1) IN ('{', '[')"):
        strictly(value)
    base.close()
    with zipfile.ZipFile(io.BytesIO(made(done, "tiles.zip"))) as archive:
        strictly(archive.read("run.json"))
    assert command.main(["info", str(tmp_path / "scene.tif")]) == 0
    strictly(capsys.readouterr().out)
