"""How surprising a value is: ranks among the ordinary, distance beyond, nothing stretched."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.detector.rules.surprisal import Surprisal

FLOATS = st.floats(-1e6, 1e6, width=32)


def exponential(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).exponential(size=count)


def test_a_surprise_is_the_logarithm_of_how_few_are_as_large() -> None:
    values = exponential(1000)
    found = np.exp(-Surprisal.of(values)(np.quantile(values, [0.1, 0.5, 0.9])))
    np.testing.assert_allclose(found, [0.9, 0.5, 0.1], atol=0.005)


def test_of_exponential_values_the_surprise_goes_on_as_they_are() -> None:
    values = exponential(4000)
    beyond = np.array([5.0, 10.0, 20.0])
    np.testing.assert_allclose(Surprisal.of(values)(beyond), beyond, rtol=0.2)


def test_a_few_values_far_out_do_not_stretch_the_tail() -> None:
    values = exponential(1000)
    alone = Surprisal.of(values)
    beside = Surprisal.of(np.append(values, [50.0, 60.0, 70.0]))
    np.testing.assert_allclose(beside([8.0, 30.0]), alone([8.0, 30.0]), rtol=0.1)
    assert beside([50.0])[0] > 30.0


@pytest.mark.parametrize("count", [0, 1, 2, 3, 12, 40])
def test_few_values_have_surprises_too(count: int) -> None:
    ordinary = Surprisal.of(exponential(count))
    found = ordinary([-1.0, 0.5, 100.0])
    assert np.isfinite(found).all()
    assert (np.diff(found) >= 0).all()


def test_equal_values_surprise_nobody() -> None:
    found = Surprisal.of(np.full(100, 3.0))(np.full(3, 3.0))
    np.testing.assert_allclose(found, 0.0, atol=0.01)


@given(st.lists(FLOATS, min_size=1, max_size=200), st.lists(FLOATS, min_size=2, max_size=20))
def test_a_larger_value_is_never_less_surprising(values: list[float], asked: list[float]) -> None:
    found = Surprisal.of(np.array(values))(np.sort(asked))
    assert np.isfinite(found).all()
    assert (np.diff(found) >= -1e-9).all()


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=200), st.floats(0.1, 10), FLOATS)
def test_a_surprise_knows_no_unit(values: list[int], gain: float, offset: float) -> None:
    plain = np.array(values, np.float64)
    found = Surprisal.of(plain)(plain)
    again = Surprisal.of(gain * plain + offset)(gain * plain + offset)
    np.testing.assert_allclose(found, again, rtol=1e-3, atol=1e-3)
