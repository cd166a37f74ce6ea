"""Tails: what a threshold promises is what ground without objects keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from dashboard.detector import sigma_map
from dashboard.detector.places.false_alarms import FEWEST, Tail, fit
from tests.detector.scanning.test_score_map import score_map

levels = hnp.arrays(np.float64, st.integers(0, 300), elements=st.floats(-3, 40))


def drawn(shape: float, seed: int, number: int = 4000) -> np.ndarray:
    """Places in sigma whose tail has a known shape."""
    return stats.genpareto.rvs(shape, size=number, random_state=seed)


@pytest.mark.parametrize("shape", [-0.1, 0.0, 0.1])
@pytest.mark.parametrize("promise", [1, 10, 100])
def test_a_promise_is_kept_on_other_ground_of_the_same_kind(shape: float, promise: int) -> None:
    kept = []
    for seed in range(60):
        tail = fit(drawn(shape, seed), 4000)
        kept.append((drawn(shape, 1000 + seed) >= tail.sigma_of(promise)).sum())
        assert tail.doubts == ()
    assert promise / 2 < np.mean(kept) < 2 * promise


def test_a_tail_that_ends_early_is_promised_too_much_rather_than_too_little() -> None:
    kept = []
    for seed in range(30):
        tail = fit(drawn(-0.4, seed), 4000)
        kept.append((drawn(-0.4, 1000 + seed) >= tail.sigma_of(1)).sum())
    assert np.mean(kept) <= 1


def test_the_objects_sought_hardly_stretch_the_tail() -> None:
    sigmas = np.append(drawn(0.0, 3), np.full(8, 60.0))
    tail = fit(sigmas, 4000)
    shape, _, scale = stats.genpareto.fit(np.sort(sigmas)[-tail.beyond :] - tail.start, floc=0)
    uncensored = tail.beyond * stats.genpareto.sf(12.0 - tail.start, shape, scale=scale)
    assert tail.expected(12.0) < 0.4
    assert uncensored > 1.5


@given(levels, st.floats(-5, 50), st.floats(0, 10))
@example(np.array([5e-324, 0.0, 0.0, 0.0]), 0.0, 0.0)  # the smallest number there is
def test_fewer_false_places_are_expected_beyond_a_higher_threshold(
    sigmas: np.ndarray, sigma: float, more: float
) -> None:
    tail = fit(sigmas, 400)
    low, high = tail.expected(sigma), tail.expected(sigma + more)
    assert 0 <= high <= low <= len(sigmas)
    assert 0 <= tail.p(sigma) <= 1


@given(levels)
def test_rates_are_those_of_benjamini_and_hochberg_and_grow_down_the_list(
    sigmas: np.ndarray,
) -> None:
    tail, ranked = fit(sigmas, 400), np.sort(sigmas)[::-1]
    rates = tail.q(ranked)
    expected = tail.expected(ranked)
    plain = [
        min(1.0, *(expected[j] / (j + 1) for j in range(i, len(ranked))), 1.0)
        for i in range(len(ranked))
    ]
    np.testing.assert_allclose(rates, plain, atol=1e-12)
    assert (np.diff(rates) >= 0).all(), "more false discovery allowed never gives fewer places"


@given(levels, st.sampled_from([0.3, 1, 4, 10, 50]))
def test_a_threshold_can_be_had_for_a_promise(sigmas: np.ndarray, promise: float) -> None:
    tail = fit(sigmas, 400)
    assert tail.expected(tail.sigma_of(promise)) <= promise * (1 + 1e-6) + 1e-6


@given(levels, st.sampled_from([1, 4, 10, 50]))
def test_in_a_scene_as_many_places_are_listed_as_may_be_false(
    sigmas: np.ndarray, promise: int
) -> None:
    tail = fit(sigmas, 400)
    limit = tail.sigma_here(promise)
    assert tail.expected(limit) <= promise * (1 + 1e-6) + 1e-6
    distinct = len(np.unique(sigmas)) == len(sigmas)
    assert not distinct or (sigmas >= limit).sum() >= min(promise, len(sigmas))
    assert tail.sigma_here(0.3) == tail.sigma_of(0.3)


def test_no_more_false_places_are_expected_than_there_are() -> None:
    sigmas = np.append(drawn(0.3, 3), 60.0)
    tail = fit(sigmas, 4000)
    assert tail.expected(59.0) <= 1
    assert tail.expected(61.0) == 0


def test_few_places_and_a_bad_fit_are_doubted() -> None:
    rng = np.random.default_rng(5)
    assert fit(rng.exponential(size=FEWEST), 400).doubts[0].startswith("only 40 places")
    stripes = np.concatenate([drawn(0.0, 1), np.full(60, 4.0), np.full(60, 6.0)])
    assert "does not fit" in fit(stripes, 4000).doubts[0]
    assert fit(np.zeros(0), 0).expected(3.0) == 0
    equal: Tail = fit(np.full(500, 2.0), 500)
    assert equal.expected(1.0) == 500


def test_ground_whose_halves_differ_is_doubted() -> None:
    quiet, loud = drawn(0.0, 1, 2000), 3 * drawn(0.0, 2, 2000)
    halves = np.arange(4000) < 2000
    assert any("half" in doubt for doubt in fit(np.append(quiet, loud), 4000, halves).doubts)
    even = fit(np.append(quiet, drawn(0.0, 2, 2000)), 4000, halves)
    assert even.doubts == ()


def test_halves_of_other_sizes_are_compared_by_their_share_and_the_smallest_not_at_all() -> None:
    levels = drawn(0.0, 1)
    for part in (0.1, 0.25, 0.9):
        assert fit(levels, 4000, np.arange(4000) < part * 4000).doubts == ()
    alone = fit(levels, 4000, np.arange(4000) >= 0)
    assert alone.doubts == (), "one half has no places that could tell"


def test_each_place_carries_its_chances() -> None:
    values = np.random.default_rng(2).gumbel(size=(120, 120))
    values[60, 60] = 40
    found = sigma_map(score_map(values)).find(2.0)
    assert found[0].p < 1e-6
    assert found[0].q < 0.01
    assert [one.p for one in found] == sorted(one.p for one in found)
    assert all(one.q > 0.1 for one in found[1:20]), "the rest is ground"
