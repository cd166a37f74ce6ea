"""Scores in sigma: the rules, and what was ranked once against what is ranked anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dashboard.detector import RULES, Detection, OptionError, ScoreMap, SigmaMap, sigma_map
from dashboard.detector.places import suppression as ranking
from dashboard.detector.rules import rules as measures
from dashboard.detector.rules.novelty import Novelty
from dashboard.detector.rules.rules import yardstick
from tests.detector.scanning.test_score_map import score_map

# Whole numbers: a constant can then be added, and a power of two multiplied, without rounding.
values = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    elements=st.integers(0, 30).map(float) | st.just(float("nan")),
)
rules = st.sampled_from(RULES)
seeds = st.integers(0, 5)


def measured_by(rule: str, scores: np.ndarray, seed: int) -> SigmaMap:
    """The map by a rule; kinds of ground or look, and novelty, are drawn; three make a kind."""
    held, rng = score_map(scores), np.random.default_rng(seed)
    kinds = rng.integers(0, 4, scores.shape).astype(np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measures, "FEWEST", 3)
        rarity = rng.integers(-3, 4, 4).astype(float)
        new = Novelty(rng.integers(0, 3, scores.shape).astype(np.uint8), np.array([0, 0.7, 3.0]))
        return SigmaMap(held, yardstick(held, rule, kinds, rarity, new))


def clear(measured: SigmaMap, *limits: float) -> bool:
    """Whether no two sigmas, and none and a limit, are so alike that rounding would decide."""
    sigmas = np.unique(measured.candidates.sigmas)
    near = np.abs(sigmas[:, None] - np.array(limits))
    return bool((np.diff(sigmas) > 1e-6).all() and (near > 1e-6).all())


@given(values, rules, seeds, st.floats(-1, 3), st.sampled_from([0.25, 1, 8]), st.integers(-9, 9))
def test_scaling_scores_or_adding_to_them_changes_no_decision(
    scores: np.ndarray, rule: str, seed: int, sigma: float, factor: float, more: int
) -> None:
    plain, other = (measured_by(rule, v, seed) for v in (scores, factor * scores + more))
    assume(clear(plain, sigma) and clear(other, sigma))
    places = [[(one.row, one.col, one.tiles) for one in m.find(sigma)] for m in (plain, other)]
    assert places[0] == places[1]
    assert len(plain.flagged(sigma)) == len(other.flagged(sigma))


@given(values, rules, seeds, st.floats(0, 1), st.floats(0, 1))
def test_more_false_discovery_allowed_never_gives_fewer_places(
    scores: np.ndarray, rule: str, seed: int, one: float, other: float
) -> None:
    found = measured_by(rule, scores, seed).find(-9.0)
    few, many = ([p.rank for p in found if (p.q or 0) <= rate] for rate in sorted((one, other)))
    assert many[: len(few)] == few == list(range(1, len(few) + 1)), "the strongest ones"


@given(rules, seeds, st.floats(-1, 3))
def test_no_scores_and_strata_without_scores_have_no_places(
    rule: str, seed: int, sigma: float
) -> None:
    scores = np.full((5, 7), np.nan)
    empty = measured_by(rule, scores, seed)
    assert empty.find(sigma) == []
    assert empty.count_above(sigma) == len(empty.flagged(sigma)) == 0
    scores[2, 3:] = 4, 1, 2, 3  # some kinds have one score, some none
    few = measured_by(rule, scores, seed)
    assert len(few.flagged(-99.0)) == few.count_above(-99.0) == 4
    assert sum(one.tiles for one in few.find(-99.0)) == 4
    assert np.isfinite(few.candidates.sigmas).all()


@given(values, rules, seeds, st.floats(-1, 3), st.floats(-1, 3))
def test_a_higher_threshold_gives_the_first_of_the_same_places(
    scores: np.ndarray, rule: str, seed: int, one: float, other: float
) -> None:
    measured = measured_by(rule, scores, seed)
    assume(clear(measured, one, other))
    many, few = (measured.find(sigma) for sigma in sorted((one, other)))
    assert [(p.row, p.col) for p in few] == [(p.row, p.col) for p in many][: len(few)]
    assert all(strong.tiles <= weak.tiles for strong, weak in zip(few, many, strict=False))


@given(values, rules, seeds, st.floats(-1, 3))
def test_every_flagged_tile_is_counted_and_belongs_to_one_place(
    scores: np.ndarray, rule: str, seed: int, sigma: float
) -> None:
    measured = measured_by(rule, scores, seed)
    tiles, measure = measured.flagged(sigma), measured.measure
    limits = measure.limits(sigma)[0 if measure.kinds is None else measure.kinds]
    assert len(tiles) == measured.count_above(sigma) == int((scores > limits).sum())
    assert sum(place.tiles for place in measured.find(sigma)) == len(tiles)
    assert [tile.sigma for tile in tiles] == sorted((t.sigma for t in tiles), reverse=True)
    assert list(tiles)[1:3] == tiles[1:3]


def test_a_map_too_large_to_rank_whole_gives_the_same_below_its_floor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scores = score_map(np.random.default_rng(0).gamma(2, 1, (40, 50)))
    whole = sigma_map(scores)
    assert whole.floor == -np.inf
    monkeypatch.setattr(ranking, "MOST", 200)
    cut = sigma_map(scores)
    assert 0 < cut.floor < 3
    assert len(cut.candidates.cells) == pytest.approx(200, abs=40)
    for sigma in (cut.floor + 0.01, cut.floor - 0.5, -9.0):
        assert without_chances(cut.find(sigma)) == without_chances(whole.find(sigma))
        assert cut.count_above(sigma) == whole.count_above(sigma)
    assert without_chances(cut.find(top=300)) == without_chances(whole.find(top=300))


def without_chances(found: list[Detection]) -> list[Detection]:
    """The tail begins higher where fewer places are known."""
    return [replace(one, p=None, q=None) for one in found]


def test_half_of_the_scores_being_outliers_does_not_move_the_robust_sigma() -> None:
    rng = np.random.default_rng(1)
    plain = rng.normal(5, 2, (60, 60))
    spoilt = plain.copy()
    spoilt[:6] = 90
    mean, robust = (sigma_map(score_map(spoilt), rule).measure for rule in ("mean", "robust"))
    assert robust.centres[0] == pytest.approx(5, abs=0.4)
    assert robust.scales[0] == pytest.approx(2, rel=0.2)
    assert mean.scales[0] > 20


@pytest.mark.parametrize("rule", ["mean", "robust"])
def test_no_scores_and_equal_scores_have_no_places(rule: str) -> None:
    for value in (np.nan, 3.0):
        measured = sigma_map(score_map(np.full((5, 7), value)), rule)
        assert len(measured.flagged(0.5)) == measured.count_above(0.5) == 0
        assert measured.find(0.5) == []
    empty = sigma_map(score_map(np.full((5, 7), np.nan)), rule)
    assert empty.histogram.counts.sum() == 0
    assert np.isnan(empty.highest)


@given(values, seeds, st.floats(-1, 3), st.sampled_from([0.25, 1, 8]), st.integers(-9, 9))
def test_kinds_without_enough_scores_are_judged_by_all_and_scaling_changes_nothing(
    scores: np.ndarray, seed: int, sigma: float, factor: float, more: int
) -> None:
    kinds = np.random.default_rng(seed).integers(0, 7, scores.shape).astype(np.uint8)
    maps = [score_map(scores), score_map(factor * scores + more)]
    plain, other = (SigmaMap(one, yardstick(one, "ground", kinds)) for one in maps)
    limits = plain.measure.limits(sigma)
    np.testing.assert_allclose(limits, maps[0].at(sigma), atol=1e-6)
    if len(plain.candidates.cells) and np.abs(plain.candidates.sigmas - sigma).min() < 1e-6:
        return  # a score at the threshold itself: rounding decides
    assert [one.tiles for one in plain.find(sigma)] == [one.tiles for one in other.find(sigma)]


def test_rough_ground_is_judged_by_its_own_and_dark_places_half_way() -> None:
    """Sigma among ground as rough counts, and half of what dark and bright places differ by."""
    scores = np.random.default_rng(0).normal(0, 1, (100, 100))
    rough, bright = np.indices(scores.shape) % 2
    scores[rough == 1] *= 5
    scores[bright == 0] += 2
    held = score_map(scores)
    measure = yardstick(held, "ground", (2 * rough + bright).astype(np.uint8))
    found = measure.sigma_of(held.values, 2 * rough + bright)
    among = held.values.astype(float)
    for part in (rough == 0, rough == 1):
        among[part] = (among[part] - among[part].mean()) / among[part].std()
    expected = among.copy()
    for part in (bright == 0, bright == 1):
        own = (among[part] - among[part].mean()) / among[part].std()
        expected[part] = (among[part] + own) / 2
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found[bright == 0].mean() > found[bright == 1].mean() + 0.3, "half of it is left"


def test_an_unknown_rule_is_refused() -> None:
    scores: ScoreMap = score_map(np.ones((2, 2)))
    with pytest.raises(OptionError, match="one of mean, robust"):
        sigma_map(scores, "median")
