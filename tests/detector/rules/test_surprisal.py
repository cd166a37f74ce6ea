"""Surprise: the part of all values that are as large, as a logarithm."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dashboard.detector.rules.surprisal import TAIL, Surprise, surprise

values = hnp.arrays(np.float64, st.integers(1, 60), elements=st.integers(-40, 40).map(float))


def among(given: np.ndarray) -> Surprise:
    return surprise(given, np.ones(len(given)))


def test_surprise_is_the_logarithm_of_the_part_that_is_as_large() -> None:
    drawn = np.random.default_rng(0).normal(size=50_000)
    found = among(drawn)
    for part in (0.5, 0.1, TAIL):
        limit = np.quantile(drawn, 1 - part)
        np.testing.assert_allclose(found.of(limit), -np.log(part), rtol=0.01)


def test_beyond_the_last_hundredth_it_counts_how_far_a_value_lies() -> None:
    drawn = np.random.default_rng(0).exponential(size=50_000)
    near, far = among(np.append(drawn, 15.0)), among(np.append(drawn, 40.0))
    np.testing.assert_allclose(near.of(12.0), 12, rtol=0.1)
    assert far.of(40.0) > near.of(15.0) + 20, "both are the largest of as many"


@given(values)
def test_more_is_more_surprising_and_can_be_undone(given: np.ndarray) -> None:
    found = among(given)
    ranked = np.unique(given)
    levels = found.of(ranked)
    assert (np.diff(levels) > 0).all()
    assert levels[0] == 0
    np.testing.assert_allclose(found.back(levels), ranked, atol=1e-9)
    assert found.of(ranked[:1] - 1) == 0
    assert found.back(np.array([-0.1])) == -np.inf
    assert np.isnan(found.of(np.array([np.nan]))).all()


@given(values, st.sampled_from([0.25, 8]), st.integers(-9, 9))
def test_it_knows_no_unit(given: np.ndarray, factor: float, more: int) -> None:
    plain, other = among(given), among(factor * given + more)
    np.testing.assert_allclose(other.of(factor * given + more), plain.of(given), atol=1e-12)


@given(values)
def test_it_does_not_depend_on_how_values_are_counted(given: np.ndarray) -> None:
    once, counts = np.unique(given, return_counts=True)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(once) + 1)
    other = surprise(np.append(once, 99)[order], np.append(counts, 0)[order])
    np.testing.assert_allclose(other.of(given), among(given).of(given), atol=1e-12)


def test_of_nothing_nothing_is_known() -> None:
    found = surprise(np.zeros(0), np.zeros(0))
    assert found.of(np.zeros(1)) == 0
