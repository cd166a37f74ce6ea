"""How far a place is from those like it: what is alone is new, its unit does not matter."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from dashboard.detector.scanning import nearest
from dashboard.detector.scanning.nearest import novelty, standardised, whitened


def crowd(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 16)).astype(np.float32)


def test_it_is_the_distance_to_the_tenth_other_place() -> None:
    places = crowd(700)
    apart = whitened(standardised(places))
    expected = cKDTree(apart).query(apart, [11])[0][:, 0]
    np.testing.assert_allclose(novelty(places), expected, rtol=1e-4)


def test_what_is_like_no_other_is_newest() -> None:
    places = np.concatenate([crowd(300), np.full((3, 16), 5.0, np.float32)])
    assert set(np.argsort(novelty(places))[-3:].tolist()) == {300, 301, 302}


def test_of_many_places_a_sample_tells_nearly_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    places = np.concatenate([crowd(997), np.full((3, 16), 5.0, np.float32)])
    exact = novelty(places)
    monkeypatch.setattr(nearest, "SAMPLE", 250)
    some = novelty(places)
    assert np.corrcoef(exact, some)[0, 1] > 0.9
    assert set(np.argsort(some)[-3:].tolist()) == {997, 998, 999}
    assert (some >= exact - 1e-4).all(), "of fewer the tenth is further"


def test_axes_that_say_the_same_count_once() -> None:
    places = crowd(2_000)
    many = np.concatenate([places, np.repeat(places[:, :1], 30, axis=1)], axis=1)
    alone = np.zeros((2, 46), np.float32)
    alone[0, 1], alone[1, [0, *range(16, 46)]] = 4.0, 4.0
    with_both = novelty(np.concatenate([many, alone]))[-2:]
    assert abs(with_both[0] - with_both[1]) < 0.2 * with_both[0]
    few = whitened(standardised(crowd(20)))
    assert few.var(axis=0).max() < 1, "of few places no axis is trusted"


def test_units_of_the_numbers_do_not_matter() -> None:
    places = crowd(300)
    scaled = places * np.linspace(0.1, 9.0, 16, dtype=np.float32) + 3.0
    np.testing.assert_allclose(novelty(scaled), novelty(places), rtol=1e-3)


@pytest.mark.parametrize("count", [0, 1, 2, 5, 11, 12])
def test_few_places_are_compared_with_all_there_are(count: int) -> None:
    places = crowd(count)
    found = novelty(places)
    assert found.shape == (count,)
    assert np.isfinite(found).all()
    if 1 < count <= 11:
        apart = whitened(standardised(places))
        furthest = np.linalg.norm(apart[:, None] - apart, axis=2).max(axis=1)
        np.testing.assert_allclose(found, furthest, rtol=1e-3)


def test_numbers_that_are_all_the_same_tell_nothing() -> None:
    assert novelty(np.ones((50, 16), np.float32)).max() == 0
