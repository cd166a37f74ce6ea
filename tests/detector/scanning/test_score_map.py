"""Scores: the article's mean and standard deviation, and what lies beyond them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dashboard.detector import Box, Grid, OptionError, ScoreMap

SHAPE = (5, 7)


def score_map(values: np.ndarray, stride: int = 16, window: int = 48) -> ScoreMap:
    rows, cols = values.shape
    grid = Grid(256 + (cols - 1) * stride, 256 + (rows - 1) * stride, 256, stride)
    return ScoreMap(values.astype(np.float32), grid, window)


maps = hnp.arrays(np.float32, SHAPE, elements=st.floats(0, 9, width=32)).map(score_map)
holed = hnp.arrays(
    np.float32, SHAPE, elements=st.floats(0, 9, width=32) | st.just(float("nan"))
).map(score_map)


@given(holed, st.floats(-3, 6))
def test_counts_are_those_of_a_plain_loop(scores: ScoreMap, sigma: float) -> None:
    values = scores.values[np.isfinite(scores.values)].astype(float)
    assert scores.scored == len(values)
    if not len(values):
        assert np.isnan(scores.mean)
        return
    assert scores.mean == pytest.approx(values.mean())
    assert scores.std == pytest.approx(values.std())
    assert scores.count_above(sigma) == (values > scores.at(sigma)).sum()
    histogram = scores.histogram(9)
    assert histogram.counts.sum() == len(values)
    assert len(histogram.edges) == 10


@given(maps)
def test_sigma_is_measured_from_the_mean(scores: ScoreMap) -> None:
    if scores.std < 1e-3:
        return
    sigmas = scores.sigma_of(scores.values)
    assert sigmas.mean() == pytest.approx(0, abs=1e-4)
    assert sigmas.std() == pytest.approx(1, abs=1e-4)
    assert scores.sigma_of(scores.at(2.5)) == pytest.approx(2.5)


def test_equal_scores_have_no_outliers_and_no_scores_no_statistics() -> None:
    equal = score_map(np.full(SHAPE, 3.0))
    assert equal.count_above(3) == 0
    assert (equal.sigma_of(equal.values) == 0).all()
    empty = score_map(np.full(SHAPE, np.nan))
    assert empty.scored == empty.count_above(0) == 0
    assert empty.histogram().counts.sum() == 0


def test_a_threshold_is_a_number() -> None:
    for sigma in (float("nan"), float("inf")):
        with pytest.raises(OptionError, match="finite"):
            score_map(np.ones(SHAPE)).at(sigma)


def test_the_scored_window_lies_in_the_middle_of_its_tile() -> None:
    scores = score_map(np.ones(SHAPE))
    assert scores.scored_box(0, 0) == Box(104, 104, 152, 152)
    assert scores.scored_box(2, 1) == Box(120, 136, 168, 184)


def test_scores_must_fit_their_grid() -> None:
    with pytest.raises(ValueError, match="scores on a grid"):
        ScoreMap(np.ones((2, 2), np.float32), Grid(256, 256, 256, 16), 48)
