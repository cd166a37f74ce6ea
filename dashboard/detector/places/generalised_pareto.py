"""The generalised Pareto distribution (Coles 2001, chapter 4), and two tests that go with it.

As `scipy.stats` has them, which takes half a second to load and most of a fit's time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from dashboard.detector.arrays import Doubles

EXPONENTIAL = 1e-12  # shapes nearer to 0 are those of an exponential distribution


def log_survival(excess: Doubles, shape: float, scale: float) -> Doubles:
    """The logarithm of the chance to lie beyond each excess, 0 or more; -inf beyond its end."""
    x = np.asarray(excess, np.float64) / scale
    if abs(shape) < EXPONENTIAL:
        return -x
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log1p(np.maximum(shape * x, -1.0)) / shape)


def survival(excess: Doubles, shape: float, scale: float) -> Doubles:
    """The chance to lie beyond each excess."""
    return np.asarray(np.exp(log_survival(excess, shape, scale)))


def log_density(excess: Doubles, shape: float, scale: float) -> Doubles:
    """The logarithm of the density at each excess; -inf beyond its end."""
    return np.asarray((1.0 + shape) * log_survival(excess, shape, scale) - np.log(scale))


def excess_of_chance(chance: Doubles | float, shape: float, scale: float) -> Doubles:
    """The excess beyond which one lies by a chance: `survival` undone."""
    tail = -np.log(np.asarray(chance, np.float64))
    if abs(shape) < EXPONENTIAL:
        return scale * tail
    return np.asarray(scale * np.expm1(shape * tail) / shape)


def misfit(values: Doubles, cdf: Callable[[Doubles], Doubles]) -> float:
    """The chance of a worse fit, were `cdf` that of the values (Kolmogorov and Smirnov).

    By Stephens' approximation (1970): from twenty values on within 0.02, below 0.1 within 0.002.
    """
    count = len(values)
    found, steps = cdf(np.sort(values)), np.arange(count + 1) / count
    distance = float(max((steps[1:] - found).max(), (found - steps[:-1]).max()))
    root = np.sqrt(count)
    return float(special.kolmogorov(distance * (root + 0.12 + 0.11 / root)))


def false_discoveries(chances: Doubles) -> Doubles:
    """False discovery rates of tests with these chances, `[n]` (Benjamini and Hochberg 1995)."""
    order = np.argsort(chances, kind="stable")
    rates = chances[order] * len(chances) / np.arange(1, len(chances) + 1)
    found = np.empty(len(chances))
    found[order] = np.minimum(np.minimum.accumulate(rates[::-1])[::-1], 1.0)
    return found
