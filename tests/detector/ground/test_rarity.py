"""Looks: what a scene has much of is ordinary, however badly it is completed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dashboard.detector import Box, Grid, Looks, Scene, ScoreMap, looks, sigma_map
from dashboard.detector.ground import blobs
from dashboard.detector.ground.rarity import CELL, SPOTS, rarity
from dashboard.detector.rules.rules import COMMON, yardstick

Scenes = Callable[..., Scene]
look = sys.modules["dashboard.detector.ground.rarity"]
SIDE = 1280
ODD, USUAL = (640, 600), (352, 352)  # x, y of the one bright spot, and of one of the dark ones


def dark() -> list[tuple[int, int]]:
    """Where the dark spots lie: everywhere but beside the bright one."""
    steps = range(96, SIDE - 63, 64)
    return [(x, y) for x in steps for y in steps if max(abs(x - ODD[0]), abs(y - ODD[1])) > 64]


def dunes() -> np.ndarray:
    """Ground with dark spots everywhere, and one bright spot."""
    rng = np.random.default_rng(0)
    pixels = rng.normal(120, 3, (SIDE, SIDE))
    for x, y in dark():
        pixels[y - 3 : y + 3, x - 3 : x + 3] -= rng.uniform(40, 80)
    x, y = ODD
    pixels[y - 3 : y + 3, x - 3 : x + 3] = 220
    return pixels.clip(1, 254).astype("uint8")


def scored() -> ScoreMap:
    """Scores that rise at every spot, most at the dark ones."""
    grid = Grid(SIDE, SIDE, 128, 4)
    values = np.random.default_rng(1).normal(0, 1, (grid.rows, grid.cols))
    for x, y in [ODD, *dark()]:
        values[(y - 64) // 4, (x - 64) // 4] = 7 if (x, y) == ODD else 9
    return ScoreMap(values.astype(np.float32), grid, 28)


def test_what_a_scene_has_once_is_rare_and_what_it_is_full_of_is_not(scene_of: Scenes) -> None:
    found = looks(scene_of(dunes())).rarity
    assert found.shape == (SIDE // CELL, SIDE // CELL)
    at = lambda x, y: found[y // CELL, x // CELL]  # noqa: E731
    assert at(*ODD) == pytest.approx(found.max(), abs=0.1)
    assert at(*ODD) > at(*USUAL) + 2
    assert abs(float(np.median(found))) < 1e-6


def test_a_place_is_judged_among_its_look_alikes(scene_of: Scenes) -> None:
    scores, look = scored(), looks(scene_of(dunes()))
    plain, judged = sigma_map(scores), sigma_map(scores, "alike", looks=look)
    assert (plain.find(top=1)[0].x, plain.find(top=1)[0].y) != ODD
    first = judged.find(top=1)[0]
    assert abs(first.x - ODD[0]) <= 4
    assert abs(first.y - ODD[1]) <= 4
    assert len(judged.flagged(3.0)) == judged.count_above(3.0)
    sigmas = np.concatenate([judged.measure.sigma_of(*part) for part in judged._parts()])
    assert sigmas.mean() == pytest.approx(0, abs=1e-6)
    assert sigmas.std() == pytest.approx(1, abs=1e-6)


def test_a_common_look_does_not_bury_a_strong_score(scene_of: Scenes) -> None:
    scores, found = scored(), looks(scene_of(dunes()))
    strong = (USUAL[1] - 64) // 4, (USUAL[0] - 64) // 4
    scores.values[strong] = 40
    measure = sigma_map(scores, "alike", looks=found).measure
    assert measure.together is not None
    assert measure.kinds is not None
    kind = measure.kinds[strong]
    alone = measure.together.score.of(np.array([40.0]))
    assert measure.together.both.of(alone + measure.together.more[kind]) < alone - COMMON
    assert measure.together.of(np.array([40.0]), kind) == alone - COMMON
    first = sigma_map(scores, "alike", looks=found).find(top=2)
    assert strong in {(one.row, one.col) for one in first}


def test_limits_are_where_sigma_is_reached_whatever_the_look(scene_of: Scenes) -> None:
    measure = sigma_map(scored(), "alike", looks=looks(scene_of(dunes()))).measure
    every = np.arange(len(measure.centres))
    for sigma in (0.5, 1.0, 3.0, 6.0):
        limits = measure.limits(sigma)
        any_score = np.isneginf(limits)
        assert (measure.sigma_of(np.full(len(every), -99.0), every)[any_score] >= sigma).all()
        known, kinds = limits[~any_score], every[~any_score]
        assert len(known) > 10
        np.testing.assert_allclose(measure.sigma_of(known, kinds), sigma, atol=1e-6)
        assert (measure.sigma_of(known - 1e-3, kinds) < sigma).all()


def test_a_brighter_exposure_changes_no_look() -> None:
    pixels, everywhere = dunes().astype(np.float32), np.ones((SIDE, SIDE), bool)
    plain, other = (rarity(SPOTS.find(dn, everywhere)) for dn in (pixels, 4 * pixels))
    np.testing.assert_allclose(other, plain, atol=1e-5)


def test_the_rim_of_nodata_is_no_spot() -> None:
    pixels = np.random.default_rng(0).normal(120, 3, (320, 330)).astype(np.float32)
    valid = np.ones(pixels.shape, bool)
    valid[:, 200:] = False
    pixels[:, 200:] = 0
    found = SPOTS.find(pixels, valid)
    assert found.shape == (2 * SPOTS.sizes, 20, 21)
    assert np.nanmax(np.abs(found)) < 20, "the step from 120 to 0"
    assert found[:, :, :6].all()
    assert not found[:, :, 12:13].any()
    assert np.isnan(found[:, :, 13:]).all()


def test_a_scene_half_of_which_is_nodata_is_judged_by_its_ground(scene_of: Scenes) -> None:
    whole = looks(scene_of(dunes())).rarity
    wide = np.zeros((SIDE, 5 * SIDE // 2), "uint8")
    wide[:, :SIDE] = dunes()
    half = looks(scene_of(wide, name="half.tif", nodata=0)).rarity
    assert not half[:, SIDE // CELL :].any()
    away = np.abs(half[:, : SIDE // CELL] - whole)[8:-8, 8:-8]
    assert away.mean() < 0.02, "half of it nodata, and the ground would be the rare half"


def test_finding_looks_tells_how_far_it_is(scene_of: Scenes) -> None:
    told: list[float] = []
    looks(scene_of(dunes()), on_progress=told.append)
    assert len(told) > 4
    assert 0 < told[0] < told[-1] <= 1
    assert told == sorted(told)


def test_a_scene_too_small_to_tell_is_judged_as_a_whole(scene_of: Scenes) -> None:
    look = looks(scene_of())
    assert not look.rarity.any()
    grid = Grid(800, 600, 128, 4)
    values = np.random.default_rng(0).gamma(2, 1, (grid.rows, grid.cols)).astype(np.float32)
    scores = ScoreMap(values, grid, 28)
    same = [(one.row, one.col) for one in sigma_map(scores).find(top=99)]
    alike = sigma_map(scores, "alike", looks=look).find(top=99)
    assert [(one.row, one.col) for one in alike] == same
    empty = ScoreMap(np.full_like(values, np.nan), grid, 28)
    assert sigma_map(empty, "alike", looks=look).find(3.0) == []
    assert sigma_map(empty, "alike", looks=look).count_above(3.0) == 0


@pytest.mark.parametrize("margin", [SPOTS.margin, 0])
def test_a_scene_read_by_bands_looks_as_it_does_read_whole(
    scene_of: Scenes, monkeypatch: pytest.MonkeyPatch, margin: int
) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(1, 255, (3 * 128 + 25, 2 * 128 + 72)).astype("uint8")
    pixels[110:200, 200:] = 0
    scene = scene_of(pixels, nodata=0)
    whole = scene.read(Box(0, 0, scene.width, scene.height))
    assert 0 < whole.valid.mean() < 1
    expected = SPOTS.find(whole.dn, whole.valid)
    monkeypatch.setattr(look, "LINES", 128)
    monkeypatch.setattr(blobs, "COLUMNS", 128)
    monkeypatch.setattr(blobs.Spots, "margin", margin)
    same = np.array_equal(look._spots_of(scene), expected, equal_nan=True)
    assert same == (margin > 0), "without a margin the border of a band would show"


def test_looks_are_kept_and_damaged_ones_made_again(scene_of: Scenes, tmp_path: Path) -> None:
    scene = scene_of(dunes())
    made = looks(scene, tmp_path)
    kept = Looks.load(tmp_path / "looks.npz")
    assert kept is not None
    np.testing.assert_array_equal(kept.rarity, made.rarity)
    (tmp_path / "looks.npz").write_bytes(b"PK not really")
    assert Looks.load(tmp_path / "looks.npz") is None
    np.testing.assert_array_equal(looks(scene, tmp_path).rarity, made.rarity)
    assert [path.name for path in tmp_path.glob(".looks*")] == []


def test_rules_say_what_they_need() -> None:
    scores = scored()
    with pytest.raises(ValueError, match="alike needs the kind"):
        sigma_map(scores, "alike")
    with pytest.raises(ValueError, match="rarity"):
        yardstick(scores, "alike", np.zeros(scores.values.shape, np.uint8))
