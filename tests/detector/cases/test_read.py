"""Areas, names, tables and hostile files of `../shared/cases`: read, or refused in one line."""

from __future__ import annotations

import io
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from rasterio import Affine

from dashboard.__main__ import main
from dashboard.detector import (
    Change,
    Detection,
    OptionError,
    Region,
    UnknownFormat,
    Verdict,
    ingest,
    read_verdicts,
)
from dashboard.detector.tiling import Box
from tests.detector import rasters
from tests.models import plain_model

RADIUS = 3_396_190.0  # metres
PLACES = [(404, 308), (616, 340)]  # px, of the tables


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("15-jp2-subsampled/subsampled.jp2", "subsampled JPEG 2000"),
        ("20-tiff-kinds/t-jpegxl.tif", "compressed by JXL"),
        ("20-tiff-kinds/t-jpeg2000.tif", "compressed by JP"),
    ],
)
def test_what_is_sound_is_not_called_damaged(cases: Path, name: str, words: str) -> None:
    with pytest.raises(UnknownFormat, match=words) as caught:
        ingest(cases / name)
    assert "damaged" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"), [("orient.tif", "orientation 4"), ("pages.tif", "first of its 3 pages")]
)
def test_case_20_tiff_kinds_say_what_is_left_out(cases: Path, name: str, words: str) -> None:
    assert words in " ".join(ingest(cases / "20-tiff-kinds" / name).notes)


AREAS = "bom crs-null null-geometry iau-colon iau-short ogr-iau west-180 clockwise z utf16 epsg4326"


@pytest.mark.parametrize("name", [*(f"{one}.geojson" for one in AREAS.split()), "ogr-iau.gpkg"])
def test_case_21_areas_are_taken_however_they_were_written(cases: Path, name: str) -> None:
    scene = ingest(cases / "00-base" / "base.tif")
    plain, found = (
        Region.of(str(cases / "21-areas" / one), scene) for one in ("plain.geojson", name)
    )
    assert found.bounds == plain.bounds == Box(300, 200, 600, 500)


@pytest.mark.parametrize("name", ["globe.geojson", "half.geojson"])
@pytest.mark.parametrize("west", [0, -180])
def test_case_21_areas_may_be_wider_than_half_a_globe(
    cases: Path, tmp_path: Path, name: str, west: float
) -> None:
    metre = math.radians(RADIUS)
    globe = rasters.write(
        tmp_path / "globe.tif",
        rasters.ground(512, 1024),
        crs=rasters.MARS,
        transform=Affine(360 / 1024 * metre, 0, west * metre, 0, -180 / 512 * metre, 90 * metre),
    )
    scene = ingest(globe)
    region = Region.of(str(cases / "21-areas" / name), scene)
    wanted = 1 if name == "globe.geojson" else 200 / 360
    covered = sum(abs(area(ring)) for polygon in region.polygons for ring in polygon)
    assert covered == pytest.approx(wanted * 1024 * 512 * 120 / 180, rel=0.01)


def area(ring: list[tuple[float, float]]) -> float:
    xs, ys = np.array(ring).T
    return float(np.dot(xs[:-1], ys[1:]) - np.dot(xs[1:], ys[:-1])) / 2


def test_case_23_names_are_scanned_and_printed(
    cases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = str(plain_model(tmp_path / "plain.onnx"))
    for number, picture in enumerate(sorted((cases / "23-names" / "files").iterdir())):
        encoding = ("utf-8", "cp1252", "ascii")[number % 3]
        out = io.TextIOWrapper(io.BytesIO(), encoding, errors="strict", write_through=True)
        monkeypatch.setattr(sys, "stdout", out)
        code = main(["scan", "--model", model, "--out", str(tmp_path / "out"), "--", str(picture)])
        assert code == (0 if picture.is_file() else 2), picture
        assert out.buffer.getvalue().count(b"\n") == (2 if picture.is_file() else 0), picture  # type: ignore[attr-defined]


SAVED = "plain bom crlf cr-only semicolon semicolon-decimal-comma tab utf16-tab cp1252 reordered "
SAVED += "upper-header title-verdict spaces-in-header quoted-all sep-line extra-empty-lines "
SAVED += "float-x ragged nul no-note-column"


@pytest.mark.parametrize("name", SAVED.split())
def test_case_25_verdict_csv_is_read_as_it_was_saved(cases: Path, name: str) -> None:
    places = [Detection(1, 5.0, 1.0, x, y, Box(0, 0, 9, 9), 0, 0, 1) for x, y in PLACES]
    content = (cases / "25-verdict-csv" / f"{name}.csv").read_bytes()
    told = [("bright, with shadow", "lander"), ("Ümläut", "")]
    if name == "no-note-column":
        told = [(None, None)] * 2
    said = (Verdict.HARDWARE, Verdict.NATURAL)
    wanted = [
        (one.place, Change(verdict, *words))
        for one, verdict, words in zip(places, said, told, strict=True)
    ]
    returned = read_verdicts(content, places)
    assert (returned.changes, returned.strangers) == (wanted, 0)


def test_case_25_a_verdict_that_is_none_is_said(cases: Path) -> None:
    content = (cases / "25-verdict-csv" / "synonym.csv").read_bytes()
    with pytest.raises(OptionError, match="lander!"):
        read_verdicts(content, [])


HOSTILE = {
    "takes-4.5-GB.jp2": 0,
    "traceback-broken-projection.tif": 0,
    "traceback-unequal-depths.jp2": 2,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_picture_is_read_or_one_line(
    cases: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert main(["info", str(cases / "hostile" / name)]) == HOSTILE[name]
    assert capsys.readouterr().err.count("\n") == bool(HOSTILE[name])


@pytest.mark.parametrize(
    "option",
    [
        ("--area", "traceback-4b9b1ea7.geojson"),
        ("--area", "traceback-7717a46d.geojson"),
        ("--area", "traceback-b9b01dc0.geojson"),
        ("--model", "traceback-card-not-utf8.onnx"),
    ],
)
def test_a_hostile_option_is_one_line(
    cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: tuple[str, str]
) -> None:
    base = str(cases / "00-base" / "base.tif")
    given = [option[0], str(cases / "hostile" / option[1])]
    assert main(["scan", base, "--out", str(tmp_path), *given]) == 2
    assert capsys.readouterr().err.count("\n") == 1
