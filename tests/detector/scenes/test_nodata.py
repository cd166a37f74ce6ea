"""Nodata and holes: measured over the whole scene, whatever the strips it is read by."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rasterio import Affine
from scipy import ndimage

from dashboard.detector import Box, NoGround, Scene, ingest
from dashboard.detector.scenes import nodata
from dashboard.detector.scenes.nodata import AREA, Areas, as_dn, fill_holes
from tests.detector import rasters

Scenes = Callable[..., Scene]


def large_areas(mask: np.ndarray, minimum: int) -> np.ndarray:
    """The textbook way: label the whole mask at once."""
    labels, count = ndimage.label(mask)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    return np.asarray(sizes[labels] >= minimum)


@given(
    mask=hnp.arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 12))),
    cuts=st.sets(st.integers(1, 23), max_size=8),
    minimum=st.integers(1, 12),
    apart=st.sampled_from([1, nodata.APART]),
)
def test_areas_are_those_of_the_whole_mask_however_it_is_cut(
    mask: np.ndarray, cuts: set[int], minimum: int, apart: int
) -> None:
    with mock.patch.object(nodata, "APART", apart):
        found = areas_of(mask, cuts, minimum)
    np.testing.assert_array_equal(found, large_areas(mask, minimum))


def areas_of(mask: np.ndarray, cuts: set[int], minimum: int) -> np.ndarray:
    """The large areas of a mask that arrives in strips."""
    edges = [0, *sorted(cut for cut in cuts if cut < len(mask)), len(mask)]
    strips = [mask[start:end] for start, end in pairwise(edges)]
    areas = Areas(minimum, thin=1)
    for strip in strips:
        areas.add(strip)
    areas.settle()
    return np.concatenate(
        [areas.large(index, strip, 0, len(strip)) for index, strip in enumerate(strips)]
    )


@mock.patch.object(nodata, "APART", 1)
@given(
    blocks=hnp.arrays(bool, st.tuples(st.integers(4, 9), st.integers(1, 5)), fill=st.nothing()),
    lines=st.sets(st.integers(0, 40), max_size=3),
    strip=st.sampled_from([5, 6, 7, 11]),
)
def test_what_is_thin_is_no_area_however_it_is_cut(
    blocks: np.ndarray, lines: set[int], strip: int
) -> None:
    thin, minimum = 4, 20
    mask = np.kron(blocks, np.ones((5, 5), bool))
    for line in lines:
        mask[line : line + 2] = True
    cuts = range(0, len(mask) - thin, strip)
    edges = [*cuts, len(mask)]
    areas = Areas(minimum, thin)
    for start, end in pairwise(edges):
        areas.add(mask[start:end])
    areas.settle()
    found = []
    for index, (start, end) in enumerate(pairwise(edges)):
        top = max(0, start - 7)
        near = mask[top : end + 7]
        found.append(areas.large(index, near, start - top, end - start))
    np.testing.assert_array_equal(np.concatenate(found), large_areas(opened(mask, thin), minimum))


def opened(mask: np.ndarray, thin: int) -> np.ndarray:
    """The textbook way: run by run, beyond the border all of it missing."""

    def runs(line: np.ndarray) -> np.ndarray:
        labels, _ = ndimage.label(np.pad(line, thin, constant_values=True))
        return (np.bincount(labels)[labels] >= thin)[thin:-thin] & line

    return np.asarray(np.apply_along_axis(runs, 0, mask) & np.apply_along_axis(runs, 1, mask), bool)


LOST = {
    "two lines": (slice(300, 302), slice(None)),
    "eleven lines": (slice(300, 311), slice(None)),
    "two columns": (slice(None), slice(300, 302)),
    "two lines as far as a collar": (slice(300, 302), slice(200, None)),
}


@pytest.mark.parametrize(
    ("name", "value", "how", "lost"),
    [
        *(("scene.png", 0, {}, lost) for lost in LOST),
        ("scene.jp2", 0, {}, "two columns"),
        ("scene.tif", 7, {"nodata": 7}, "two lines as far as a collar"),
        ("scene.tif", np.nan, {}, "two lines as far as a collar"),
    ],
)
def test_lost_lines_are_filled_however_long(
    scene_of: Scenes, name: str, value: float, how: dict[str, float], lost: str
) -> None:
    dtype = "float32" if not 0 <= value < 256 else "uint8"
    pixels = rasters.ground(1300, 1300, dtype)
    pixels[:, 1200:] = value
    pixels[LOST[lost]] = value
    scene = scene_of(pixels, name, **how)
    patch = scene.read(Box(0, 0, 1200, 1300))
    assert patch.valid.all()
    assert patch.hole.sum() == (np.isnan(pixels) | (pixels == value))[:, :1200].sum()
    assert scene.valid_fraction == pytest.approx(12 / 13, abs=2e-3)


def test_slanted_streaks_and_dashes_are_filled(scene_of: Scenes) -> None:
    pixels = rasters.ground(900, 900)
    across = np.arange(100, 800)
    for thickness in range(3):
        pixels[across + thickness, across] = 0
    pixels[450:452, :450] = 0
    pixels[450:452, 460:] = 0
    scene = scene_of(pixels)
    assert scene.valid_fraction == 1
    assert scene.read(Box(0, 0, 900, 900)).hole.sum() == (pixels == 0).sum()


@pytest.mark.parametrize(("size", "nodata"), [(AREA - 1, False), (AREA, True)])
def test_an_untagged_area_of_zeros_is_nodata_from_1024_pixels(
    scene_of: Scenes, size: int, nodata: bool
) -> None:
    pixels = rasters.ground(700, 600)
    pixels[100:116, 100:164].flat[:size] = 0
    scene = scene_of(pixels)
    patch = scene.read(Box(90, 90, 180, 130))
    assert (~patch.valid).sum() == (size if nodata else 0)
    assert patch.hole.sum() == (0 if nodata else size)
    assert scene.nodata == (0 if nodata else None)


@pytest.mark.parametrize("name", ["scene.tif", "scene.jp2", "scene.png"])
def test_an_area_across_strips_is_measured_whole(scene_of: Scenes, name: str) -> None:
    pixels = rasters.ground(2600, 1300)
    pixels[1000:1060, 200:210] = 0  # 600 px above line 1024 and below it together
    pixels[1000:1060, 300:320] = 0  # 1,200 px
    pixels[200:210, 1000:1060] = 0
    pixels[300:320, 1000:1060] = 0
    scene = scene_of(pixels, name)
    whole = scene.read(Box(0, 0, 1300, 2600))
    np.testing.assert_array_equal(~whole.valid, large_areas(pixels == 0, AREA))
    np.testing.assert_array_equal(whole.hole, (pixels == 0) & whole.valid)


def test_a_hole_is_filled_with_what_lies_around_it(scene_of: Scenes) -> None:
    y, x = np.mgrid[0:600, 0:700]
    slope = (40 + 0.2 * x + 0.1 * y).astype(np.uint8)
    holed = slope.copy()
    holed[296:304, 346:354] = 0
    patch = scene_of(holed).read(Box(346, 296, 354, 304))
    assert patch.valid.all()
    assert patch.hole.all()
    assert np.abs(patch.dn - slope[296:304, 346:354]).max() <= 3


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf, -3.4028227e38, -3.4028235e38])
def test_special_values_of_floats_are_no_ground(scene_of: Scenes, special: float) -> None:
    pixels = rasters.ground(500, 600, "float32") / 1000
    pixels[:, :40] = special
    pixels[250, 300] = special
    scene = scene_of(pixels)
    assert scene.valid_fraction == pytest.approx(1 - 40 / 600)
    patch = scene.read(Box(0, 0, 600, 500))
    assert np.isfinite(patch.dn).all()
    assert patch.hole.sum() == 1
    assert (patch.dn[:, :40] == np.float32(scene.centre)).all()
    assert 0.05 < scene.centre < 0.25


def test_a_declared_value_counts_like_zero(scene_of: Scenes) -> None:
    pixels = np.maximum(rasters.ground(500, 600, "int16") - 100, 1)
    pixels[:100] = -32768
    scene = scene_of(pixels, nodata=-32768)
    assert scene.nodata == -32768
    assert scene.valid_fraction == pytest.approx(0.8)


def test_zero_in_a_dark_signed_picture_is_a_hole_not_a_border(scene_of: Scenes) -> None:
    pixels = rasters.ground(500, 600, "int16") - 130
    scene = scene_of(pixels)
    assert scene.valid_fraction == 1
    assert (pixels == 0).any()


def test_nodata_alone_is_no_ground(scene_of: Scenes) -> None:
    with pytest.raises(NoGround, match="every pixel is nodata"):
        scene_of(np.zeros((300, 300), np.uint16))
    with pytest.raises(NoGround, match="every valid pixel has DN 7"):
        scene_of(np.full((300, 300), 7, np.uint8))


def test_a_hole_without_ground_near_takes_the_centre() -> None:
    dn = np.zeros((1, 300), np.uint8)
    missing = np.ones(dn.shape, bool)
    fill_holes(dn, missing, missing.copy(), 99.6)
    assert (dn == 100).all()


def test_a_value_becomes_a_dn_of_its_type() -> None:
    assert as_dn(2.5001, np.dtype("uint16")) == 3
    assert as_dn(2.25, np.dtype("float32")) == np.float32(2.25)


def shadowed(dtype: str = "uint8") -> np.ndarray:
    """Ground with a shadow of DN 0, 50 x 60 px, and a collar of 200, which is no ground's DN."""
    pixels = rasters.ground(400, 500, dtype)
    pixels[100:150, 200:260] = 0
    pixels[:, :50] = 200
    return pixels


def by_mask(path: Path) -> Path:
    pixels = shadowed()
    shape = {"width": 500, "height": 400, "count": 1, "dtype": "uint8"}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", driver="GTiff", transform=Affine.scale(2), **shape) as out,
    ):
        out.write(pixels, 1)
        out.write_mask(np.where(pixels == 200, 0, 255).astype(np.uint8))
    return path


def by_alpha(path: Path) -> Path:
    pixels = shadowed()
    return rasters.write(path, np.stack([pixels, np.where(pixels == 200, 0, 255)]).astype("uint8"))


def by_colours_alpha(path: Path) -> Path:
    pixels = shadowed()
    alpha = np.where(pixels == 200, 0, 255)
    return rasters.write(path, np.stack([pixels, pixels, pixels, alpha]).astype("uint8"))


def by_tag(path: Path, dtype: str = "uint8", nodata: float = 200) -> Path:
    pixels = shadowed(dtype)
    pixels[pixels == 200] = nodata
    return rasters.write(path, pixels, nodata=nodata)


DECLARED = {
    "tag": lambda folder: by_tag(folder / "tag.tif"),
    "tag in float": lambda folder: by_tag(folder / "float.tif", "float32"),
    "tag NaN": lambda folder: by_tag(folder / "nan.tif", "float32", float("nan")),
    "tag in 16 bit": lambda folder: by_tag(folder / "16.tif", "uint16"),
    "mask": lambda folder: by_mask(folder / "mask.tif"),
    "alpha": lambda folder: by_alpha(folder / "alpha.png"),
    "colours and alpha": lambda folder: by_colours_alpha(folder / "rgba.png"),
}


@pytest.mark.parametrize("how", DECLARED)
def test_dn_0_is_ground_where_the_file_says_what_is_nodata(tmp_path: Path, how: str) -> None:
    scene = ingest(DECLARED[how](tmp_path))
    assert scene.valid_fraction == pytest.approx(0.9)
    shadow = scene.read(Box(200, 100, 260, 150))
    assert shadow.valid.all()
    assert (shadow.dn == 0).all()
    assert not shadow.hole.any()


@pytest.mark.parametrize("value", [1e32, -1e32, -3.4028226e38, np.inf])
def test_values_far_beyond_any_dn_are_no_ground(scene_of: Scenes, value: float) -> None:
    pixels = rasters.ground(400, 500, "float32")
    pixels[:100] = value
    scene = scene_of(pixels, nodata=-32768)
    assert scene.valid_fraction == 0.75
