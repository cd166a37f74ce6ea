"""False alarms to expect: how many places without objects lie beyond a threshold.

Low thresholds are counted. High ones, where objects hide among few places, follow from the
generalised Pareto distribution that excesses over a high level tend to (Pickands 1975; Coles, An
Introduction to Statistical Modeling of Extreme Values, 2001). It is fitted to the places, which
non-maximum suppression has declustered; the strongest few only count as beyond a level,
so that the objects sought do not stretch the tail they are judged by.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy
from numpy.typing import NDArray

from dashboard.detector.arrays import Doubles

SHARE, MOST = 0.35, 400  # of the places, and at most so many, make the tail
FEWEST = 40  # places that a tail can be fitted to
CENSORED = 12  # of the strongest places may be objects: an article's scene has six, some in parts
MISFIT = 0.01  # chance of a worse fit below which the tail is not believed
UNEVEN = 2.0  # times more or fewer places in one half of the ground than the other promises
PROMISE = 10  # places in each half that this is tried at
# Few excesses hardly tell their shape, and one end too early promises that nothing natural lies
# beyond: a penalty draws it to that of ground's usual tail (as Coles and Dixon 1999 to the
# exponential, 0), and yields to many.
SHAPE_USUAL, SHAPE_SPREAD = 0.1, 0.1
# A tail that ends early promises that nothing lies beyond; few excesses cannot tell that it does.
SHAPES = (-0.15, 0.9)  # beyond the latter its mean has no end
NOTHING = 1e-100  # sigma: excesses of less are all the same, and their scale would come to 0


def rounded(number: float) -> str:
    """A number of false alarms with the precision it deserves."""
    if number < 0.1:
        return "fewer than 0.1"
    if number < 1:
        return f"{number:.1g}"
    whole = round(number) if number < 100 else round(number, -int(math.log10(number)) + 1)
    return f"{int(whole):,}"


def false_alarms(number: float) -> str:
    """So many false alarms in words."""
    said = rounded(number)
    return f"{'' if number < 0.1 else 'about '}{said} false alarm{'' if said == '1' else 's'}"


@dataclass(frozen=True, eq=False)
class Tail:
    """The places of a scene in sigma, and the tail fitted to the strongest of them."""

    levels: Doubles  # [m] sigma of the places, ascending
    windows: float  # scored windows that cover the ground side by side: as many places as can be
    start: float  # sigma where the tail begins
    beyond: int  # places in the tail
    censored: int  # the strongest of them, of which only the number is used
    shape: float
    scale: float  # sigma
    repeated: float = 1.0  # places in one half of the ground over those promised by the other

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why the promises should not be trusted; nothing where they may be."""
        found = []
        if not self.enough:
            found.append(f"only {len(self.levels)} places to learn from")
        elif self.misfit < MISFIT:
            found.append("the tail does not fit the strongest places")
        if not 1 / UNEVEN <= self.repeated <= UNEVEN:
            found.append("one half of the ground does not foretell the other")
        return tuple(found)

    @property
    def enough(self) -> bool:
        """False where the tail rests on too few places to be fitted."""
        return self.beyond >= FEWEST

    def expected(self, sigma: Doubles | float) -> Doubles:
        """How many places of ground alone lie at or beyond `sigma`, in this scene.

        Never more than there are places.
        """
        sigma = np.asarray(sigma, np.float64)
        counted = len(self.levels) - np.searchsorted(self.levels, sigma, side="left")
        if self.beyond == 0:
            return np.asarray(counted, np.float64)
        excess = np.maximum(sigma - self.start, 0.0)
        fitted = self.beyond * scipy.stats.genpareto.sf(excess, self.shape, scale=self.scale)
        return np.where(sigma < self.start, counted, np.minimum(fitted, counted))

    def p(self, sigma: Doubles | float) -> Doubles:
        """The chance that a window of ground alone reaches `sigma`."""
        return np.minimum(self.expected(sigma) / max(self.windows, 1.0), 1.0)

    def q(self, sigmas: Doubles) -> Doubles:
        """False discovery rates (Benjamini and Hochberg 1995) of the strongest places, `[n]`.

        That is the part of all places at least as strong as this one that ground alone explains.

        Args:
            sigmas: of the strongest places, in descending order.
        """
        if not len(sigmas):
            return np.zeros(0)
        # The procedure multiplies by the number of tests, of which the weaker ones are not here.
        chances = np.minimum(self.expected(sigmas) / len(sigmas), 1.0)
        return np.asarray(scipy.stats.false_discovery_control(chances))

    def sigma_of(self, expected: float) -> float:
        """The lowest threshold that promises at most so many false places on such ground."""
        if expected < self.beyond:
            part = expected / self.beyond
            return self.start + float(scipy.stats.genpareto.isf(part, self.shape, scale=self.scale))
        return self._listing(expected)

    def sigma_here(self, expected: float) -> float:
        """The same in this scene, where of so many places listed no more can be false."""
        found = self.sigma_of(expected)
        return min(found, self._listing(expected)) if expected >= 1 else found

    def _listing(self, number: float) -> float:
        """The lowest threshold beyond which no more places lie than this."""
        index = len(self.levels) - int(number) - 1
        return float(np.nextafter(self.levels[index], np.inf)) if index >= 0 else -np.inf

    @cached_property
    def misfit(self) -> float:
        """The chance of a worse fit, were the tail true (Kolmogorov and Smirnov)."""
        if not self.enough:
            return 1.0
        excesses = self._excesses[: self.beyond - self.censored]
        ceiling = self._cdf(self._excesses[self.beyond - self.censored])
        test = scipy.stats.kstest(excesses, lambda x: np.minimum(self._cdf(x) / ceiling, 1.0))
        return float(test.pvalue)

    @property
    def _excesses(self) -> Doubles:
        return self.levels[len(self.levels) - self.beyond :] - self.start

    def _cdf(self, excess: Doubles) -> Doubles:
        return np.asarray(scipy.stats.genpareto.cdf(excess, self.shape, scale=self.scale))

    @property
    def quantiles(self) -> tuple[Doubles, Doubles]:
        """Sigma of the tail's places, ascending: as the fit expects them, and as they are."""
        ranks = (np.arange(self.beyond) + 0.5) / max(self.beyond, 1)
        fitted = scipy.stats.genpareto.ppf(ranks, self.shape, scale=self.scale)
        return self.start + np.asarray(fitted), self.start + self._excesses


def fit(sigmas: Doubles, windows: float, halves: NDArray[np.bool_] | None = None) -> Tail:
    """The tail of the places of a scene.

    Args:
        sigmas: of all places known, `[n]`, in any order.
        windows: scored windows that cover the ground side by side.
        halves: in which half of the ground each place lies, `[n]`; tries the fit on each.
    """
    levels = np.sort(sigmas)
    beyond = min(MOST, max(FEWEST, round(SHARE * len(levels))), len(levels) // 2)
    start = float(levels[len(levels) - beyond - 1]) if beyond else float("nan")
    censored = min(CENSORED, beyond // 4)
    shape, scale = _pareto(levels[len(levels) - beyond :] - start, censored)
    repeated = 1.0
    if halves is not None and min(np.count_nonzero(halves), np.count_nonzero(~halves)) >= FEWEST:
        repeated = _repeated(sigmas[halves], sigmas[~halves], windows)
    return Tail(levels, windows, start, beyond, censored, shape, scale, repeated)


def _repeated(first: Doubles, second: Doubles, windows: float) -> float:
    """Places beyond the thresholds that each half sets for the other, over those promised."""
    counted = sum(
        np.count_nonzero(there >= fit(here, windows).sigma_of(PROMISE * len(here) / len(there)))
        for here, there in ((first, second), (second, first))
    )
    return float(counted / (2 * PROMISE))


def _pareto(excesses: Doubles, censored: int) -> tuple[float, float]:
    """Shape and scale of the most likely generalised Pareto; the strongest only exceed a level."""
    unit = float(excesses.mean()) if len(excesses) else 0.0
    if unit < NOTHING:
        return 0.0, 1.0
    if len(excesses) < FEWEST:  # too few for a shape: an exponential through their mean
        return 0.0, unit
    known = excesses[: len(excesses) - censored] / unit

    def cost(given: Doubles) -> float:
        shape, scale = given[0], np.exp(given[1])
        seen = scipy.stats.genpareto.logpdf(known, shape, scale=scale).sum()
        hidden = scipy.stats.genpareto.logsf(known[-1], shape, scale=scale) * censored
        return float(((shape - SHAPE_USUAL) / SHAPE_SPREAD) ** 2 / 2 - seen - hidden)

    bounds = [SHAPES, (-5.0, 5.0)]
    found = scipy.optimize.minimize(cost, np.zeros(2), method="Nelder-Mead", bounds=bounds)
    return float(found.x[0]), float(np.exp(found.x[1]) * unit)
