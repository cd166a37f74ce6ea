"""The survey of the ground, and the kinds and artefacts that follow from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dashboard.detector import Box, Detection, Grid, Scene, ScoreMap, sigma_map, survey
from dashboard.detector import survey as the_function
from dashboard.detector.ground import blobs
from dashboard.detector.ground.kinds import kinds_of_ground
from dashboard.detector.ground.survey import BAND, CELL, SPOTS, Survey
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


@pytest.mark.parametrize("margin", [SPOTS.margin, 0])
def test_spots_are_the_same_across_bands(
    scene_of: Scenes, monkeypatch: pytest.MonkeyPatch, margin: int
) -> None:
    pixels = rasters.ground(2 * BAND + 75, 410)
    pixels[:, 390:] = 0
    scene = scene_of(pixels)
    whole = scene.read(Box(0, 0, scene.width, scene.height))
    found = SPOTS.find(whole.dn, whole.valid)
    monkeypatch.setattr(blobs.Spots, "margin", margin)
    spot = survey(scene).spot
    assert spot.shape == (74, 52)
    strongest = np.nanmax(np.abs(np.where(np.isnan(found), 0, found)), axis=0)
    same = np.array_equal(np.abs(np.nan_to_num(spot)), strongest)
    assert same == (margin > 0), "without a margin the border of a band would show"


def test_a_spot_is_bright_or_dark(scene_of: Scenes) -> None:
    pixels = np.full((256, 256), 120, "uint8")
    pixels[50:53, 60:63] = 200
    pixels[150:162, 160:172] = 60
    spot = survey(scene_of(pixels)).spot
    assert spot[51 // 8, 61 // 8] == spot.max() > 10
    assert spot[156 // 8, 166 // 8] == spot.min() < -10


def land() -> np.ndarray:
    """Smooth ground on the left, rough on the right, a dark and a bright thing in the left."""
    rng = np.random.default_rng(0)
    pixels = np.full((640, 640), 120.0)
    pixels[:, :320] += rng.normal(0, 2, (640, 320))
    pixels[:, 320:] += rng.normal(0, 20, (640, 320))
    pixels[300:312, 200:212] -= 40
    pixels[400:412, 200:212] += 40
    return pixels.clip(1, 254).astype("uint8")


DARK, BRIGHT = (206, 306), (206, 406)  # x, y of the things


def scored_land(faint: float = 0.1) -> ScoreMap:
    """Scores of it on a grid of 4 px: one at the things, less everywhere else."""
    grid = Grid(640, 640, 128, 4)
    values = np.random.default_rng(1).uniform(0, faint, (grid.rows, grid.cols))
    for x, y in (DARK, BRIGHT):
        values[(y - 64) // 4, (x - 64) // 4] = 1
    return ScoreMap(values.astype(np.float32), grid, 28)


def test_rough_and_smooth_ground_dark_and_bright_places_are_told_apart(scene_of: Scenes) -> None:
    scores = scored_land()
    kinds = kinds_of_ground(scores, survey(scene_of(land())))
    assert set(np.unique(kinds)) == set(range(8))
    at = lambda x, y: int(kinds[(y - 64) // 4, (x - 64) // 4])  # noqa: E731
    assert at(150, 150) // 2 < at(500, 150) // 2, "the rough ground is another kind"
    rough = np.bincount(kinds.ravel() // 2)
    np.testing.assert_allclose(rough, kinds.size / 4, rtol=0.2)
    for (x, y), brighter in ((DARK, 0), (BRIGHT, 1)):
        reach = range(-4 * scores.reach, 4 * scores.reach + 1, 4)
        around = {at(x + right, y + down) % 2 for right in reach for down in reach}
        assert around == {brighter}, "all that becomes one place is of its polarity"


def test_kinds_do_not_depend_on_how_scores_are_gone_through(
    scene_of: Scenes, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores, ground = scored_land(), survey(scene_of(land()))
    expected = kinds_of_ground(scores, ground)
    monkeypatch.setattr("dashboard.detector.scanning.score_map.CHUNK", 1000)
    assert len(list(scores.parts())) > 10
    np.testing.assert_array_equal(kinds_of_ground(scores, ground), expected)


def test_a_dark_place_is_judged_among_dark_ones(scene_of: Scenes) -> None:
    """Where all that is dark scores high, a dark place means less than a bright one."""
    ground = survey(scene_of(land()))
    scores = scored_land()
    dark = kinds_of_ground(scores, ground) % 2 == 0
    values = np.where(dark & (scores.values < 1), 5 * scores.values, scores.values)
    crowded = ScoreMap(values, scores.grid, 28)
    first, second = sigma_map(crowded, "ground", ground).find(top=2)
    assert [(one.x, one.y) for one in (first, second)] == [(204, 404), (204, 304)]
    assert first.sigma > 1.2 * second.sigma


def test_each_kind_of_ground_is_judged_by_its_own(scene_of: Scenes) -> None:
    grid = Grid(640, 640, 128, 4)
    rng = np.random.default_rng(0)
    values = rng.gamma(2, 1, (grid.rows, grid.cols))
    values[:, 64:] *= 4  # the rough ground scores higher
    measured = sigma_map(
        ScoreMap(values.astype(np.float32), grid, 28), "ground", survey(scene_of(land()))
    )
    plain = sigma_map(ScoreMap(values.astype(np.float32), grid, 28))
    left = lambda found: np.mean([one.x < 320 for one in found])  # noqa: E731
    assert left(plain.find(4.0)) == 0, "all of it is on the rough side"
    assert 0.3 < left(measured.find(4.0)) < 0.7
    assert len(measured.flagged(3.0)) == measured.count_above(3.0)


def test_a_scene_without_scores_has_kinds_all_the_same(scene_of: Scenes) -> None:
    grid = Grid(640, 640, 128, 4)
    scores = ScoreMap(np.full((grid.rows, grid.cols), np.nan, np.float32), grid, 28)
    ground = survey(scene_of(land()))
    kinds = kinds_of_ground(scores, ground)
    assert kinds.max() < 2, "there is no rough and no smooth ground"
    assert sigma_map(scores, "ground", ground).find(3.0) == []
    assert CELL == 16
