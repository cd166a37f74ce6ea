"""Pathfinder's landing site, whole, from upload to download, with the shipped `guarded`."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dashboard.detector.models.model import EXPORTED
from tests.browser.scanned import expect_saved, open_drawer
from tests.browser.test_whole_way import flagged, turn_to, upload
from tests.detector import rasters

PICTURE = rasters.DATA / "scenes" / "pathfinder.png"
SCAN_SECONDS = 1200
WEAKER = 5  # steps of the slider to the left, a tenth of a sigma each


def download(page: Page, file: str) -> bytes:
    row = page.locator(f".st-key-download-{file.replace('.', '-')}")
    with page.expect_download() as waiting:
        row.get_by_role("link").click()
    assert waiting.value.suggested_filename == f"pathfinder-{file}"
    return Path(waiting.value.path()).read_bytes()


@pytest.mark.skipif(not PICTURE.exists(), reason="needs pathfinder.png of ../shared/data")
def test_pathfinder_from_upload_to_download(page: Page) -> None:
    upload(page, PICTURE)
    expect(page.get_by_text("pathfinder.png", exact=False).first).to_be_visible()
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name="guarded", exact=True).click()
    expect(page.get_by_text("on this machine")).to_be_visible()
    page.get_by_role("button", name="Scan", exact=True).click()
    expect(page.get_by_text("beyond 3 sigma in")).to_be_visible(timeout=SCAN_SECONDS * 1000)

    page.get_by_role("button", name="Review", exact=True).click()
    open_drawer(page)
    few = flagged(page)
    slider = page.get_by_role("slider", name="Threshold")
    slider.focus()
    for _ in range(WEAKER):
        slider.press("ArrowLeft")
    expect(page.get_by_text("2.5 σ", exact=True).first).to_be_visible()
    many = flagged(page, other_than=few)
    assert many > few > 0

    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(page.get_by_role("button", name="Natural 1", exact=True)).to_be_visible()
    expect_saved(page)
    turn_to(page, "Results")
    expect(page.get_by_text("beyond 2.5 sigma")).to_be_visible()
    rows = list(csv.DictReader(io.StringIO(download(page, "detections.csv").decode())))
    assert [row["rank"] for row in rows] == [str(rank + 1) for rank in range(len(rows))]
    assert [row["verdict"] for row in rows].count("natural") == 1
    with zipfile.ZipFile(io.BytesIO(download(page, "tiles.zip"))) as archive:
        assert sum(name.endswith(".png") for name in archive.namelist()) == len(rows)
    record = json.loads(download(page, "run.json"))
    shipped = hashlib.sha256((EXPORTED / "guarded.onnx").read_bytes()).hexdigest()
    assert record["model"]["sha256"] == shipped
