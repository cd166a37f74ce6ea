"""The survey of the ground, and the artefacts that follow from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dashboard.detector import Box, Detection, Scene, survey
from dashboard.detector.places.artefacts import with_artefacts
from dashboard.detector.scenes.survey import CELLS, SurveyAtWork, survey_file
from tests.detector import rasters

Scenes = Callable[..., Scene]
SIDE = 28


def place(x: int, y: int) -> Detection:
    box = Box(x - SIDE // 2, y - SIDE // 2, x + SIDE // 2, y + SIDE // 2)
    return Detection(1, 5.0, 1.0, x, y, box, row=0, col=0, tiles=1)


def reasons(scene: Scene, *at: tuple[int, int]) -> list[tuple[str, ...]]:
    found = with_artefacts([place(x, y) for x, y in at], survey(scene), (scene.width, scene.height))
    return [one.artefacts for one in found]


def test_cells_hold_the_mean_and_spread_of_their_ground(scene_of: Scenes) -> None:
    pixels = rasters.ground(300, 410)
    found = survey(scene_of(pixels))
    assert found.cells.shape == (19, 26)
    part = pixels[32:48, 160:176].astype(float)
    assert found.cells["spread"][2, 10] == pytest.approx(part.std(), rel=1e-3)
    corner = pixels[288:, 400:].astype(float)
    assert found.cells["spread"][-1, -1] == pytest.approx(corner.std(), rel=1e-3)
    assert (found.cells["ground"] == 1).all()


def test_a_survey_is_kept_and_a_damaged_one_made_again(scene_of: Scenes) -> None:
    scene = scene_of()
    kept = survey_file(scene.path)
    made = np.array(survey(scene).cells)
    for spoilt in (b"not really", kept.read_bytes()[:-1], b""):
        kept.write_bytes(spoilt)
        np.testing.assert_array_equal(survey(scene).cells, made)
        np.testing.assert_array_equal(np.load(kept), made)
    kept.unlink()
    np.testing.assert_array_equal(survey(scene).cells, made)
    assert not list(kept.parent.glob(".*survey*"))


def holed(height: int, width: int, dtype: str = "uint8") -> np.ndarray:
    """Ground with nodata on the left, a small hole in the third band, and a seam."""
    pixels = rasters.ground(height, width, dtype)
    pixels[:, :90] = 0
    pixels[600:604, 300:303] = 0
    pixels[:, 400:] += 6
    return pixels


@pytest.mark.parametrize(
    ("name", "dtype", "options", "left"),
    [
        ("a.png", "uint8", {}, [512]),
        ("a.jpg", "uint8", {"QUALITY": 90}, None),
        ("a.jp2", "uint16", {"NBITS": 10}, [512]),
        ("a.tif", "uint16", {}, None),
        ("a.tif", "float32", {}, None),
    ],
)
def test_what_is_surveyed_while_a_picture_comes_is_what_is_surveyed_later(
    scene_of: Scenes, name: str, dtype: str, options: dict[str, str], left: list[int] | None
) -> None:
    scene = scene_of(holed(1100, 2300, dtype), name, **options)
    kept = survey_file(scene.path)
    if left is not None:
        unknown = np.load(kept)["ground"][::16, 0] < 0
        assert (np.flatnonzero(unknown) * 256).tolist() == left
    assert kept.exists() == (dtype == "uint8" or "NBITS" in options)
    first = np.array(survey(scene).cells)
    assert (first["ground"] >= 0).all()
    kept.unlink(missing_ok=True)
    again = survey(scene).cells
    for field in CELLS.names or ():
        np.testing.assert_array_equal(first[field], again[field])


def test_a_survey_that_cannot_be_written_is_none(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "survey.npy"
    work = SurveyAtWork(path, (300, 400), 8, False)
    work.add(0, rasters.ground(300, 400), np.zeros((300, 400), bool))
    work.forget(0, 10)
    assert not path.exists()
    path.parent.mkdir()
    work = SurveyAtWork(path, (300, 400), 8, False)
    path.unlink()
    path.mkdir()
    work.add(0, rasters.ground(300, 400), np.zeros((300, 400), bool))


def test_nodata_is_no_ground(scene_of: Scenes) -> None:
    pixels = rasters.ground(512, 512)
    pixels[:, 300:] = 0
    scene = scene_of(pixels)
    found = survey(scene)
    assert np.isnan(found.cells["spread"][:, 20:]).all()
    assert (found.cells["ground"][:, :18] == 1).all()
    assert reasons(scene, (270, 250), (150, 250)) == [("nodata rim",), ()]


def test_the_border_is_told(scene_of: Scenes) -> None:
    assert reasons(scene_of(), (40, 300), (400, 570), (400, 300)) == [("border",), ("border",), ()]


def test_clipped_ground_is_told_and_one_glint_is_not(scene_of: Scenes) -> None:
    pixels = rasters.ground(512, 512)
    pixels[100:130, 100:130] = 255
    pixels[300:303, 300:303] = 255
    assert reasons(scene_of(pixels), (115, 115), (301, 301)) == [("saturated",), ()]


@pytest.mark.parametrize("turned", [False, True])
def test_a_seam_is_told_and_a_dune_is_not(scene_of: Scenes, turned: bool) -> None:
    pixels = rasters.ground(512, 512).astype(float)
    pixels[:, 200:] += 6
    wave = np.arange(512)
    pixels += 30 * (wave[None] > 350 + 20 * np.sin(wave[:, None] / 30))
    pixels = np.clip(pixels.T if turned else pixels, 1, 254).astype("uint8")
    places = [(200, 250), (350, 250), (100, 250)]
    found = reasons(scene_of(pixels), *(p[::-1] if turned else p for p in places))
    assert found == [("seam",), (), ()]


@pytest.mark.parametrize("turned", [False, True])
def test_column_stripes_are_told(scene_of: Scenes, turned: bool) -> None:
    pixels = rasters.ground(512, 512).astype(float)
    pixels[:, 200:202] += 6  # two columns with another gain
    pixels[:, 300] -= 6
    pixels = np.clip(pixels.T if turned else pixels, 1, 254).astype("uint8")
    places = [(201, 250), (300, 250), (100, 250), (400, 250)]
    found = reasons(scene_of(pixels), *(p[::-1] if turned else p for p in places))
    assert found == [("seam",), ("seam",), (), ()]


def test_blocks_of_a_jpeg_are_told(scene_of: Scenes, tmp_path: Path) -> None:
    pixels = rasters.ground(512, 512)
    coarse = scene_of(pixels, "coarse.jpg", QUALITY=12)
    fine = scene_of(pixels, "fine.jpg", QUALITY=95)
    assert reasons(coarse, (250, 250)) == [("JPEG blocks",)]
    assert reasons(fine, (250, 250)) == [()]
