"""The places that a finder points at: local maxima, each block's strongest, however it was cut."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.detector import Grid, ScoreMap
from dashboard.detector.scanning.peaks import blocks, places, strongest

WINDOW = 28  # px: windows that overlap lie up to 6 positions apart


def score_map(values: np.ndarray) -> ScoreMap:
    rows, cols = values.shape
    grid = Grid(4 * (cols - 1) + 128, 4 * (rows - 1) + 128, 128, 4)
    return ScoreMap(values.astype(np.float32), grid, WINDOW)


def noise(rows: int, cols: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, cols)).astype(np.float32)


def test_every_position_lies_in_one_block() -> None:
    held = np.zeros((300, 520), int)
    for block in blocks(score_map(held).grid):
        held[block.rows, block.cols] += 1
    assert (held == 1).all()


def test_places_are_the_maxima_of_all_whose_windows_overlap_theirs() -> None:
    values = noise(300, 520)
    found = places(score_map(values), per_mpx=1e9)
    expected = {
        (row, col)
        for row in range(300)
        for col in range(520)
        if values[row, col] == values[max(0, row - 6) : row + 7, max(0, col - 6) : col + 7].max()
    }
    assert set(zip(found.rows.tolist(), found.cols.tolist(), strict=True)) == expected
    np.testing.assert_array_equal(found.scores, values[found.rows, found.cols])


def test_a_block_has_its_strongest_places_and_no_more_than_its_share() -> None:
    scores = score_map(noise(300, 520))
    for block in blocks(scores.grid):
        every, some = strongest(scores, block, 1e9), strongest(scores, block, 100.0)
        area = (block.rows.stop - block.rows.start) * (block.cols.stop - block.cols.start)
        assert len(some.rows) == np.ceil(100.0 * area * 16 / 1e6)
        weakest = np.sort(every.scores)[-len(some.rows)]
        assert some.scores.min() == weakest
        assert (np.diff(some.rows) >= 0).all()


def test_ground_without_scores_has_no_right_to_places() -> None:
    values = noise(256, 256)
    values[:, 128:] = np.nan
    whole, half = (
        strongest(one, next(blocks(one.grid)), 100.0)
        for one in map(score_map, (noise(256, 256), values))
    )
    assert len(half.rows) == pytest.approx(len(whole.rows) / 2, abs=1)
    assert half.cols.max() < 128


def test_of_equal_scores_the_first_is_a_place() -> None:
    found = places(score_map(np.ones((300, 300))), per_mpx=1e9)
    assert [(*map(int, one),) for one in zip(found.rows, found.cols, strict=True)] == [(0, 0)]
    values = np.zeros((300, 300))
    values[254:258, 100:104] = 5.0  # over the border of two blocks
    found = places(score_map(values), per_mpx=1e9)
    top = found.scores == 5.0
    assert (found.rows[top].tolist(), found.cols[top].tolist()) == ([254], [100])


def test_what_lies_beyond_a_block_does_not_change_its_places() -> None:
    values = noise(600, 600)
    whole = score_map(values)
    block = list(blocks(whole.grid))[4]
    other = values.copy()
    other[: block.rows.start - 6] = 9.0
    found, again = strongest(whole, block, 50.0), strongest(score_map(other), block, 50.0)
    np.testing.assert_array_equal(found.rows, again.rows)
    np.testing.assert_array_equal(found.cols, again.cols)


def test_a_small_scene_has_more_places_than_its_share() -> None:
    small, large = score_map(noise(120, 120)), score_map(noise(600, 700))
    assert len(places(small).rows) == len(places(small, per_mpx=1e9).rows)
    share = sum(len(strongest(large, block, 100.0).rows) for block in blocks(large.grid))
    assert len(places(large).rows) == share > 400
