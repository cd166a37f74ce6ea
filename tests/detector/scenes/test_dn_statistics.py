"""Statistics: exactly numpy's, though never more than a strip is held."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dashboard.detector import NoGround
from dashboard.detector.scenes.dn_statistics import (
    MAD_TO_SIGMA,
    Histogram,
    Statistics,
    statistics_of,
)


def numpys(values: np.ndarray) -> Statistics:
    values = values.astype(np.float64)
    centre = float(np.median(values))
    mad = float(np.median(np.abs(values - centre)))
    scale = MAD_TO_SIGMA * mad if mad > 0 else float(values.std())
    low, high = np.percentile(values, (0.5, 99.5))
    return Statistics(values.size, centre, scale, (low, high), float(values.max()))


def assert_same(found: Statistics, expected: Statistics, exact: float) -> None:
    assert found.count == expected.count
    assert found.largest == expected.largest
    for one, other in zip(
        (found.centre, found.scale, *found.stretch),
        (expected.centre, expected.scale, *expected.stretch),
        strict=True,
    ):
        assert one == pytest.approx(other, rel=exact, abs=exact)


@given(hnp.arrays(np.uint16, st.tuples(st.integers(1, 30), st.integers(2, 30))))
def test_whole_dn_have_the_statistics_numpy_gives(dn: np.ndarray) -> None:
    valid = dn != 0
    if len(np.unique(dn[valid])) < 2:
        return
    histogram = Histogram()
    for start in range(0, len(dn), 7):
        histogram.add(dn[start : start + 7], valid[start : start + 7])
    assert_same(histogram.statistics(), numpys(dn[valid]), 1e-12)


@given(
    hnp.arrays(
        np.float32,
        st.integers(2, 400),
        elements=st.floats(-1e6, 1e6, width=32, allow_subnormal=False),
    )
)
def test_floats_have_the_statistics_numpy_gives(values: np.ndarray) -> None:
    expected = numpys(values)
    if not expected.scale > 1e-3:
        return
    found = statistics_of(lambda: np.array_split(values, 3))
    assert found.stretch == pytest.approx(expected.stretch, rel=1e-12)
    assert found.centre == pytest.approx(expected.centre, rel=1e-12)
    # Deviations are ranked in float32.
    assert found.scale == pytest.approx(expected.scale, rel=1e-5)


def test_more_values_than_a_chunk_are_counted() -> None:
    rng = np.random.default_rng(0)
    many = rng.normal(3, 1, 3_000_000).astype(np.float32)
    found = statistics_of(lambda: [many])
    assert_same(found, numpys(many), 1e-6)


def test_no_values_and_equal_values_are_no_ground() -> None:
    for values, said in ((np.zeros(0), "every pixel is nodata"), (np.full(9, 4.5), "DN 4.5")):
        single = values.astype(np.float32)
        with pytest.raises(NoGround, match=said):
            statistics_of(lambda single=single: [single])
    with pytest.raises(NoGround):
        Histogram().statistics()
