"""Detections: greedy suppression as a brute-force loop does it, ranked, each one place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dashboard.detector import OptionError, ScoreMap, find, sigma_map
from tests.detector.scanning.test_score_map import score_map


def brute_force(scores: ScoreMap, threshold: float) -> list[tuple[int, int, int]]:
    """`(row, col, tiles)`: the strongest tile takes every free one whose window overlaps its."""
    free = {
        (row, col): float(scores.values[row, col])
        for row, col in np.argwhere(scores.values > threshold).tolist()
    }
    found = []
    while free:
        best = max(free, key=lambda place: (free[place], -place[0], -place[1]))
        box = scores.scored_box(*best)
        group = [place for place in free if scores.scored_box(*place).overlaps(box)]
        found.append((*best, len(group)))
        for place in group:
            del free[place]
    return found


@given(
    values=hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 8), st.integers(1, 8)),
        elements=st.integers(0, 30).map(float) | st.just(float("nan")),
    ),
    stride=st.sampled_from([16, 20, 48, 100]),
    sigma=st.floats(-1, 3),
)
def test_groups_are_those_of_a_brute_force_loop(
    values: np.ndarray, stride: int, sigma: float
) -> None:
    scores = score_map(values, stride)
    found = find(scores, sigma)
    expected = brute_force(scores, scores.at(sigma))
    assert [(one.row, one.col, one.tiles) for one in found] == expected
    assert [one.rank for one in found] == list(range(1, len(found) + 1))
    assert sum(one.tiles for one in found) == len(sigma_map(scores).flagged(sigma))
    for one in found:
        assert one.box == scores.scored_box(one.row, one.col)
        assert (one.x, one.y) == one.box.centre
        assert one.score > scores.at(sigma)
        assert (one.lon, one.lat) == (None, None)


@given(hnp.arrays(np.float32, (6, 6), elements=st.floats(0, 9, width=32)), st.integers(1, 40))
def test_top_gives_the_strongest_whatever_their_sigma(values: np.ndarray, top: int) -> None:
    scores = score_map(values)
    every = find(scores, top=1000)
    assert find(scores, top=top) == every[:top]
    assert [one.sigma for one in every] == sorted((one.sigma for one in every), reverse=True)


def test_flagged_tiles_come_strongest_first() -> None:
    values = np.zeros((4, 5))
    values[1, 2], values[3, 0], values[0, 4] = 5, 9, 7
    tiles = sigma_map(score_map(values)).flagged(1)
    assert [(tile.row, tile.col) for tile in tiles] == [(3, 0), (0, 4), (1, 2)]
    assert tiles[0].box == score_map(values).grid.at(3, 0).read


def test_top_must_ask_for_something() -> None:
    with pytest.raises(OptionError, match="at least 1"):
        find(score_map(np.ones((2, 2))), top=0)
