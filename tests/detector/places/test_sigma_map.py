"""Scores in sigma: the rules, and what was ranked once against what is ranked anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dashboard.detector import (
    RULES,
    Detection,
    OptionError,
    PlaceTable,
    ScoreMap,
    SigmaMap,
    sigma_map,
)
from dashboard.detector.places import suppression as ranking
from tests.detector.scanning.test_score_map import score_map

# Whole numbers: a constant can then be added, and a power of two multiplied, without rounding.
values = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    elements=st.integers(0, 30).map(float) | st.just(float("nan")),
)
rules = st.sampled_from(list(RULES))
KINDS = {"row": "<i4", "col": "<i4", "residual": "<f4", "logit": "<f4", "novelty": "<f4"}
LINE = np.dtype(list(KINDS.items()))  # of a table of places, less what describes them
seeds = st.integers(0, 5)


def measured_by(rule: str, scores: np.ndarray, seed: int) -> SigmaMap:
    """The map by a rule; where it goes by places, half of the positions are, their looks drawn."""
    held, rng = score_map(scores), np.random.default_rng(seed)
    rows, cols = np.nonzero(np.isfinite(scores) & (rng.random(scores.shape) < 0.5))
    lines = np.zeros(len(rows), LINE)
    lines["row"], lines["col"], lines["residual"] = rows, cols, held.values[rows, cols]
    lines["logit"], lines["novelty"] = rng.integers(0, 9, (2, len(rows)))
    return sigma_map(replace(held, places=PlaceTable(lines)), rule)


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
    scores[2, 3:] = 4, 1, 2, 3
    few = measured_by(rule, scores, seed)
    every = len(few.candidates.cells) if few.measure.scale > 0 else 0  # equal scores: none
    assert len(few.flagged(-99.0)) == few.count_above(-99.0) == every
    assert sum(one.tiles for one in few.find(-99.0)) == every
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
    counted = measured.candidates.scores if measured.looked else scores
    beyond = int((counted > np.float64(measure.limit(sigma))).sum())
    assert len(tiles) == measured.count_above(sigma) == beyond
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
    assert robust.centre == pytest.approx(5, abs=0.4)
    assert robust.scale == pytest.approx(2, rel=0.2)
    assert mean.scale > 20


@pytest.mark.parametrize("rule", ["mean", "robust"])
def test_no_scores_and_equal_scores_have_no_places(rule: str) -> None:
    for value in (np.nan, 3.0):
        measured = sigma_map(score_map(np.full((5, 7), value)), rule)
        assert len(measured.flagged(0.5)) == measured.count_above(0.5) == 0
        assert measured.find(0.5) == []
    empty = sigma_map(score_map(np.full((5, 7), np.nan)), rule)
    assert empty.histogram.counts.sum() == 0
    assert np.isnan(empty.highest)


def test_an_unknown_rule_is_refused() -> None:
    scores: ScoreMap = score_map(np.ones((2, 2)))
    with pytest.raises(OptionError, match="one of places, mean, robust"):
        sigma_map(scores, "median")
