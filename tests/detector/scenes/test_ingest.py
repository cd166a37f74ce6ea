"""Ingest: every source read once along its blocks, cached by content, whole or not there."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader
from rasterio.windows import Window

from dashboard.detector import Box, Model, ScanStore, Scene, StoreError, ingest, scan
from dashboard.detector.files import openjpeg
from dashboard.detector.files.formats import open_picture
from dashboard.detector.files.picture import BT601, Picture
from tests.detector import rasters

Scenes = Callable[..., Scene]
RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)


def whole(scene: Scene) -> np.ndarray:
    return scene.read(Box(0, 0, scene.width, scene.height)).dn


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("scene.png", "uint8"),
        ("scene.png", "uint16"),
        ("scene.tif", "uint8"),
        ("scene.tif", "uint16"),
        ("scene.tif", "int16"),
        ("scene.tif", "int32"),
        ("scene.tif", "float32"),
        ("scene.tif", "float64"),
        ("scene.jp2", "uint8"),
        ("scene.jp2", "uint16"),
    ],
)
def test_pixels_come_through_unchanged(scene_of: Scenes, name: str, dtype: str) -> None:
    pixels = rasters.ground(700, 900, dtype)
    if dtype == "uint16":
        pixels *= 5
    scene = scene_of(pixels, name)
    np.testing.assert_array_equal(whole(scene), pixels.astype(np.float32))
    assert (scene.dtype, scene.valid_fraction) == (dtype, 1)
    assert scene.centre == np.median(pixels.astype(np.float32))


def test_jpeg_comes_through_as_it_decodes(scene_of: Scenes) -> None:
    pixels = rasters.ground(700, 900)
    assert np.abs(whole(scene_of(pixels, "scene.jpg")) - pixels).mean() < 4


@pytest.mark.parametrize("name", ["scene.png", "scene.tif", "scene.jp2"])
def test_colours_become_luminance(scene_of: Scenes, name: str) -> None:
    rng = np.random.default_rng(0)
    colours = rng.integers(1, 255, (3, 400, 500)).astype(np.uint8)
    luma = sum(weight * band for weight, band in zip(BT601, colours.astype(float), strict=True))
    found = whole(scene_of(colours, name, colorinterp=RGB))
    assert np.abs(found - luma).max() <= 0.5 + 1e-4


def test_colours_of_16_bits_need_not_be_named(scene_of: Scenes) -> None:
    grey = rasters.ground(400, 500, "uint16") * 4
    grey[:, :50] = 0
    colours = np.stack([grey, grey // 2, grey // 3])
    colours[1:, :, :60] = 0  # narrower swaths
    interp = (ColorInterp.gray, ColorInterp.undefined, ColorInterp.undefined)
    found = scene_of(colours, "irb.tif", colorinterp=interp)
    like_its_jp2 = scene_of(colours, "irb.jp2")
    np.testing.assert_array_equal(whole(found), whole(like_its_jp2))
    assert found.valid_fraction == like_its_jp2.valid_fraction == pytest.approx(0.88)
    assert "read as colours" in found.notes[0]


def test_clear_pixels_are_nodata(scene_of: Scenes) -> None:
    pixels = rasters.ground(400, 500)
    alpha = np.full_like(pixels, 255)
    alpha[:, :100] = 0
    grey = scene_of(np.stack([pixels, alpha]), "ga.png")
    colour = scene_of(np.stack([pixels] * 3 + [alpha]), "rgba.png")
    for scene in (grey, colour):
        assert scene.valid_fraction == pytest.approx(0.8)
        np.testing.assert_array_equal(whole(scene)[:, 100:], pixels[:, 100:])


def test_a_palette_is_looked_up(scene_of: Scenes) -> None:
    index = (np.arange(400 * 500).reshape(400, 500) % 3 + 1).astype(np.uint8)
    colormap = {1: (10, 10, 10, 255), 2: (200, 0, 0, 255), 3: (0, 0, 255, 255)}
    scene = scene_of(index, "palette.tif", colormap=colormap)
    levels = np.array([0, 10, round(0.299 * 200), round(0.114 * 255)])
    np.testing.assert_array_equal(whole(scene), levels[index])


def test_bits_are_those_declared_or_those_used(scene_of: Scenes) -> None:
    pixels = rasters.ground(400, 500, "uint16") * 4
    assert scene_of(pixels, "tagged.jp2", NBITS=12).bits == 12
    assert scene_of(pixels, "used.tif").bits == int(pixels.max()).bit_length()
    assert scene_of(rasters.ground(400, 500), "byte.png").bits == 8


@pytest.mark.usefixtures("decoded_here")
def test_the_same_content_is_ingested_once_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = rasters.write(tmp_path / "first.png", rasters.ground())
    second = tmp_path / "second.dat"
    second.write_bytes(first.read_bytes())
    scene = ingest(first)
    written = scene.path.stat().st_mtime_ns
    monkeypatch.setattr(Picture, "read", lambda *_: pytest.fail("decoded again"))
    again = ingest(second)
    assert (again.path, again.name) == (scene.path, "second.dat")
    assert again.path.stat().st_mtime_ns == written
    assert ingest(first, name="as the user says.png").name == "as the user says.png"


@pytest.mark.usefixtures("decoded_here")
def test_a_crash_leaves_nothing_that_passes_for_a_scene(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = rasters.write(tmp_path / "scene.png", rasters.ground(2600, 700))
    read = Picture.read

    def power_cut(self: Picture, box: Box) -> Any:
        if box.y_min > 0:
            raise SystemError("power cut")
        return read(self, box)

    monkeypatch.setattr(Picture, "read", power_cut)
    with pytest.raises(SystemError):
        ingest(path)
    assert not list((home / "scenes").glob("*.tif"))
    monkeypatch.undo()
    assert ingest(path, home).height == 2600


def test_what_was_spoilt_is_ingested_again(tmp_path: Path) -> None:
    path = rasters.write(tmp_path / "scene.png", rasters.ground())
    scene = ingest(path)
    scene.path.write_bytes(b"rubbish")
    assert ingest(path) == scene
    assert whole(ingest(path)).shape == (300, 400)


def test_old_leftovers_are_swept_and_young_ones_left(tmp_path: Path, home: Path) -> None:
    scenes = home / "scenes"
    old, young = scenes / ".ingest-old", scenes / ".ingest-young"
    for folder in (old, young):
        folder.mkdir(parents=True)
        (folder / "raw.tif").write_bytes(b"x")
    os.utime(old, (time.time() - 1e6,) * 2)
    ingest(rasters.write(tmp_path / "scene.png", rasters.ground()))
    assert not old.exists()
    assert young.exists()


@pytest.mark.usefixtures("decoded_here")
@pytest.mark.skipif(not openjpeg.available(), reason="needs the library OpenJPEG, 2.5 or newer")
def test_no_row_of_one_tile_is_decoded_twice_in_a_scan(
    tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = rasters.write(tmp_path / "scene.jp2", rasters.ground(2600, 2300))
    seen: Counter[int] = Counter()
    read = openjpeg.OpenJpeg.read

    def counted(self: openjpeg.OpenJpeg, box: Box) -> Any:
        assert (box.x_min, box.x_max) == (0, 2300)
        seen.update(range(box.y_min, box.y_max))
        return read(self, box)

    monkeypatch.setattr(openjpeg.OpenJpeg, "read", counted)
    scene = ingest(path)
    for _ in scan(ScanStore.for_scan(scene, model, 256), scene, model):
        pass
    assert seen == dict.fromkeys(range(2600), 1)


@pytest.mark.usefixtures("decoded_here")
@pytest.mark.parametrize("name", ["scene.jp2", "scene.png", "scene.tif", "scene.jpg"])
def test_no_native_block_is_decoded_twice_in_a_scan(
    tmp_path: Path, name: str, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openjpeg, "available", lambda: False)
    tiled = {"tiled": True} if name.endswith(".tif") else {}
    path = rasters.write(tmp_path / name, rasters.ground(2600, 2300), **tiled)
    with open_picture(path) as source:
        rows, cols = source.block_shapes[0]
    seen: Counter[tuple[int, int]] = Counter()
    read = DatasetReader.read

    def counted(self: DatasetReader, *bands: Any, window: Window, **how: Any) -> Any:
        if Path(self.name) == path:
            x_last = (window.col_off + window.width - 1) // cols
            y_last = (window.row_off + window.height - 1) // rows
            seen.update(
                (x, y)
                for x in range(window.col_off // cols, x_last + 1)
                for y in range(window.row_off // rows, y_last + 1)
            )
        return read(self, *bands, window=window, **how)

    monkeypatch.setattr(DatasetReader, "read", counted)
    scene = ingest(path)
    for _ in scan(ScanStore.for_scan(scene, model, 256), scene, model):
        pass
    assert len(seen) == -(-2600 // rows) * -(-2300 // cols)
    assert set(seen.values()) == {1}


def test_progress_rises_to_one(tmp_path: Path) -> None:
    parts: list[float] = []
    ingest(rasters.write(tmp_path / "s.png", rasters.ground(2600, 700)), on_progress=parts.append)
    assert parts == sorted(parts)
    assert len(parts) > 3
    assert parts[-1] == 1


def test_a_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    path = rasters.write(tmp_path / "scene.png", rasters.ground())
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="make room or set NEEDLE_HOME"):
        ingest(path, tmp_path / "file")


def test_a_large_file_is_known_until_it_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = sys.modules["dashboard.detector.scenes.ingest"]
    monkeypatch.setattr(reading, "LARGE", 0)
    path = rasters.write(tmp_path / "scene.png", rasters.ground())
    first = ingest(path).sha256
    monkeypatch.setattr(reading, "_sha256_of", lambda _: pytest.fail("it was read again"))
    assert ingest(path).sha256 == first
    monkeypatch.undo()
    monkeypatch.setattr(reading, "LARGE", 0)
    rasters.write(path, rasters.ground(seed=1))
    assert ingest(path).sha256 != first
