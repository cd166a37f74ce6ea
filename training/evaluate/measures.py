"""Measures of detections against the truth of a scene: found, false, the cost of reviewing.

An object is found by a detection whose point lies in its box grown by `NEAR`; a detection whose
point lies in no grown box and in no box to ignore is false. All measures follow from two figures of
each object: the sigma of the strongest detection on it, and how many false ones rank above that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from dashboard.detector import Box, Detection
from training.truth import KnownObject, Truth

NEAR = 24  # px: half of the article's scored window
SIGMA = 3.0  # the article's threshold, in standard deviations above the mean
LARGER, SPOTS = "larger", "spots"  # the groups of kinds that are told apart
EVERY = 10**9  # candidates, however weak


@dataclass(frozen=True)
class Outcome:
    """The outcome for one object."""

    name: str
    kind: str
    box: Box
    size: float
    contrast: float
    sigma: float | None  # of the strongest detection on it; None where there is none at all
    rank: int | None  # of that detection
    cost: int  # false detections that rank above it; all of them where there is none

    @property
    def found(self) -> bool:
        """True where the article's threshold finds it."""
        return self.sigma is not None and self.sigma > SIGMA

    @property
    def group(self) -> str:
        return group_of(self.kind)


@dataclass(frozen=True)
class Outcomes:
    """The detections of a scene against its truth."""

    objects: tuple[Outcome, ...]
    false: tuple[Detection, ...]  # every false one, strongest first

    @property
    def false_beyond(self) -> int:
        """False detections beyond the article's threshold."""
        return sum(alarm.sigma > SIGMA for alarm in self.false)


def group_of(kind: str) -> str:
    """`spots` for kinds of spots, `larger` for everything else."""
    return SPOTS if "spot" in kind.lower() else LARGER


def judge(detections: Sequence[Detection], truth: Truth) -> Outcomes:
    """The outcome for each object, given every detection of its scene, strongest first."""
    boxes = [known.box.grow(NEAR) for known in truth.objects]
    false: list[Detection] = []
    above: dict[int, tuple[Detection, int]] = {}  # by object: its strongest, false ones above it
    for found in detections:
        hit = [number for number, box in enumerate(boxes) if box.holds(found.x, found.y)]
        for number in hit:
            above.setdefault(number, (found, len(false)))
        if not hit and not any(box.holds(found.x, found.y) for box in truth.ignore):
            false.append(found)
    outcomes = (
        _outcome(known, above.get(number), len(false)) for number, known in enumerate(truth.objects)
    )
    return Outcomes(tuple(outcomes), tuple(false))


def _outcome(known: KnownObject, best: tuple[Detection, int] | None, every: int) -> Outcome:
    found, cost = best or (None, every)
    return Outcome(
        known.name,
        known.kind,
        known.box,
        known.size,
        known.contrast,
        sigma=found.sigma if found else None,
        rank=found.rank if found else None,
        cost=cost,
    )


def review_cost(objects: Iterable[Outcome], group: str | None = None) -> int | None:
    """False detections above the weakest object, of one group or of all; None without objects.

    Where an object is never met, all of them and more: see `unmet`.
    """
    costs = [outcome.cost for outcome in objects if group in (None, outcome.group)]
    return max(costs) if costs else None


def unmet(objects: Iterable[Outcome]) -> int:
    """How many objects no detection meets, however weak: no review of the places finds them."""
    return sum(outcome.sigma is None for outcome in objects)


def geometric_mean(costs: Iterable[int]) -> float | None:
    """The geometric mean of costs, each raised by one for the sake of zeros; None without any."""
    given = [math.log1p(cost) for cost in costs]
    return math.expm1(sum(given) / len(given)) if given else None


def average_precision(objects: Sequence[Outcome]) -> float | None:
    """The mean, over the objects, of the precision where each is first met; None without objects.

    An object that no detection meets adds 0. Further detections on an object count neither way.
    """
    if not objects:
        return None
    met = sorted(outcome.cost for outcome in objects if outcome.sigma is not None)
    return sum(n / (n + cost) for n, cost in enumerate(met, start=1)) / len(objects)


def precision_at_total_recall(objects: Sequence[Outcome]) -> float | None:
    """Objects over what must be looked at to see them all; 0 where one is never met."""
    if not objects:
        return None
    if any(outcome.sigma is None for outcome in objects):
        return 0.0
    return len(objects) / (len(objects) + max(outcome.cost for outcome in objects))


def found_of(objects: Iterable[Outcome]) -> dict[str, tuple[int, int]]:
    """`(found, of how many)` by kind, in the order the kinds come."""
    found: dict[str, tuple[int, int]] = {}
    for outcome in objects:
        hits, count = found.get(outcome.kind, (0, 0))
        found[outcome.kind] = (hits + outcome.found, count + 1)
    return found


def costs_of(objects: Iterable[Outcome]) -> dict[str, float]:
    """The median number of false detections above an object, by kind."""
    costs: dict[str, list[int]] = {}
    for outcome in objects:
        costs.setdefault(outcome.kind, []).append(outcome.cost)
    return {kind: float(median(found)) for kind, found in costs.items()}
