"""Files out of a real browser into the tools of the field, and back."""

from __future__ import annotations

import hashlib
import json
import math
import zipfile
from pathlib import Path

import numpy as np
import pandas
import pyogrio
import pytest
import rasterio
from playwright.sync_api import Browser, BrowserContext, Page, expect

from dashboard.background.uploads import DEMO
from dashboard.detector import CREDIT, PRODUCTS, RUN_RECORD, Change, Detection, Verdict, Verdicts
from tests.browser.scanned import SIGMA, Scanned, rest

# The demo scene's own place on Mars: 0.25 m a pixel from here, on a sphere, about meridian 0.
LEFT, TOP, METRES, RADIUS = 8_145_600.0, -272_100.0, 0.25, 3_396_190.0
NOTE = "folds; <b>bright</b>"


@pytest.fixture
def parachute(scanned: Scanned) -> Detection:
    """The strongest place on the parachute, called hardware; another is called natural."""
    truth = json.loads(DEMO.with_name("landing-site.truth.json").read_text())
    (box,) = (one["box"] for one in truth["objects"] if one["kind"] == "parachute")
    found = next(
        one
        for one in scanned.finds
        if box[0] - 24 <= one.x < box[2] + 24 and box[1] - 24 <= one.y < box[3] + 24
    )
    other = next(one for one in scanned.finds if one != found)
    said = [
        (found.place, Change(Verdict.HARDWARE, NOTE, "parachute")),
        (other.place, Change(Verdict.NATURAL)),
    ]
    Verdicts(scanned.home).decide(scanned.subject, said, "ann")
    return found


@pytest.fixture
def results(context: BrowserContext, scanned: Scanned, parachute: Detection) -> Page:
    return scanned.open(context.new_page(), "results")


def take(page: Page, name: str, folder: Path) -> Path:
    """A product as the browser saves it."""
    with page.expect_download() as waiting:
        page.locator(f".st-key-download-{name.replace('.', '-')}").get_by_role("link").click()
    assert waiting.value.suggested_filename == f"landing-site-{name}"
    path = folder / name
    waiting.value.save_as(path)
    return path


def on_mars(x: float, y: float) -> tuple[float, float]:
    """Easting and northing in m of a pixel of the demo scene."""
    return LEFT + METRES * x, TOP - METRES * y


def test_every_product_puts_the_parachute_where_it_lies_on_mars(
    results: Page, scanned: Scanned, parachute: Detection, tmp_path: Path
) -> None:
    easting, northing = on_mars(parachute.x, parachute.y)
    lon, lat = math.degrees(easting / RADIUS), math.degrees(northing / RADIUS)
    expect(results.locator(".needle-take")).to_have_count(len(PRODUCTS) + 1)
    for product in (*PRODUCTS, RUN_RECORD):
        expect(results.get_by_text(product.good_for)).to_be_visible()
    table = pandas.read_csv(take(results, "detections.csv", tmp_path))
    assert len(table) == len(scanned.finds)
    (row,) = table[table.verdict == "hardware"].itertuples()
    assert (row.lon, row.lat) == pytest.approx((lon, lat), abs=1e-6)
    assert (row.name, row.note, row.reviewer) == ("parachute", NOTE, "ann")

    meta, _, shapes, _ = pyogrio.raw.read(
        take(results, "detections.geojson", tmp_path), where="verdict = 'hardware'"
    )
    assert np.frombuffer(shapes[0][5:], "<f8") == pytest.approx((lon, lat), abs=1e-6)
    assert "Mars" in rasterio.crs.CRS.from_user_input(meta["crs"]).to_wkt()

    package = take(results, "detections.gpkg", tmp_path)
    meta, _, shapes, _ = pyogrio.raw.read(package, layer="detections", where="verdict = 'hardware'")
    assert np.frombuffer(shapes[0][5:], "<f8") == pytest.approx((easting, northing), abs=1e-3)
    assert rasterio.crs.CRS.from_user_input(meta["crs"]) == rasterio.crs.CRS.from_wkt(
        scanned.scene.crs
    )
    record = dict(zip(*pyogrio.raw.read(package, layer="run")[3], strict=True))
    assert record["credit"] == CREDIT

    with rasterio.open(take(results, "scores.tif", tmp_path)) as cog:
        assert cog.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert cog.tags()["TIFFTAG_COPYRIGHT"] == CREDIT
        ((score,),) = cog.sample([(easting, northing)])
    assert score == pytest.approx(row.score, rel=1e-5)


def test_tiles_lie_where_their_world_files_say_and_the_record_tells_how(
    results: Page, scanned: Scanned, parachute: Detection, tmp_path: Path
) -> None:
    results.get_by_text("Only confirmed", exact=True).click()
    expect(results.get_by_text("1 confirmed place beyond")).to_be_visible()
    rest(results)
    with zipfile.ZipFile(take(results, "tiles.zip", tmp_path)) as archive:
        archive.extractall(tmp_path)
    (path,) = tmp_path.glob("*.png")
    with rasterio.open(path) as tile:
        left, bottom, right, top = tile.bounds
    easting, northing = on_mars(parachute.x, parachute.y)
    assert left < easting < right
    assert bottom < northing < top
    assert right - left == pytest.approx(METRES * tile.width)
    record = json.loads((tmp_path / "run.json").read_text())
    files = [take(results, name, tmp_path) for name in ("detections.csv", "scores.tif")]
    taken = json.loads(take(results, RUN_RECORD.name, tmp_path).read_text())
    checksums = taken.pop("sha256")
    assert set(checksums) == {"detections.geojson", "tiles.zip"} | {path.name for path in files}
    for path in files:
        assert checksums[path.name] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert record == taken | {"sha256": {}}
    assert record["model"]["card"]["title"]
    assert record["scene"]["sha256"] == scanned.store.record.scene_sha256
    assert record["settings"]["sigma"] == SIGMA
    assert record["credit"] == CREDIT


def test_the_report_opens_without_a_network(
    results: Page, browser: Browser, scanned: Scanned, tmp_path: Path
) -> None:
    path = take(results, "report.html", tmp_path)
    context = browser.new_context(offline=True)
    try:
        page, asked, wrong = context.new_page(), [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: wrong.append(message.text))
        page.goto(path.as_uri())
        expect(page.get_by_role("heading", name="Hardware, 1")).to_be_visible()
        expect(page.get_by_text(NOTE)).to_be_visible()
        expect(page.get_by_text(CREDIT, exact=True)).to_be_visible()
        sides = page.locator("img").evaluate_all("all => all.map(one => one.naturalWidth)")
        assert len(sides) == len(scanned.finds) + 1
        assert min(sides) >= 84
        assert not wrong
        assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    finally:
        context.close()


def test_verdicts_come_back_from_a_table(results: Page, scanned: Scanned, tmp_path: Path) -> None:
    table = take(results, "detections.csv", tmp_path)
    before = {place: one.said for place, one in scanned.decisions.items()}
    scanned.forget()
    results.get_by_text("Bring verdicts back").click()
    results.locator("input[type=file]").set_input_files(table)
    results.get_by_role("button", name="File these verdicts").click()
    expect(results.get_by_text("2 places changed.")).to_be_visible()
    assert {place: one.said for place, one in scanned.decisions.items()} == before
    assert len({one.action for one in scanned.history}) == 1  # one undo takes it all back
