"""A line that tells a scene's strongest places from things put on it, as a change to the score.

The line judges places alone, that is local maxima of
the score: it was fitted to nothing else. What it adds there is added to what is around too, so that
a place stays where it was (`rescored`).

Behind a second look it presses most of the strongest places down and leaves few on top, a tail that
tells little of how many go beyond a threshold. There a last bend, which changes no rank, gives
ground the distribution of its scores before (`Bend`): a threshold promises what it promised.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.linear_model import LogisticRegression

from dashboard.detector.errors import NoGround
from training.scene_adaptation.graph_surgery import FURTHEST, NOWHERE, RIM, TOP

STRONGEST = 1_500  # places taken for ground
FREE = 10.0  # times the score's column is larger, so that the ridge hardly holds its coefficient
LEAST = 0.05  # part of ground that changes less than what is near no place
KNOTS = 24  # of a bend at most
FLAT, STEEP = 0.05, 20.0  # its slopes at least and at most: it changes no rank
FEWEST = 50  # places, and things that stand out among them, that can teach anything

Floats = NDArray[np.float32]


class Hold(NamedTuple):
    """How a layer is held to what a kind of model says by itself."""

    ridge: float  # weight of the squared coefficients
    bends: bool  # ground keeps the distribution of its scores, not their mean and spread alone


HOLDS = {"critic": Hold(30.0, bends=False), "second-look": Hold(1000.0, bends=True)}  # by kind


class Places(NamedTuple):
    """Positions of a scene, and what a critic says and sees there."""

    score: Floats  # [n]
    features: Floats  # [n, C]

    def part(self, which: NDArray[Any]) -> Places:
        """Some of them."""
        return Places(self.score[which], self.features[which])

    def strongest(self) -> Places:
        """Those that are taken for ground."""
        return self.part(np.argsort(-self.score, kind="stable")[:STRONGEST])

    @classmethod
    def of(cls, parts: list[Places]) -> Places:
        """All of several."""
        return cls(*(np.concatenate(both) for both in zip(*parts, strict=True)))


@dataclass(frozen=True)
class Bend:
    """A broken line that changes scores and no rank; beyond its ends its slope is 1."""

    knots: Floats  # [K], rising
    turns: Floats  # [K], by how much the slope changes there
    shift: float  # added to all

    @classmethod
    def none(cls) -> Self:
        """The one that changes nothing."""
        return cls(np.zeros(1, np.float32), np.zeros(1, np.float32), 0.0)

    @classmethod
    def back(cls, before: Floats, after: Floats) -> Self:
        """The one that gives scores the distribution that they had before, `[n]` both.

        It goes through the scores at ranks that are a ratio apart: the strongest decide how many go
        beyond a threshold, and of them there are few.
        """
        ranks = np.unique(np.rint(np.geomspace(1, len(after), KNOTS)).astype(int)) - 1
        had, has = (np.sort(scores)[::-1][ranks[::-1]].astype(float) for scores in (before, after))
        knots, first = np.unique(has, return_index=True)
        slopes = np.clip(np.diff(had[first]) / np.diff(knots), FLAT, STEEP)
        turns = np.diff(slopes, prepend=1.0, append=1.0)
        return cls(knots.astype(np.float32), turns.astype(np.float32), float(had[0] - knots[0]))

    def of(self, scores: Floats) -> Floats:
        """Scores of any shape, bent."""
        above = np.maximum(scores[..., None] - self.knots, 0)
        return np.asarray(scores + above @ self.turns + self.shift, np.float32)


@dataclass(frozen=True)
class Layer:
    """What tells things from ground, as a change to the score, in its units."""

    mean: Floats  # [C], of the features of ground
    spread: Floats  # [C]
    weight: Floats  # [C], of features in such units
    gain: float  # of the score
    bias: float
    least: float  # the change where no place is near
    bend: Bend  # of the changed scores
    loss: float  # cross-entropy, ground and things weighing the same

    def change(self, places: Places) -> Floats:
        """What is added to the score of places, `[n]`."""
        seen = standard(places.features, self.mean, self.spread)
        return np.asarray(seen @ self.weight + self.gain * places.score + self.bias, np.float32)

    def after(self, places: Places) -> Floats:
        """The score of places once the scene is learned, `[n]`."""
        return self.bend.of(places.score + self.change(places))

    def scored(self, standing: Floats, change: Floats) -> Floats:
        """Scores `[h - 2 RIM, w - 2 RIM]` of scores and their change, `[h, w]` both."""
        return self.bend.of(rescored(standing, change, self.least))


def standard(features: Floats, mean: Floats, spread: Floats) -> Floats:
    """Features `[n, C]` in standard deviations of ground, none further than `FURTHEST`."""
    return np.asarray(np.clip((features - mean) / spread, -FURTHEST, FURTHEST), np.float32)


def fitted(places: Places, things: Places, hold: Hold) -> Layer:
    """The layer that tells things from the strongest of places.

    Things that score less than all of that ground teach nothing and are left out; both sides weigh
    the same. The scores of that ground keep their mean and their spread, and where it `bends` their
    distribution.

    Raises:
        NoGround: there are too few places, or too few things stand out among them.
    """
    ground = places.strongest()
    put = things.part(things.score > ground.score.min(initial=np.inf))
    if min(len(ground.score), len(put.score)) < FEWEST:
        raise NoGround(
            f"too little ground to learn: {len(ground.score)} places on it, and {len(put.score)} "
            f"things put there that stand out; {FEWEST} are needed. Scan it without learning"
        )
    mean, spread = ground.features.mean(axis=0), ground.features.std(axis=0) + 1e-6
    level, scale = float(ground.score.mean()), float(ground.score.std()) + 1e-6

    def inputs(some: Places) -> NDArray[np.float64]:
        score = FREE * (some.score - level) / scale
        return np.column_stack([score, standard(some.features, mean, spread)]).astype(np.float64)

    is_put = np.repeat([False, True], [len(ground.score), len(put.score)])
    weights = np.where(is_put, 1.0, len(put.score) / len(ground.score))
    line = LogisticRegression(C=1 / hold.ridge, solver="newton-cholesky", max_iter=500)
    told = inputs(Places.of([ground, put]))
    said = line.fit(told, is_put, weights).decision_function(told)
    loss = float(np.average(np.logaddexp(0, np.where(is_put, -said, said)), weights=weights))
    of_ground = said[~is_put]
    unit = scale / (float(of_ground.std()) + 1e-6)
    steepness, *weight = unit * line.coef_[0]
    slope = FREE * float(steepness) / scale
    bias = level * (1 - slope) + unit * float(line.intercept_[0] - of_ground.mean())
    coefficients = np.asarray(weight, np.float32)
    layer = Layer(mean, spread, coefficients, slope - 1, bias, 0.0, Bend.none(), loss)
    change = layer.change(ground)
    bend = Bend.back(ground.score, ground.score + change) if hold.bends else layer.bend
    return replace(layer, least=float(np.quantile(change, LEAST)), bend=bend)


def rescored(standing: Floats, change: Floats, least: float) -> Floats:
    """Scores `[h - 2 RIM, w - 2 RIM]` of scores and what a layer adds to them, `[h, w]` both.

    What is added at a local maximum is added around it too; where several are near, the most.
    """
    top = standing == ndimage.maximum_filter(standing, TOP)
    most = ndimage.maximum_filter(np.where(top, change, NOWHERE), TOP)
    found = standing + np.where(most > NOWHERE, most, least)
    return np.asarray(found[RIM:-RIM, RIM:-RIM], np.float32)


def separation(layer: Layer, places: Places, things: Places) -> str:
    """What a layer tells apart as CSV: whether it was put there, its score before and after."""
    lines = ["put,before,after"]
    for put, some in ((0, places.strongest()), (1, things)):
        pairs = zip(some.score, layer.after(some), strict=True)
        lines += [f"{put},{x:.4f},{y:.4f}" for x, y in pairs]
    return "\n".join(lines) + "\n"
