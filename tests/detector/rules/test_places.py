"""The default rule: look and novelty of each place together, among the scene's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dashboard.detector import Grid, PlaceTable, ScoreMap, SigmaMap, sigma_map

ROWS, COLS, STEP = 300, 400, 10  # a place every ten positions
ADDED = ("logit", "novelty")


def score_map(folder: Path, seed: int = 0, **odd: float) -> ScoreMap:
    """Ordinary places, of which the first is as odd as said, by what is said."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(ROWS, COLS)).astype(np.float32)
    rows, cols = (one.reshape(-1) for one in np.mgrid[5:ROWS:STEP, 5:COLS:STEP])
    path = folder / f"places-{seed}-{len(odd)}.npy"
    PlaceTable.write(path, (rows, cols, values[rows, cols]), 8)
    table = PlaceTable.open(path, "r+")
    logits, described = rng.normal(size=len(rows)), rng.normal(size=(len(rows), 8))
    table.put(0, logits.astype(np.float32), described.astype(np.float32))
    for name, value in odd.items():
        table.lines[name][0] = value
    grid = Grid(4 * (COLS - 1) + 128, 4 * (ROWS - 1) + 128, 128, 4)
    return ScoreMap(values, grid, 28, places=table)


def test_what_is_odd_by_one_of_the_two_alone_stands_out(tmp_path: Path) -> None:
    plain = sigma_map(score_map(tmp_path), "places")
    before = dict(zip(plain.candidates.cells.tolist(), plain.candidates.sigmas, strict=True))
    first = 5 * COLS + 5
    for name in ADDED:
        odd = sigma_map(score_map(tmp_path, **{name: 30.0}), "places")
        assert odd.candidates.cells[0] == first
        assert odd.candidates.sigmas[0] > before[first] + 3


def test_the_residual_is_told_and_does_not_count(tmp_path: Path) -> None:
    plain = sigma_map(score_map(tmp_path), "places")
    odd = sigma_map(score_map(tmp_path, residual=30.0), "places")
    np.testing.assert_array_equal(plain.candidates.sigmas, odd.candidates.sigmas)
    told = odd.surprises(5, 5)
    assert told is not None
    assert told["residual"] < 1e-3


def test_a_score_is_the_sum_of_two_surprises(tmp_path: Path) -> None:
    found = sigma_map(score_map(tmp_path, logit=9.0), "places")
    strongest = found.find(top=1)[0]
    parts = found.surprises(strongest.row, strongest.col)
    assert parts is not None
    total = sum(-np.log(parts[name]) for name in ADDED)
    assert strongest.score == pytest.approx(total, rel=1e-5)
    assert parts["logit"] < 1e-3 < parts["residual"]
    assert found.surprises(0, 0) is None, "no place was looked at there"


def test_half_of_the_places_lie_below_0_and_few_far_above(tmp_path: Path) -> None:
    found = sigma_map(score_map(tmp_path), "places")
    assert np.median(found.places) == pytest.approx(0.0, abs=1e-6)
    assert 0.002 < (found.places > 3).mean() < 0.03


def test_objects_do_not_move_the_sigma_of_the_others(tmp_path: Path) -> None:
    plain, odd = (score_map(tmp_path, **some) for some in ({}, {"logit": 40.0, "residual": 40.0}))
    before, after = (sigma_map(one, "places").places for one in (plain, odd))
    np.testing.assert_allclose(after[1:50], before[:49], atol=0.25)


def test_flagged_are_the_places_beyond_the_threshold(tmp_path: Path) -> None:
    found = sigma_map(score_map(tmp_path), "places")
    for sigma in (-1.0, 0.0, 1.5, 3.0, 99.0):
        beyond = int((found.places > sigma).sum())
        assert found.count_above(sigma) == len(found.flagged(sigma)) == len(found.find(sigma))
        assert found.count_above(sigma) == beyond
    assert len(found.find(top=10**6)) == len(found.places)
    assert found.histogram.counts.sum() == len(found.places)


def test_places_can_be_measured_by_those_of_other_ground(tmp_path: Path) -> None:
    here = sigma_map(score_map(tmp_path, 1), "places")
    there = sigma_map(score_map(tmp_path, 2, logit=20.0), "places", here)
    assert there.measure is here.measure
    assert there.candidates.cells[0] == 5 * COLS + 5
    np.testing.assert_allclose(np.median(there.places), 0.0, atol=0.15)
    same = sigma_map(here.scores, "places", here)
    np.testing.assert_array_equal(same.places, here.places)


def test_where_nobody_looked_it_is_the_articles_rule(tmp_path: Path) -> None:
    scores = replace(score_map(tmp_path), places=None)
    by_places, by_mean = sigma_map(scores, "places"), sigma_map(scores, "mean")
    assert by_places.measure.rule == "mean"
    np.testing.assert_array_equal(by_places.candidates.cells, by_mean.candidates.cells)
    assert by_places.surprises(5, 5) is None


@pytest.mark.parametrize("count", [0, 1, 2, 12])
def test_few_places_are_measured_too(tmp_path: Path, count: int) -> None:
    scores = score_map(tmp_path)
    assert scores.places is not None
    some = scores.places.chosen(np.arange(len(scores.places)) < count)
    found = sigma_map(replace(scores, places=some), "places")
    assert isinstance(found, SigmaMap)
    assert np.isfinite(found.places).all()
    assert len(found.find(top=100)) == count
    assert not found.tail.enough
