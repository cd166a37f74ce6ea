"""Products: what is taken away opens in its own tools, in the right place, with verdicts."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import re
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio
from rasterio import Affine
from rasterio.io import MemoryFile

from dashboard.detector import (
    CREDIT,
    PRODUCTS,
    RUN_RECORD,
    Decision,
    Finished,
    StoreError,
    Verdict,
)
from dashboard.detector.products import products
from dashboard.detector.products.products import world_file
from tests.detector import rasters
from tests.detector.products import test_finished

finished = test_finished.finished
PLACE = test_finished.PLACE
RADIUS = 3_396_190.0  # of the sphere of rasters.MARS, central meridian 0
Make = Callable[..., Finished]


def made(done: Finished, name: str) -> bytes:
    (product,) = (product for product in PRODUCTS if product.name == name)
    return product.make(done)


def judged(done: Finished, verdict: Verdict = Verdict.HARDWARE) -> Finished:
    """The scan with a verdict on its strongest place."""
    place = done.detections[0].place
    said = Decision(place, verdict, "bright; <b>square</b>", "lander", "ann", "2026-11-24T12:00", 1)
    return replace(done, decisions={place: said})


def mars(finished: Make) -> Finished:
    return judged(finished(sigma=1.0, crs=rasters.MARS, transform=PLACE))


def test_gdal_reads_the_geopackage_at_the_right_place_on_mars(
    finished: Make, tmp_path: Path
) -> None:
    done = mars(finished)
    path = tmp_path / "found.gpkg"
    path.write_bytes(made(done, "detections.gpkg"))
    assert dict(pyogrio.list_layers(path)) == {
        "detections": "Point",
        "footprints": "Polygon",
        "run": None,
    }
    meta, _, geometry, columns = pyogrio.raw.read(path, layer="detections")
    known = dict(zip(meta["fields"], columns, strict=True))
    crs = rasterio.crs.CRS.from_user_input(meta["crs"])
    assert crs == rasterio.crs.CRS.from_user_input(rasters.MARS)
    assert "4326" not in meta["crs"]
    best = done.detections[0]
    x, y = np.frombuffer(geometry[0][5:], "<f8")
    assert (x, y) == pytest.approx(PLACE @ (best.x, best.y), abs=1e-6)
    assert known["lon"][0] == pytest.approx(np.degrees(x / RADIUS) % 360, abs=2e-6)
    assert known["lat"][0] == pytest.approx(np.degrees(y / RADIUS), abs=2e-6)
    assert [known[name][0] for name in ("verdict", "name", "rank")] == ["hardware", "lander", 1]
    assert len(geometry) == len(done.detections) > 1
    bounds = pyogrio.read_bounds(path, layer="footprints")[1][:, 0]
    left, top = PLACE @ (best.box.x_min, best.box.y_min)
    right, bottom = PLACE @ (best.box.x_max, best.box.y_max)
    assert bounds == pytest.approx([left, bottom, right, top], abs=1e-6)


@pytest.mark.parametrize(
    ("how", "srs"),
    [
        ({}, -1),
        ({"crs": rasters.MARS}, -1),  # a CRS, but no place in it
        ({"transform": Affine(2, 0, 700, 0, -2, 90)}, -1),  # a place in nobody's CRS
        ({"transform": Affine(0.3, 0.4, 700, 0.4, -0.3, 90), "crs": rasters.MARS}, 100_000),
    ],
)
def test_every_product_puts_a_place_at_the_same_spot(
    finished: Make, tmp_path: Path, how: dict[str, Any], srs: int
) -> None:
    done = finished(**how)
    best = done.detections[0]
    spot = how.get("transform", Affine(1, 0, 0, 0, -1, 0)) @ (best.x, best.y)
    path = tmp_path / "found.gpkg"
    path.write_bytes(made(done, "detections.gpkg"))
    _, _, geometry, _ = pyogrio.raw.read(path, layer="detections")
    assert np.frombuffer(geometry[0][5:], "<f8") == pytest.approx(spot)
    with closing(sqlite3.connect(path)) as base:
        assert base.execute("SELECT DISTINCT srs_id FROM gpkg_geometry_columns").fetchall() == [
            (srs,)
        ]
    with MemoryFile(made(done, "scores.tif")) as file, file.open() as cog:
        assert (cog.crs is None) == (srs == -1)
        ((score,),) = cog.sample([spot])
    assert score == pytest.approx(best.score)
    tile = done.pictured[0]
    a, d, b, e, c, f = map(float, world_file(done.scene, tile.box).split())
    across, down = best.x - tile.box.x_min - 0.5, best.y - tile.box.y_min - 0.5
    shown = (a * across + b * down + c, d * across + e * down + f)
    assert shown == pytest.approx(spot)


def test_nothing_found_is_still_a_geopackage(finished: Make, tmp_path: Path) -> None:
    path = tmp_path / "found.gpkg"
    path.write_bytes(made(finished(sigma=99.0), "detections.gpkg"))
    assert pyogrio.read_info(path, layer="detections")["features"] == 0


def test_gdal_reads_geojson_and_heat_map_at_the_same_place(finished: Make, tmp_path: Path) -> None:
    done = mars(finished)
    path = tmp_path / "found.geojson"
    path.write_bytes(made(done, "detections.geojson"))
    meta, _, geometry, columns = pyogrio.raw.read(path)
    known = dict(zip(meta["fields"], columns, strict=True))
    lon, lat = np.frombuffer(geometry[0][5:], "<f8")
    assert "Mars" in rasterio.crs.CRS.from_user_input(meta["crs"]).to_wkt()
    assert known["verdict"][0] == "hardware"
    easting, northing = np.radians(lon) * RADIUS, np.radians(lat) * RADIUS
    with MemoryFile(made(done, "scores.tif")) as file, file.open() as cog:
        ((score,),) = cog.sample([(easting, northing)])
    assert score == pytest.approx(done.detections[0].score, rel=1e-5)


def test_maps_of_places_and_scores_say_where_they_come_from(finished: Make) -> None:
    done = mars(finished)
    with MemoryFile(made(done, "scores.tif")) as file, file.open() as cog:
        tags = cog.tags()
    assert tags["TIFFTAG_COPYRIGHT"] == CREDIT
    for said in (
        json.loads(tags["NEEDLE_RUN"]),
        json.loads(made(done, "detections.geojson"))["needle"],
    ):
        assert said["credit"] == CREDIT
        assert said["scene"]["sha256"] == done.scene.sha256
        assert said["model"]["sha256"] == done.store.record.model_sha256
        assert said["model"]["card"]["hole"] == 64
        assert said["settings"]["sigma"] == 1.0


def test_the_record_that_is_taken_away_holds_checksums_and_makes_no_score_map(
    finished: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = mars(finished)
    monkeypatch.setattr(
        "dashboard.detector.products.products.scores_cog", lambda *_: pytest.fail("made")
    )
    record = json.loads(RUN_RECORD.make(done))
    assert set(record["sha256"]) == {"detections.csv", "detections.geojson"}
    for name, digest in record["sha256"].items():
        assert hashlib.sha256(made(done, name)).hexdigest() == digest


def test_a_tile_lies_where_its_world_file_says(finished: Make, tmp_path: Path) -> None:
    done = mars(finished)
    with zipfile.ZipFile(io.BytesIO(made(done, "tiles.zip"))) as archive:
        archive.extractall(tmp_path)
    tile = done.pictured[0].box
    (first,) = tmp_path.glob("00001_*.png")
    with rasterio.open(first) as picture:
        assert picture.transform @ (0, 0) == pytest.approx(PLACE @ (tile.x_min, tile.y_min))
        assert picture.transform @ (tile.width, tile.height) == pytest.approx(
            PLACE @ (tile.x_max, tile.y_max)
        )
    assert rasterio.crs.CRS.from_wkt((tmp_path / "scene.prj").read_text()).is_projected
    assert json.loads((tmp_path / "run.json").read_text())["credit"] == CREDIT


def test_the_report_is_one_file_that_asks_for_nothing(finished: Make) -> None:
    done = mars(finished)
    text = made(done, "report.html").decode()
    assert set(re.findall(r'(?:src|href)="([^,"]*)', text)) == {"data:image/jpeg;base64"}
    assert "http://" not in text.replace(done.store.record.model_path, "")
    assert "bright; &lt;b&gt;square&lt;/b&gt;" in text
    assert text.count("<figure>") == len(done.detections)
    assert text.index("Hardware, 1") < text.index("Not reviewed")
    assert CREDIT in text
    assert done.store.record.model_sha256 in text


def test_the_record_holds_card_credit_and_counts(finished: Make) -> None:
    with zipfile.ZipFile(io.BytesIO(made(mars(finished), "tiles.zip"))) as archive:
        record = json.loads(archive.read("run.json"))
    assert record["model"]["card"]["hole"] == 64
    assert record["reviewed"]["hardware"] == 1


def test_only_confirmed_places_keep_their_ranks(finished: Make) -> None:
    done = finished(sigma=1.0)
    third = done.detections[2]
    said = {third.place: Decision(third.place, Verdict.HARDWARE)}
    said[done.detections[0].place] = Decision(done.detections[0].place, Verdict.NATURAL)
    only = replace(done, decisions=said, confirmed=True)
    rows = list(csv.DictReader(io.StringIO(made(only, "detections.csv").decode())))
    assert [(row["rank"], row["verdict"]) for row in rows] == [("3", "hardware")]
    assert len(only.pictured) == 1


def test_no_room_for_temporary_files_is_not_called_a_fault_of_the_folder(
    finished: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Finished) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    broken = replace(products.PRODUCTS[0], make=full)
    monkeypatch.setattr(products, "IN_FOLDER", (broken,))
    with pytest.raises(StoreError, match="make room or set TMPDIR"):
        products.write_results(tmp_path / "out", finished())
