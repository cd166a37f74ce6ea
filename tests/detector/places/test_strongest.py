"""The few strongest places, as a scan under way shows them."""

from __future__ import annotations

import numpy as np

from dashboard.detector import Grid, ScoreMap, find
from dashboard.detector.places.strongest import strongest


def score_map(seed: int) -> ScoreMap:
    rng = np.random.default_rng(seed)
    grid = Grid(1200, 900, 128, 4)
    values = rng.random((grid.rows, grid.cols), np.float32)
    values[rng.integers(grid.rows, size=30), rng.integers(grid.cols, size=30)] += 1 + rng.random(30)
    values[:, 200:] = np.nan
    return ScoreMap(values, grid, 28)


def test_they_are_those_that_find_lists_first() -> None:
    for seed in range(10):
        scores = score_map(seed)
        assert strongest(scores, 5) == [one.box for one in find(scores, top=5)]


def test_what_overlaps_a_stronger_place_belongs_to_it() -> None:
    scores = score_map(0)
    scores.values[:] = 0
    scores.values[12:14, 12:14] = 5.0  # where blocks meet
    first, second = strongest(scores, 2)
    assert not first.overlaps(second)


def test_a_map_without_scores_has_none() -> None:
    scores = score_map(0)
    scores.values[:] = np.nan
    assert strongest(scores, 5) == []
