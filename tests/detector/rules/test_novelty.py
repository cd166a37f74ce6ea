"""Novelty: of what a scene is full of, none is new, however high it scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dashboard.detector import Grid, Scene, ScoreMap, SigmaMap, sigma_map, survey
from dashboard.detector.rules import novelty as module
from dashboard.detector.rules.novelty import AROUND, FEWEST, LEVELS, Novelty, novelty, surprise_of
from dashboard.detector.rules.rules import yardstick
from dashboard.detector.scanning.place_features import CELL, Halves, Seen

Scenes = Callable[..., Scene]
GRID = Grid(1280, 1280, 128, 4)
STEP = 2 * CELL
ODD = (10 * STEP + 3, 12 * STEP + 3)  # row, col of the one place that looks like no other


def places() -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of places all over the map."""
    rows, cols = np.mgrid[3 : GRID.rows : STEP, 3 : GRID.cols : STEP].reshape(2, -1)
    return rows, cols


def scored() -> ScoreMap:
    """Places that score 5 to 10 and look like each other in two ways; one looks like neither."""
    rng = np.random.default_rng(0)
    rows, cols = places()
    values = rng.normal(0, 1, (GRID.rows, GRID.cols)).clip(-2, 2)
    values[rows, cols] = rng.uniform(5, 10, len(rows))
    values[ODD] = 8.0
    features = rng.normal(0, 0.1, (len(rows), 4)) + rng.choice([-1, 1], len(rows))[:, None]
    features[(rows == ODD[0]) & (cols == ODD[1])] = 1, -1, 1, -1
    cells: Halves = np.zeros((-(-GRID.rows // CELL), -(-GRID.cols // CELL), 5), np.float16)
    seen = Seen(cells)
    there = np.zeros((4, GRID.rows, GRID.cols), np.float32)
    there[:, rows, cols] = features.T
    seen.keep(0, 0, there)
    return ScoreMap(values.astype(np.float32), GRID, 28, seen)


def test_what_looks_like_nothing_else_is_new() -> None:
    scores = scored()
    found = novelty(scores)
    assert found is not None
    assert found.levels[ODD] == LEVELS - 1
    rows, cols = places()
    others = found.levels[rows, cols][(rows != ODD[0]) | (cols != ODD[1])]
    assert others.max() < (LEVELS - 1) / 1.5
    near = (
        slice(ODD[0] - AROUND, ODD[0] + AROUND + 1),
        slice(ODD[1] - AROUND, ODD[1] + AROUND + 1),
    )
    assert (found.levels[near] == LEVELS - 1).all(), "all that belongs to it is as new"
    assert found.levels[3 + STEP // 2, 3 + STEP // 2] == 0, "no place is near"
    assert found.more[0] == 0
    assert (np.diff(found.more) > 0).all()


def test_several_of_a_kind_are_new_and_a_crowd_is_not() -> None:
    rng = np.random.default_rng(1)
    ground = rng.normal(0, 1, (2000, 3))
    for size, new in ((8, True), (200, False)):
        told = np.concatenate([ground, rng.normal(6, 0.1, (size, 3))]).astype(np.float32)
        said = surprise_of(told)
        assert bool(np.median(said[-size:]) > np.quantile(said[:2000], 0.99)) is new


def test_a_sample_tells_what_all_would(monkeypatch: pytest.MonkeyPatch) -> None:
    told = np.random.default_rng(2).normal(0, 1, (4000, 3)).astype(np.float32)
    told[::400] *= 5
    every = surprise_of(told)
    monkeypatch.setattr(module, "SAMPLE", 1000)
    assert np.corrcoef(every, surprise_of(told))[0, 1] > 0.9


def test_nothing_is_new_where_nothing_was_seen_or_too_little() -> None:
    scores = scored()
    assert novelty(replace(scores, seen=None)) is None
    few = scores.values.copy()
    rows, cols = places()
    few[rows[FEWEST - 1 :], cols[FEWEST - 1 :]] = np.nan
    assert novelty(replace(scores, values=few)) is None
    assert novelty(replace(scores, values=np.full_like(few, np.nan))) is None


def test_the_strongest_places_alone_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", FEWEST)
    found = novelty(scored())
    assert found is not None
    rows, cols = places()
    order = np.argsort(scored().values[rows, cols])
    assert (found.levels[rows, cols][order[:-FEWEST]] == 0).all()
    assert found.levels[rows, cols][order[-FEWEST:]].any()


def test_a_new_place_comes_before_stronger_ones_that_are_not(scene_of: Scenes) -> None:
    pixels = np.random.default_rng(3).normal(120, 6, (1280, 1280)).clip(1, 254).astype("uint8")
    ground, scores = survey(scene_of(pixels)), scored()
    plain, new = (sigma_map(scores, rule, ground) for rule in ("ground", "novelty"))
    at = [[(one.row, one.col) for one in found.find(-9.0)].index(ODD) for found in (plain, new)]
    assert at[0] > 50
    assert at[1] == 0
    assert len(new.flagged(2.0)) == new.count_above(2.0) > 0
    part = new.as_new(*ODD)
    assert part is not None
    assert part < 1 / len(places()[0])
    assert new.as_new(3 + STEP // 2, 3 + STEP // 2) == 1, "no place is near"
    assert plain.as_new(*ODD) is None
    unseen = sigma_map(replace(scores, seen=None), "novelty", ground)
    assert [(p.row, p.col, p.sigma) for p in unseen.find(3.0)] == [
        (p.row, p.col, p.sigma) for p in plain.find(3.0)
    ], "as per ground where nothing was seen"


def test_a_threshold_means_what_it_means_per_ground(scene_of: Scenes) -> None:
    """As many positions lie beyond it."""
    pixels = np.random.default_rng(3).normal(120, 6, (1280, 1280)).clip(1, 254).astype("uint8")
    ground, scores = survey(scene_of(pixels)), scored()
    scores = replace(scores, values=np.random.default_rng(6).gamma(2, 1, scores.values.shape))
    plain, new = (sigma_map(scores, rule, ground) for rule in ("ground", "novelty"))
    for sigma in (0.0, 1.0, 2.0):
        assert new.count_above(sigma) == pytest.approx(plain.count_above(sigma), rel=0.05)


def test_the_score_of_a_sigma_is_the_sigma_of_that_score() -> None:
    scores = scored()
    kinds = np.random.default_rng(4).integers(0, 8, scores.values.shape).astype(np.uint8)
    levels = np.random.default_rng(5).integers(0, 4, scores.values.shape).astype(np.uint8)
    drawn = Novelty(levels, np.array([0.0, 0.5, 1.5, 4.0]))
    measure = SigmaMap(scores, yardstick(scores, "novelty", kinds, novelty=drawn)).measure
    assert len(measure.scales) == 32
    for sigma in (0.5, 2.0, 5.0):
        back = measure.sigma_of(measure.limits(sigma), np.arange(32))
        np.testing.assert_allclose(back, sigma, atol=1e-6)
    limits = measure.limits(3.0).reshape(8, 4)
    assert (np.diff(limits, axis=1) < 0).all(), "the newer, the lower the score that is enough"
