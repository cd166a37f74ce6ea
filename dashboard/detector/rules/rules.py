"""Three rules by which a score becomes a sigma: places, mean, robust."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dashboard.detector.arrays import Doubles, Floats
from dashboard.detector.errors import OptionError
from dashboard.detector.scanning.score_map import ScoreMap
from dashboard.detector.scenes.dn_statistics import MAD_TO_SIGMA

MEAN, ROBUST, PLACES = "mean", "robust", "places"
RULES = (PLACES, MEAN, ROBUST)
DEFAULT_RULE = PLACES


@dataclass(frozen=True)
class Yardstick:
    """What scores are measured by: their centre and scale, by a rule."""

    rule: str
    centre: float
    scale: float

    def sigma_of(self, scores: Floats | Doubles) -> Doubles:
        """Scores in sigma; 0 where all scores are equal."""
        above = np.asarray(scores, np.float64) - self.centre
        return above / self.scale if self.scale > 0 else 0.0 * above

    def limit(self, sigma: float) -> float:
        """The score that lies `sigma` above the centre."""
        if not np.isfinite(sigma):
            raise OptionError(f"sigma is {sigma}; it must be a finite number")
        return self.centre + sigma * self.scale


def known(rule: str) -> str:
    """The rule, where it is one of the `RULES`.

    Raises:
        OptionError: it is none.
    """
    if rule not in RULES:
        raise OptionError(f"the rule is {rule!r}; it must be one of {', '.join(RULES)}")
    return rule


def of_positions(scores: ScoreMap, rule: str = MEAN) -> Yardstick:
    """What the scores of all positions are measured by.

    Args:
        scores: of a scene.
        rule: `mean`, the article's mean and standard deviation; `robust`, median and 1.4826 MAD,
            which the objects sought do not inflate.
    """
    if rule == ROBUST:
        return Yardstick(rule, *_robust(scores))
    return Yardstick(MEAN, scores.mean, scores.std)


def _robust(scores: ScoreMap) -> tuple[float, float]:
    """Median and 1.4826 MAD; the standard deviation where half of the scores are equal."""
    if not scores.scored:
        return float("nan"), float("nan")
    present = scores.present
    centre = float(np.median(present))
    np.abs(np.subtract(present, centre, out=present), out=present)
    return centre, MAD_TO_SIGMA * float(np.median(present)) or scores.std
