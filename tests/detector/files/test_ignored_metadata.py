"""Ignored metadata is named: orientation, further pages."""

from __future__ import annotations

from pathlib import Path

import pytest
import rasterio
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2
from rasterio import Affine

from dashboard.detector import ingest
from tests.detector import rasters


@pytest.mark.parametrize(
    "name", ["turned.tif", "turned.jpg", "turned.png", "large.tif", "other.tif"]
)
def test_an_orientation_is_named(tmp_path: Path, name: str) -> None:
    picture, path = Image.fromarray(rasters.ground(300, 400)), tmp_path / name
    if name == "other.tif":  # of 16 bits, whose higher byte comes first
        picture = Image.fromarray(rasters.ground(300, 400).astype(">u2"))
    if name.endswith("tif"):
        tags = ImageFileDirectory_v2()
        tags[274] = 4
        picture.save(path, tiffinfo=tags, big_tiff=name == "large.tif")
    else:
        exif = Image.Exif()
        exif[274] = 4
        picture.save(path, exif=exif, **({"quality": 95} if name.endswith("jpg") else {}))
    (note,) = ingest(path).notes
    assert "orientation 4" in note


def test_further_pages_are_counted(tmp_path: Path) -> None:
    pages = [Image.fromarray(rasters.ground(300, 400, seed=seed)) for seed in range(3)]
    path = tmp_path / "pages.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    (note,) = ingest(path).notes
    assert "first of its 3 pages" in note


def test_further_frames_are_named(tmp_path: Path) -> None:
    frames = [Image.fromarray(rasters.ground(300, 400, seed=seed)) for seed in range(3)]
    path = tmp_path / "moving.png"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    (note,) = ingest(path).notes
    assert "first of its frames" in note


def test_overviews_are_no_pages(tmp_path: Path) -> None:
    path = rasters.write(
        tmp_path / "plain.tif", rasters.ground(600, 600), transform=Affine.scale(2)
    )
    with rasterio.open(path, "r+") as out:
        out.build_overviews([2, 4])
    assert ingest(path).notes == ()
