"""Fill values without a tag: found at the ends of the DN, in every depth; ground left alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio import Affine

from dashboard.detector import Box, OptionError, ScanSettings, Scene, ingest
from tests.detector import rasters

Scenes = Callable[..., Scene]


def filled(dtype: str, *values: float, gain: float = 1, offset: float = 0) -> np.ndarray:
    """Ground whose upper 80 of 400 lines hold fill values, in bands of lines."""
    pixels = (rasters.ground(400, 500, "float64") * gain + offset).astype(dtype)
    for band, value in enumerate(values):
        lines = 80 // len(values)
        pixels[band * lines : (band + 1) * lines] = value
    return pixels


@pytest.mark.parametrize(
    ("dtype", "values", "how"),
    [
        ("int16", (-32767,), {}),
        ("int16", (-9999,), {"offset": -2500}),
        ("int16", (-32768, -32767, -32766, -32765, -32764), {"offset": -3000}),
        ("int16", (-32767,), {"nodata": -32768}),  # ISIS: NULL is declared, LRS is not
        ("int16", (-32765, -32764), {"nodata": -32768}),
        ("uint16", (65535,), {"gain": 4}),
        ("uint16", (65534, 65535), {"gain": 4}),
        ("uint16", (1, 2), {"gain": 4, "offset": 9000}),  # ISIS: LRS and LIS
        ("int32", (-2147483648,), {}),
        ("uint32", (4294967295,), {"gain": 1000}),
        ("float32", (-9999,), {"gain": 0.05, "offset": -2500}),
        ("float32", (-32767,), {"gain": 0.05, "offset": -2500}),
        ("float32", (-32768, 65535), {"gain": 0.001}),
        ("float32", (-9999,), {"gain": 200, "offset": -8000}),  # nearer than the ground is wide
        ("float32", (-1,), {"gain": 0.001}),
        ("float64", (-99999,), {"nodata": -32768}),
        ("uint8", (255,), {"gain": 0.5, "offset": -20}),
    ],
)
def test_a_constant_far_from_all_other_dn_is_nodata(
    scene_of: Scenes, dtype: str, values: tuple[float, ...], how: dict[str, float]
) -> None:
    tag = {"nodata": how.pop("nodata")} if "nodata" in how else {}
    scene = scene_of(filled(dtype, *values, **how), **tag)
    assert scene.valid_fraction == pytest.approx(0.8)
    assert len(scene.notes) == len(values)
    assert f"DN {values[0]:.10g} on" in " ".join(scene.notes)
    ground = filled(dtype, **how)[80:].astype(np.float64)
    assert scene.centre == pytest.approx(np.median(ground), rel=1e-6)
    assert scene.stretch[0] > ground.min() - 1
    assert scene.stretch[1] < ground.max() + 1


LOWEST, DEEPEST = float(np.finfo(np.float32).min), float(np.finfo(np.float64).min)


@pytest.mark.parametrize(
    ("dtype", "value", "tag", "said"),
    [
        ("float32", LOWEST, None, LOWEST),
        ("float32", -LOWEST, None, -LOWEST),
        ("float32", 1e32, None, float(np.float32(1e32))),
        ("float32", -1e32, None, float(np.float32(-1e32))),
        ("float32", -9999, None, -9999),
        ("float32", 0, None, 0),
        ("float32", np.nan, None, None),
        ("float32", np.inf, None, None),
        ("float32", LOWEST, LOWEST, LOWEST),
        ("float32", np.nan, np.nan, None),
        ("float32", LOWEST, -9999, -9999),
        ("float64", DEEPEST, None, DEEPEST),
        ("float64", LOWEST, None, LOWEST),
        ("float64", 1e32, None, 1e32),
        ("float64", -1e300, None, -1e300),
        ("float64", np.nan, None, None),
        ("float64", -32767, None, -32767),
        ("uint8", 0, None, 0),
        ("uint8", 0, 7, 7),
        ("int16", -32767, None, -32767),
        ("int32", 2147483647, None, 2147483647),
        ("uint32", 4294967295, None, 4294967295),
        ("int32", -2147483648, None, -2147483648),
    ],
)
def test_the_nodata_that_is_told_is_the_one_there_is(
    scene_of: Scenes, dtype: str, value: float, tag: float | None, said: float | None
) -> None:
    scene = scene_of(filled(dtype, value), **({} if tag is None else {"nodata": tag}))
    assert scene.nodata == said
    if tag != 7:
        assert scene.valid_fraction == pytest.approx(0.8)


def test_so_is_that_of_colours(scene_of: Scenes) -> None:
    pixels = np.stack([filled("float32", LOWEST)] * 3)
    scene = scene_of(pixels)
    assert (scene.nodata, scene.valid_fraction) == (LOWEST, pytest.approx(0.8))


def test_a_scene_without_nodata_tells_none(scene_of: Scenes) -> None:
    pixels = filled("float32")
    assert scene_of(pixels).nodata is None
    pixels[200, 200:205] = np.nan  # a hole, and no area
    assert scene_of(pixels, name="hole.tif").nodata is None


def test_what_a_mask_says_is_no_dn(tmp_path: Path) -> None:
    path, shape = tmp_path / "mask.tif", {"width": 500, "height": 400, "count": 1}
    shape |= {"transform": Affine(1, 0, 9, 0, -1, 9)}
    mask = np.full((400, 500), 255, np.uint8)
    mask[:80] = 0
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", driver="GTiff", dtype="uint8", **shape) as out,
    ):
        out.write(filled("uint8"), 1)
        out.write_mask(mask)
    scene = ingest(path)
    assert (scene.nodata, scene.valid_fraction) == (None, pytest.approx(0.8))


def test_scattered_known_values_are_holes(scene_of: Scenes) -> None:
    pixels = filled("int16", offset=-2500)
    pixels[200:203] = -32767  # lost lines
    pixels[300, ::9] = -32767
    scene = scene_of(pixels)
    assert scene.valid_fraction == 1
    patch = scene.read(Box(0, 0, 500, 400))
    assert patch.hole.sum() == (pixels == -32767).sum()
    assert patch.dn.min() > -3000


def test_what_may_be_ground_is_ground_and_said(scene_of: Scenes) -> None:
    pixels = filled("uint8", 255)
    pixels[80:, ::7] = np.maximum(pixels[80:, ::7], 245)  # bright ground as well
    scene = scene_of(pixels)
    assert scene.valid_fraction == 1
    assert "set nodata to 255" in scene.notes[0]


def test_a_glint_of_the_same_dn_as_a_bright_collar_stays(scene_of: Scenes) -> None:
    pixels = filled("uint8", 255, gain=0.5, offset=-20)
    pixels[200:212, 200:212] = 255
    scene = scene_of(pixels)
    assert scene.valid_fraction == pytest.approx(0.8)
    glint = scene.read(Box(200, 200, 212, 212))
    assert (glint.dn == 255).all()
    assert not glint.hole.any()


@pytest.mark.parametrize(
    "pixels",
    [
        rasters.ground(400, 500),
        np.clip(rasters.ground(400, 500), 100, 150),  # clipped at both ends
        np.where(np.add.outer(np.arange(400), np.arange(500)) < 90, 1, rasters.ground(400, 500)),
        rasters.ground(400, 500, "float32") / 1000,
        np.maximum(rasters.ground(400, 500, "float32"), 100),  # a lake
        rasters.ground(400, 500, "int16") - 9999,
    ],
    ids=["plain", "clipped", "shadow of DN 1", "float", "lake", "at -9999"],
)
def test_ground_is_left(scene_of: Scenes, pixels: np.ndarray) -> None:
    pixels = pixels.astype(pixels.dtype if pixels.dtype != np.int64 else np.uint8)
    assert scene_of(pixels).valid_fraction == 1


def test_a_shadow_of_dn_0_is_never_taken_for_a_fill_value(scene_of: Scenes) -> None:
    pixels = filled("uint16", gain=4, offset=9000)
    pixels[100:200, 100:200] = 0
    assert scene_of(pixels, nodata=65535).valid_fraction == 1


def test_the_user_decides_what_is_nodata(tmp_path: Path) -> None:
    pixels = filled("uint8", 255)
    pixels[80:, ::7] = np.maximum(pixels[80:, ::7], 245)
    pixels[300:350, 300:350] = 0
    path = rasters.write(tmp_path / "scene.tif", pixels)
    told = ingest(path, nodata="255")
    assert (told.valid_fraction, told.nodata, told.notes) == (pytest.approx(0.8), 255, ())
    assert ingest(path, nodata=" None ").valid_fraction == 1
    assert ingest(path).valid_fraction == pytest.approx(1 - 2500 / 200_000)
    assert len({ingest(path, nodata=how).path for how in (None, "none", "255", "255.0")}) == 3


def test_a_fill_value_is_ground_where_the_user_says_so(tmp_path: Path) -> None:
    path = rasters.write(tmp_path / "scene.tif", filled("int16", -9999))
    assert ingest(path).valid_fraction == pytest.approx(0.8)
    assert ingest(path, nodata="none").valid_fraction == 1


@pytest.mark.parametrize("text", ["many", "nan", "inf", ""])
def test_a_nodata_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="nodata is"):
        ScanSettings(nodata=text)
