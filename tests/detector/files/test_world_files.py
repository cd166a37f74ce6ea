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
    assert scene.notes == ()


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
