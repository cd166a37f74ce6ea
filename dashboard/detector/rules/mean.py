"""The article's rule: standard deviations above the mean of all scores."""

from __future__ import annotations

from dashboard.detector.rules.base import Rule
from dashboard.detector.scanning.score_map import ScoreMap


def mean_and_std(scores: ScoreMap) -> tuple[float, float]:
    """Mean and standard deviation of all scores."""
    return scores.mean, scores.std


MEAN = Rule(
    "mean",
    "mean/std",
    "Standard deviations above the mean of all scores, as in the article.",
    ("Mean", "deviation"),
    of_positions=mean_and_std,
)
