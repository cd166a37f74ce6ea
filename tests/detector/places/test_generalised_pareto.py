"""The generalised Pareto distribution and its tests are those of `scipy.stats`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from dashboard.detector.places import generalised_pareto as pareto

EXCESSES = np.array([0.0, 1e-9, 0.1, 1.0, 5.0, 13.3, 13.4, 40.0])


@pytest.mark.parametrize("shape", [-0.15, -1e-14, 0.0, 1e-9, 0.3, 0.9])
@pytest.mark.parametrize("scale", [0.01, 2.0])
def test_the_distribution_is_that_of_scipy(shape: float, scale: float) -> None:
    theirs = stats.genpareto(shape, scale=scale)
    for ours, other in (
        (pareto.survival, theirs.sf),
        (pareto.log_survival, theirs.logsf),
        (pareto.log_density, theirs.logpdf),
    ):
        np.testing.assert_allclose(ours(EXCESSES * scale, shape, scale), other(EXCESSES * scale))
    chances = np.array([1.0, 0.5, 1e-6])
    np.testing.assert_allclose(pareto.excess_of_chance(chances, shape, scale), theirs.isf(chances))


def test_nothing_lies_beyond_an_end() -> None:
    assert pareto.survival(np.array([6.6, 6.7, 9.0]), -0.15, 1.0)[1:].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("count", [28, 388])
@pytest.mark.parametrize("stretch", [1.0, 1.1, 1.2, 1.4, 2.0])
def test_a_misfit_has_the_chance_that_scipy_gives_it(count: int, stretch: float) -> None:
    values = np.random.default_rng(count).exponential(stretch, count)
    theirs = stats.kstest(values, stats.expon.cdf).pvalue
    near = 0.02 if theirs > 0.1 else 0.002
    assert pareto.misfit(values, lambda x: 1 - np.exp(-x)) == pytest.approx(theirs, abs=near)


@given(hnp.arrays(np.float64, st.integers(0, 40), elements=st.floats(0, 1)))
def test_false_discovery_rates_are_those_of_scipy(chances: np.ndarray) -> None:
    theirs = stats.false_discovery_control(chances) if len(chances) else chances
    np.testing.assert_allclose(pareto.false_discoveries(chances), theirs)
