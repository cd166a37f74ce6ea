"""World files beside a picture place it, with the CRS beside them; never an upload."""

from __future__ import annotations

from pathlib import Path

import pytest
from rasterio import Affine
from rasterio.crs import CRS

from dashboard.detector import ingest, needle_home
from tests.detector import rasters

PLACE = Affine(0.5, 0.1, 8_146_000, 0.1, -0.5, -272_000)
WORLD = "0.5\n0.1\n0.1\n-0.5\n8146000.3\n-272000.2\n"


def laid(folder: Path, name: str, world: str, crs: bool = True, **how: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = rasters.write(folder / name, rasters.ground(), **how)
    path.with_suffix(world).write_text(WORLD)
    if crs:
        wkt = CRS.from_user_input(rasters.MARS).to_wkt(version="WKT1_ESRI")
        path.with_suffix(".prj").write_text(wkt)
    return path


@pytest.mark.parametrize(
    ("name", "world"),
    [
        ("a.png", ".pgw"),
        ("a.jpg", ".jgw"),
        ("a.tif", ".TFW"),
        ("a.jp2", ".wld"),
        ("a.png", ".pngw"),
    ],
)
def test_a_world_file_places_its_picture(tmp_path: Path, name: str, world: str) -> None:
    scene = ingest(laid(tmp_path, name, world))
    assert scene.transform == pytest.approx(tuple(PLACE)[:6])
    assert scene.lonlat(10, 10) is not None
    assert f"placed by a{world} and a.prj" in scene.notes[-1]


def test_without_a_crs_it_is_a_plane(tmp_path: Path) -> None:
    scene = ingest(laid(tmp_path, "a.png", ".pgw", crs=False))
    assert scene.crs is None
    assert scene.transform == pytest.approx(tuple(PLACE)[:6])


def test_the_label_of_the_picture_wins(tmp_path: Path) -> None:
    own = Affine(2, 0, 5, 0, -2, 5)
    scene = ingest(laid(tmp_path, "a.tif", ".tfw", crs=False, transform=own))
    assert scene.transform == tuple(own)[:6]
    assert "a.tfw beside it does not place it" in scene.notes[0]


def test_a_world_file_that_says_the_same_is_not_spoken_of(tmp_path: Path) -> None:
    assert ingest(laid(tmp_path, "a.tif", ".tfw", crs=False, transform=PLACE)).notes == ()


def test_a_crs_beside_a_picture_that_lacks_it_is_taken(tmp_path: Path) -> None:
    path = laid(tmp_path, "a.tif", ".tfw", transform=PLACE)
    path.with_suffix(".tfw").unlink()
    scene = ingest(path)
    assert scene.lonlat(10, 10) is not None
    assert scene.notes == ("its CRS is that of a.prj beside it",)


def test_what_lies_beside_an_upload_is_not_its_own(tmp_path: Path) -> None:
    scene = ingest(laid(needle_home() / "uploads", "a.png", ".pgw"))
    assert scene.transform is None


def test_another_world_file_is_another_place(tmp_path: Path) -> None:
    path = laid(tmp_path, "a.png", ".pgw")
    first = ingest(path)
    path.with_suffix(".pgw").write_text(WORLD.replace("8146000", "8147000"))
    assert ingest(path).transform != first.transform
    path.with_suffix(".pgw").unlink()
    assert ingest(path).transform is None


@pytest.mark.parametrize(
    "content",
    [
        WORLD.replace("\n", "\r\n").encode(),
        WORLD.encode("utf-8-sig"),
        WORLD.encode("utf-16"),
        WORLD.replace(".", ",").encode(),
        WORLD.replace("-272000.2", "-2.720002E5").encode(),
        WORLD.replace("-272000.2", "-2.720002D+05").encode(),
        f"{WORLD}\nmade by hand\n".encode(),
    ],
    ids=["CRLF", "BOM", "UTF-16", "commas", "E5", "D+05", "more words"],
)
def test_a_world_file_is_read_however_it_was_saved(tmp_path: Path, content: bytes) -> None:
    path = laid(tmp_path, "a.png", ".pgw")
    path.with_suffix(".pgw").write_bytes(content)
    assert ingest(path).transform == pytest.approx(tuple(PLACE)[:6])


def test_a_turned_picture_is_placed(tmp_path: Path) -> None:
    path = laid(tmp_path, "a.png", ".pgw")
    path.with_suffix(".pgw").write_text("0\n-0.5\n-0.5\n0\n8146000\n-272000\n")
    scene = ingest(path)
    assert scene.transform == (0, -0.5, 8_146_000.25, -0.5, 0, -271_999.75)
    assert scene.pixel_size == pytest.approx(0.5)
    lon, lat = scene.lonlat(0, 100) or (0, 0)
    assert lon < (scene.lonlat(0, 0) or (0, 0))[0]
    assert lat == pytest.approx((scene.lonlat(0, 0) or (0, 0))[1])


WKT = CRS.from_user_input(rasters.MARS).to_wkt()
PROJ = "+proj=eqc +R=3396190 +lon_0=0 +units=m +no_defs"


@pytest.mark.parametrize(
    "content",
    [
        WKT.encode("utf-8-sig"),
        WKT.encode("utf-16"),
        rasters.MARS.encode(),
        PROJ.encode(),
        CRS.from_user_input(rasters.MARS).to_wkt(version="WKT2_2019").encode(),
    ],
    ids=["BOM", "UTF-16", "name", "PROJ", "WKT2"],
)
def test_a_crs_is_read_however_it_was_saved(tmp_path: Path, content: bytes) -> None:
    path = laid(tmp_path, "a.png", ".pgw")
    truth = ingest(path).lonlat(10, 10)
    path.with_suffix(".prj").write_bytes(content)
    assert ingest(path).lonlat(10, 10) == pytest.approx(truth)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"hello", b'PROJCS["x"', b"\0\1\2", b"secret.wkt", b"EPSG:0", b"http://localhost/x"),
        b"+proj=longlat +nadgrids=secret.gsb",
        b"+init=secret:1",
    ],
)
def test_what_lies_beside_it_and_cannot_be_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    path = laid(tmp_path, "a.png", ".pgw")
    path.with_suffix(".prj").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    Path("secret.wkt").write_text(WKT)
    assert "a.prj beside it is left out" in " ".join(ingest(path).notes)
    path.with_suffix(".pgw").write_bytes(content)
    assert "a.pgw beside it is left out" in " ".join(ingest(path).notes)


def test_a_crs_alone_is_said_to_say_nothing(tmp_path: Path) -> None:
    path = laid(tmp_path, "a.png", ".pgw")
    path.with_suffix(".pgw").unlink()
    scene = ingest(path)
    assert scene.crs is None
    assert scene.notes == ("a.prj beside it says nothing without a world file",)


def test_side_cars_of_gdal_are_said_to_be_left_out(tmp_path: Path) -> None:
    path = rasters.write(tmp_path / "a.png", rasters.ground())
    more = path.with_name("a.png.aux.xml")
    more.write_text("<PAMDataset><Metadata/></PAMDataset>")
    assert ingest(path).notes == ()
    more.write_text("<PAMDataset><SRS>x</SRS></PAMDataset>")
    path.with_name("a.png.msk").write_bytes(b"mask")
    notes = " ".join(ingest(path).notes)
    assert "a.png.aux.xml beside it is not read" in notes
    assert "a.png.msk beside it is not read" in notes
