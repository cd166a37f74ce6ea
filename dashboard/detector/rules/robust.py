"""Median and MAD, which the objects sought do not inflate."""

from __future__ import annotations

import numpy as np

from dashboard.detector.rules.base import Rule
from dashboard.detector.scanning.score_map import ScoreMap
from dashboard.detector.scenes.dn_statistics import MAD_TO_SIGMA


def median_and_mad(scores: ScoreMap) -> tuple[float, float]:
    """Median and 1.4826 MAD; the standard deviation where half of the scores are equal."""
    if not scores.scored:
        return float("nan"), float("nan")
    present = scores.present
    centre = float(np.median(present))
    np.abs(np.subtract(present, centre, out=present), out=present)
    return centre, MAD_TO_SIGMA * float(np.median(present)) or scores.std


ROBUST = Rule(
    "robust",
    "robust",
    "1.4826 MAD above the median, which the objects sought do not inflate.",
    ("Median", "robust deviation"),
    of_positions=median_and_mad,
)
