"""How rough the ground around a place is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dashboard.detector import ROUGHNESS, Grid, Roughness, Scene, ScoreMap, survey

Scenes = Callable[..., Scene]


def land() -> np.ndarray:
    """Smooth ground on the left, rough on the right."""
    rng = np.random.default_rng(0)
    pixels = np.full((640, 640), 120.0)
    pixels[:, :320] += rng.normal(0, 2, (640, 320))
    pixels[:, 320:] += rng.normal(0, 20, (640, 320))
    return pixels.clip(1, 254).astype("uint8")


def score_map(value: float = 1.0) -> ScoreMap:
    grid = Grid(640, 640, 128, 4)
    return ScoreMap(np.full((grid.rows, grid.cols), value, np.float32), grid, 28)


def test_rough_and_smooth_ground_are_told_apart_in_parts_of_equal_area(scene_of: Scenes) -> None:
    scores = score_map()
    found = Roughness.of(scores, survey(scene_of(land())))
    words = [
        found.word(row, col)
        for row in range(0, scores.grid.rows, 4)
        for col in range(0, scores.grid.cols, 4)
    ]
    assert [words.count(word) / len(words) for word in ROUGHNESS] == pytest.approx([0.25] * 4, 0.2)
    at = lambda x, y: ROUGHNESS.index(found.word((y - 64) // 4, (x - 64) // 4))  # noqa: E731
    assert at(150, 150) < 2 <= at(500, 150)


def test_a_scene_without_scores_has_a_roughness_all_the_same(scene_of: Scenes) -> None:
    found = Roughness.of(score_map(float("nan")), survey(scene_of(land())))
    assert found.word(5, 5) in ROUGHNESS
