"""Five rules by which a score becomes a sigma: mean, robust, ground, novelty, look-alikes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboard.detector.arrays import Doubles, Floats, Kinds
from dashboard.detector.errors import OptionError
from dashboard.detector.rules.novelty import Novelty
from dashboard.detector.rules.surprisal import Surprise, surprise
from dashboard.detector.scanning.score_map import ScoreMap
from dashboard.detector.scenes.dn_statistics import MAD_TO_SIGMA

RULES = ("mean", "robust", "ground", "novelty", "alike", "places")
DEFAULT_RULE = "novelty"
BY_GROUND = ("ground", "novelty")  # rules that must know what the ground looks like
FEWEST = 200  # scores that a group needs to be judged by its own
# Kinds of ground are four of roughness, each with dark places and with bright ones (`kinds.py`).
ROUGHNESS_OF, POLARITY_OF = np.divmod(np.arange(8), 2)
POLARITY = 0.5  # of what dark and bright places differ by is made up for
SAMPLE = 1_000_000  # positions that tell how surprising a score is
WORTH = 1.4  # of a look's surprise in a score's; Fisher's sum of two would take 1
NEW = 0.7  # of a place's novelty in how surprising it is
COMMON = math.log(5)  # of the surprise of a score is lost at most to a common look


@dataclass(frozen=True, eq=False)
class Together:
    """How surprising score and look are together.

    Both surprises are added (Fisher 1932). Of this sum and the score alone the more surprising one
    counts, the score less `COMMON`: the least of two p-values of which one weighs a fifth of the
    other (Genovese, Roeder and Wasserman 2006). So a common look never buries a strong score.
    """

    score: Surprise
    more: Doubles  # [K], what each kind of look adds
    both: Surprise  # of the sums

    def of(self, scores: Doubles, kinds: NDArray[np.integer] | int) -> Doubles:
        """The surprise of scores, given the kinds of their looks."""
        alone = self.score.of(scores)
        return np.maximum(self.both.of(alone + self.more[kinds]), alone - COMMON)

    def back(self, levels: Doubles) -> Doubles:
        """The scores of each kind of look that are as surprising, `[K]` of `[K]`."""
        by_both = self.score.back(self.both.back(levels) - self.more)
        return np.minimum(by_both, self.score.back(levels + COMMON))


@dataclass(frozen=True, eq=False)
class Novel:
    """Sigma of a place that is new among the places of its scene.

    The surprise of its sigma among ground of its kind, and `NEW` times that of its novelty, are
    added, as in `Together`. The sum is given as the sigma that is as surprising by itself, so that
    a threshold means what it means per ground.
    """

    centres: Doubles  # [K], per ground, of each kind
    scales: Doubles  # [K]
    sigma: Surprise  # of sigma per ground
    more: Doubles  # [K], what each kind's novelty adds
    both: Surprise  # of the sums

    def of(self, scores: Doubles, kinds: NDArray[np.integer] | int) -> Doubles:
        """Sigma of scores, given their kinds; 0 where all scores of a kind are equal."""
        sigma = self.sigma.back(self.both.of(self.summed(scores, kinds)))
        return np.where(self.scales[kinds] > 0, sigma, 0.0)

    def summed(self, scores: Doubles, kinds: NDArray[np.integer] | int) -> Doubles:
        """How surprising scores are together with the novelty of their kinds."""
        scales = self.scales[kinds]
        above = (scores - self.centres[kinds]) / np.where(scales > 0, scales, 1.0)
        return np.asarray(self.sigma.of(np.where(scales > 0, above, 0.0)) + self.more[kinds])

    def back(self, levels: Doubles) -> Doubles:
        """The scores of each kind that come to as much sigma, `[K]` of `[K]`."""
        own = self.sigma.back(self.both.back(self.sigma.of(levels)) - self.more)
        own = np.where(levels < self.sigma.knots[0], -np.inf, own)
        return self.centres + np.where(self.scales > 0, own, 0.0) * self.scales

    def part(self, kind: int) -> float:
        """The part of the scene's places that are as new as those of a kind."""
        return math.exp(-float(self.more[kind]) / NEW)


@dataclass(frozen=True, eq=False)
class Yardstick:
    """What scores are measured by: the centre and the scale of each kind of ground, `[K]`.

    `kinds [rows, cols]` tells the kind of each position; None where there is one for all. Centre
    and scale are of scores, or of how surprising these and their looks are `together`, or what is
    new of them.
    """

    rule: str
    centres: Doubles
    scales: Doubles
    kinds: Kinds | None = None
    together: Together | Novel | None = None

    def kind_of(self, cells: NDArray[np.intp]) -> NDArray[np.intp]:
        """The kinds `[n]` of positions given by their flat indices."""
        if self.kinds is None:
            return np.zeros(len(cells), np.intp)
        return self.kinds.reshape(-1)[cells].astype(np.intp)

    def sigma_of(self, scores: Floats | Doubles, kinds: NDArray[np.integer] | int = 0) -> Doubles:
        """Scores in sigma, given their kinds; 0 where all scores of a kind are equal."""
        scales = self.scales[kinds]
        given = np.asarray(scores, np.float64)
        level = self.together.of(given, kinds) if self.together else given
        above = level - self.centres[kinds]
        flat = scales <= 0
        return np.asarray(np.where(flat, 0.0 * above, above / np.where(flat, 1.0, scales)))

    def limits(self, sigma: float) -> Doubles:
        """The score that lies `sigma` above the centre of each kind, `[K]`."""
        if not np.isfinite(sigma):
            raise OptionError(f"sigma is {sigma}; it must be a finite number")
        limits = self.centres + sigma * self.scales
        if self.together is None:
            return limits
        return np.where(self.scales > 0, self.together.back(limits), np.inf)


def yardstick(
    scores: ScoreMap,
    rule: str = "mean",
    kinds: Kinds | None = None,
    rarity: Doubles | None = None,
    novelty: Novelty | None = None,
) -> Yardstick:
    """The yardstick of a rule.

    Args:
        rule: `mean`, the article's mean and standard deviation; `robust`, median and 1.4826 MAD,
            which the objects sought do not inflate; `ground`, mean and standard deviation of
            ground as rough, so that dunes are judged among dunes, and half-way those of dark
            places or of bright ones; `novelty`, as `ground`, and the less a place is like others
            of the scene, as a second look sees them, the more; `alike`, mean and standard deviation
            of how surprising score and look are together, so that the more of the scene looks
            alike, the higher a place must score.
        kinds: the kind of ground, or of look, at each position, `[rows, cols]`; needed by `ground`
            and `alike`, and by `novelty`, that of ground.
        rarity: of each kind of look, `[K]`, in any unit; needed by `alike`.
        novelty: of places; where it is not known, the rule `novelty` is that of `ground`.

    Raises:
        OptionError: there is no such rule.
    """
    if rule not in RULES:
        raise OptionError(f"the rule is {rule!r}; it must be one of {', '.join(RULES)}")
    if rule == "robust":
        centre, scale = _robust(scores)
        return Yardstick(rule, np.array([centre]), np.array([scale]))
    if rule == "mean":
        return Yardstick(rule, np.array([scores.mean]), np.array([scores.std]))
    if kinds is None or kinds.shape != scores.values.shape:
        raise ValueError(f"the rule {rule} needs the kind of ground or look at each position")
    if rule in BY_GROUND:
        ground = _per_kind(scores, kinds)
        return _with_novelty(scores, ground, novelty) if novelty and rule == "novelty" else ground
    if rarity is None:
        raise ValueError("the rule alike needs the rarity of each kind of look")
    return _with_rarity(scores, kinds, rarity)


def _robust(scores: ScoreMap) -> tuple[float, float]:
    """Median and 1.4826 MAD; the standard deviation where half of the scores are equal."""
    if not scores.scored:
        return float("nan"), float("nan")
    present = scores.present
    centre = float(np.median(present))
    np.abs(np.subtract(present, centre, out=present), out=present)
    return centre, MAD_TO_SIGMA * float(np.median(present)) or scores.std


def _per_kind(scores: ScoreMap, kinds: Kinds) -> Yardstick:
    """Sigma among ground as rough, and from there a part of the way to that of one polarity.

    Mean and standard deviation of each group, or of all where it has too few scores.
    """
    count, total, squares = _sums(scores, kinds, len(ROUGHNESS_OF))
    centre, spread = _of_groups(ROUGHNESS_OF, (count, total, squares), scores.std)
    slope = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
    among = (total - count * centre) * slope  # the sums of what that comes to
    squared = (squares - 2 * centre * total + count * centre**2) * slope**2
    more, wider = _of_groups(POLARITY_OF, (count, among, squared), 1.0)
    part = np.divide(POLARITY, wider, out=np.zeros_like(wider), where=wider > 0)
    slope *= 1 - POLARITY + part
    scale = np.divide(1.0, slope, out=np.zeros_like(slope), where=slope > 0)
    return Yardstick("ground", scores.mean + centre + more * part * scale, scale, kinds)


def _of_groups(
    groups: NDArray[np.intp], sums: Iterable[Doubles], otherwise: float
) -> tuple[Doubles, Doubles]:
    """Mean and standard deviation of the group that each kind belongs to, `[K]`.

    Where it has too few scores they are 0 and `otherwise`.
    """
    count, total, squares = (np.bincount(groups, part) for part in sums)
    some = np.maximum(count, 1)
    spread = np.sqrt(np.maximum(squares / some - (total / some) ** 2, 0.0))
    enough = count >= FEWEST
    return np.where(enough, total / some, 0.0)[groups], np.where(enough, spread, otherwise)[groups]


def _with_rarity(scores: ScoreMap, kinds: Kinds, rarity: Doubles) -> Yardstick:
    """Mean and standard deviation of how surprising score and look are together.

    A surprise knows no unit, so that networks whose scores have heavy tails need no other weight.
    """
    values, kind, counts = _sample(scores, kinds, len(rarity))
    by_score = surprise(*_counted(values))
    more = WORTH * surprise(rarity, counts).of(rarity)
    sums = by_score.of(values) + more[kind]
    together = Together(by_score, more, surprise(*_counted(sums)))
    level = together.of(values.astype(np.float64), kind)
    mean, scale = (float(level.mean()), float(level.std())) if len(values) else (0.0, 0.0)
    return Yardstick("alike", np.full(len(more), mean), np.full(len(more), scale), kinds, together)


def _with_novelty(scores: ScoreMap, ground: Yardstick, novelty: Novelty) -> Yardstick:
    """Sigma per ground, and more where a place is new."""
    assert ground.kinds is not None
    count = len(novelty.more)
    kinds = ground.kinds * np.uint8(count)
    kinds += novelty.levels
    centres, scales = np.repeat(ground.centres, count), np.repeat(ground.scales, count)
    values, kind, _ = _sample(scores, kinds, len(centres))
    sigma = surprise(*_counted(ground.sigma_of(values, kind // count)))
    more = np.tile(NEW * novelty.more, len(ground.centres))
    none = Surprise(np.zeros(1), np.zeros(1), 1.0)
    sums = Novel(centres, scales, sigma, more, none).summed(values.astype(np.float64), kind)
    both = Novel(centres, scales, sigma, more, surprise(*_counted(sums)))
    return Yardstick("novelty", np.zeros(len(more)), np.ones(len(more)), kinds, both)


def _sample(
    scores: ScoreMap, kinds: Kinds, count: int
) -> tuple[Floats, Kinds, NDArray[np.float64]]:
    """Some of all scores and their kinds, `[n]`; how many there are of each kind, `[count]`."""
    counts, present = np.zeros(count), [np.zeros(0, np.float32)]
    which = [np.zeros(0, np.uint8)]
    step = max(1, scores.values.size // SAMPLE)
    for rows, part in scores.parts():
        given = np.isfinite(part)
        kind = kinds[rows][given]
        counts += np.bincount(kind, minlength=count)
        present.append(part[given][::step])
        which.append(kind[::step])
    return np.concatenate(present), np.concatenate(which), counts


def _counted(values: Floats | Doubles) -> tuple[Doubles, NDArray[np.intp]]:
    """The different values, and how often each occurs."""
    found, counts = np.unique(values, return_counts=True)
    return found.astype(np.float64), counts


def _sums(scores: ScoreMap, kinds: Kinds, length: int) -> Doubles:
    """Of each kind, `[3, K]`: how many scores, and the sums of them above the mean, and squared."""
    sums = np.zeros((3, length))
    for rows, part in scores.parts():
        given = np.isfinite(part)
        which, above = kinds[rows][given], part[given].astype(np.float64) - scores.mean
        sums[0] += np.bincount(which, minlength=length)
        sums[1] += np.bincount(which, weights=above, minlength=length)
        sums[2] += np.bincount(which, weights=above**2, minlength=length)
    return sums
