"""The survey of the ground, and the kinds and artefacts that follow from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dashboard.detector import ROUGHNESS, Box, Detection, Grid, Roughness, Scene, ScoreMap, survey
from dashboard.detector import survey as the_function
from dashboard.detector.ground.survey import Survey
from dashboard.detector.places.artefacts import with_artefacts
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
    assert found.level.shape == (19, 26)
    part = pixels[32:48, 160:176].astype(float)
    assert found.level[2, 10] == pytest.approx(part.mean(), abs=1e-3)
    assert found.spread[2, 10] == pytest.approx(part.std(), rel=1e-3)
    corner = pixels[288:, 400:].astype(float)
    assert found.level[-1, -1] == pytest.approx(corner.mean(), abs=1e-3)
    assert (found.ground == 1).all()


def test_a_survey_is_kept_and_a_damaged_one_made_again(scene_of: Scenes, tmp_path: Path) -> None:
    scene = scene_of()
    made = the_function(scene, tmp_path)
    kept = Survey.load(tmp_path / "survey.npz")
    assert kept is not None
    np.testing.assert_array_equal(kept.level, made.level)
    (tmp_path / "survey.npz").write_bytes(b"PK not really")
    assert Survey.load(tmp_path / "survey.npz") is None
    np.testing.assert_array_equal(the_function(scene, tmp_path).spread, made.spread)
    assert [path.name for path in tmp_path.glob(".survey*")] == []


def test_nodata_is_no_ground(scene_of: Scenes) -> None:
    pixels = rasters.ground(512, 512)
    pixels[:, 300:] = 0
    scene = scene_of(pixels)
    found = survey(scene)
    assert np.isnan(found.level[:, 20:]).all()
    assert (found.ground[:, :18] == 1).all()
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


def land() -> np.ndarray:
    """Smooth ground on the left, rough on the right."""
    rng = np.random.default_rng(0)
    pixels = np.full((640, 640), 120.0)
    pixels[:, :320] += rng.normal(0, 2, (640, 320))
    pixels[:, 320:] += rng.normal(0, 20, (640, 320))
    return pixels.clip(1, 254).astype("uint8")


def score_map(value: float = 1.0) -> ScoreMap:
    grid = Grid(640, 640, 128, 4)
    return ScoreMap(np.full((grid.rows, grid.cols), value, np.float32), grid, 28)


def test_rough_and_smooth_ground_are_told_apart_in_parts_of_equal_area(scene_of: Scenes) -> None:
    scores = score_map()
    found = Roughness.of(scores, survey(scene_of(land())))
    words = [
        found.word(row, col)
        for row in range(0, scores.grid.rows, 4)
        for col in range(0, scores.grid.cols, 4)
    ]
    assert [words.count(word) / len(words) for word in ROUGHNESS] == pytest.approx([0.25] * 4, 0.2)
    at = lambda x, y: ROUGHNESS.index(found.word((y - 64) // 4, (x - 64) // 4))  # noqa: E731
    assert at(150, 150) < 2 <= at(500, 150)


def test_a_scene_without_scores_has_a_roughness_all_the_same(scene_of: Scenes) -> None:
    found = Roughness.of(score_map(float("nan")), survey(scene_of(land())))
    assert found.word(5, 5) in ROUGHNESS
