"""The whole way through in a real browser: choose, scan, threshold, review, download."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from dashboard.background.uploads import DEMO
from dashboard.detector import PRODUCTS, Box, ingest
from tests.browser.scanned import card, open_drawer
from tests.detector import rasters

SIDE = 640  # px of the crop; 81 tiles


@pytest.fixture
def crop(tmp_path: Path) -> Path:
    """A piece of the demo scene with its parachute in the middle, as a PNG."""
    truth = json.loads(DEMO.with_name("landing-site.truth.json").read_text())
    parachute = next(one for one in truth["objects"] if one["kind"] == "parachute")
    x, y = Box(*parachute["box"]).centre
    left, top = round(x) - SIDE // 2, round(y) - SIDE // 2
    dn = ingest(DEMO, tmp_path / "home").read(Box(left, top, left + SIDE, top + SIDE)).dn
    return rasters.write(tmp_path / "crop.png", dn.astype(np.uint16))


def upload(page: Page, *paths: Path) -> None:
    page.get_by_text("Upload", exact=True).click()
    page.locator("input[type=file]").set_input_files([str(path) for path in paths])


def choose(page: Page, model: str) -> None:
    """Choose a model by its name; the article's scores tiles that can be counted by heart."""
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name=model, exact=True).click()
    expect(page.get_by_role("combobox", name="Stride")).to_have_value(re.compile("^48 px"))


def scan(page: Page) -> None:
    page.get_by_role("button", name="Scan", exact=True).click()
    expect(page.get_by_text("beyond 3 sigma in")).to_be_visible(timeout=180_000)


def turn_to(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()


def flagged(page: Page, other_than: int = -1) -> int:
    """How many tiles or positions the review page says are flagged, when it says another number."""
    line = page.locator("text=/flagged (tiles?|positions?) of/").first
    expect(line).not_to_contain_text(f" in {other_than:,} flagged")  # the slider moves before it
    return int(line.inner_text().split(" in ")[1].split(" flagged")[0].replace(",", ""))


def download(page: Page, file: str) -> bytes:
    row = page.locator(".needle-take")
    with page.expect_download() as waiting:
        page.locator(f".st-key-download-{file.replace('.', '-')}").get_by_role("link").click()
    assert row.count() == len(PRODUCTS) + 1  # and the record of the run
    assert waiting.value.suggested_filename == f"crop-{file}"
    return Path(waiting.value.path()).read_bytes()


def test_upload_scan_threshold_review_download(page: Page, crop: Path) -> None:
    upload(page, crop)
    expect(page.get_by_text(f"{SIDE} x {SIDE} px")).to_be_visible()
    choose(page, "article")
    expect(page.get_by_text("on this machine")).to_be_visible()
    scan(page)
    page.get_by_role("button", name="Review", exact=True).click()

    open_drawer(page)
    expect(page.get_by_text("of 81")).to_be_visible()
    few = flagged(page)
    slider = page.get_by_role("slider", name="Threshold")
    slider.focus()
    for _ in range(25):
        slider.press("ArrowLeft")
    expect(page.get_by_text("0.5 σ", exact=True).first).to_be_visible()
    many = flagged(page, other_than=few)
    assert many > few

    expect(page.locator(".js-plotly-plot")).to_have_count(1)
    expect(page.get_by_role("application", name="Map of the scene")).to_be_visible()
    page.keyboard.press("Escape")
    place = page.locator(".known").get_by_text(re.compile("^x [0-9,]+, y"))
    first = place.inner_text()
    card(page, 2).click()
    expect(place).not_to_have_text(first)
    page.keyboard.press("ArrowLeft")
    expect(place).to_have_text(first)

    turn_to(page, "Results")
    expect(page.get_by_text("beyond 0.5 sigma")).to_be_visible()
    rows = list(csv.DictReader(io.StringIO(download(page, "detections.csv").decode())))
    assert rows[0]["rank"] == "1"
    assert first == f"x {float(rows[0]['x']):.0f}, y {float(rows[0]['y']):.0f} px"
    tiles = list(csv.DictReader(io.StringIO(download(page, "tiles.csv").decode())))
    assert len(tiles) == many
    with zipfile.ZipFile(io.BytesIO(download(page, "tiles.zip"))) as archive:
        pictures = [name for name in archive.namelist() if name.endswith(".png")]
        assert len(pictures) == many
        assert Image.open(archive.open(pictures[0])).size == (256, 256)


def test_the_demo_scene_is_one_click_away_and_a_scan_can_be_stopped(page: Page) -> None:
    expect(page.get_by_text("landing-site.jp2, grey from")).to_be_visible()
    choose(page, "article")
    page.get_by_role("button", name="Scan", exact=True).click()
    expect(page.get_by_text("tiles/s")).to_be_visible(timeout=180_000)
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.get_by_text("stopped at")).to_be_visible(timeout=180_000)
    page.get_by_role("button", name="Resume", exact=True).click()
    expect(page.get_by_text("tiles/s")).to_be_visible(timeout=180_000)


def test_a_page_can_be_opened_by_its_address_first(context: BrowserContext, dashboard: str) -> None:
    page = context.new_page()
    page.goto(f"{dashboard}/review")
    expect(page.get_by_text("Nothing scanned yet")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("link", name="frame")).to_have_count(0)


def test_each_broken_file_says_in_one_line_what_is_wrong(
    page: Page, crop: Path, tmp_path: Path
) -> None:
    empty, text = tmp_path / "empty.png", tmp_path / "text.jp2"
    empty.touch()
    text.write_text("This is no picture.")
    cut = rasters.truncate(rasters.write(tmp_path / "cut.png", rasters.ground(700, 700)))
    nodata = rasters.write(tmp_path / "nodata.tif", np.zeros((400, 400), np.uint16))
    upload(page, empty, text, cut, nodata, crop)
    for words in (
        "text.jp2: not a PNG, JPEG, TIFF or JPEG 2000 picture",
        "cut.png: the PNG file is damaged or cut off",
        "nodata.tif: every pixel is nodata",
    ):
        expect(page.get_by_role("alert").filter(has_text=words)).to_be_visible()
    for alert in page.get_by_role("alert").all():
        assert "\n" not in alert.inner_text().strip()
    expect(page.get_by_text(f"{SIDE} x {SIDE} px")).to_be_visible()  # the good one goes on
