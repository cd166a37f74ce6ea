"""Rules, and the scales they give, by which a score becomes a sigma."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from dashboard.detector.arrays import Doubles, Floats
from dashboard.detector.errors import OptionError
from dashboard.detector.scanning.place_table import PlaceTable
from dashboard.detector.scanning.score_map import ScoreMap
from dashboard.detector.scenes.dn_statistics import MAD_TO_SIGMA


class Surprises(Protocol):
    """How surprising each place of a table is, `[n]`: in all, and in parts by name."""

    @property
    def total(self) -> Doubles: ...

    def _asdict(self) -> dict[str, Any]: ...


class OrdinaryPlaces(Protocol):
    """The distribution of ordinary places of a scene."""

    def surprises(self, table: PlaceTable) -> Surprises:
        """How surprising the places of a table are among these."""


@dataclass(frozen=True)
class Rule:
    """One way to measure scores in sigma: a row of the table in `rules/__init__.py`."""

    name: str  # on the command line, in addresses and in records
    label: str  # on the pages
    says: str  # what sigma is by it, in one sentence
    words: tuple[str, str]  # what its centre and its scale are
    # One of the two: centre and scale of the scores of all positions; or what is ordinary among the
    # places that a model looked at one by one.
    of_positions: Callable[[ScoreMap], tuple[float, float]] | None = None
    of_places: Callable[[PlaceTable], OrdinaryPlaces] | None = None

    def scale_of(self, scores: ScoreMap) -> Scale:
        """The scale for the scores of all positions."""
        assert self.of_positions
        return Scale(self, *self.of_positions(scores))


@dataclass(frozen=True)
class Scale:
    """Centre and scale of scores, by a rule."""

    by: Rule
    centre: float
    scale: float

    @property
    def rule(self) -> str:
        """The name of the rule."""
        return self.by.name

    def sigma_of(self, scores: Floats | Doubles) -> Doubles:
        """Scores in sigma; 0 where all scores are equal."""
        above = np.asarray(scores, np.float64) - self.centre
        return above / self.scale if self.scale > 0 else 0.0 * above

    def limit(self, sigma: float) -> float:
        """The score that lies `sigma` above the centre; the centre where all scores are equal."""
        if not np.isfinite(sigma):
            raise OptionError(f"sigma is {sigma}; it must be a finite number")
        return self.centre + sigma * self.scale


def centre_and_scale(totals: Doubles) -> tuple[float, float]:
    """Median and 1.4826 MAD of the scores of places; NaN without any.

    The objects sought do not inflate them. Where half of the scores are equal the scale is their
    standard deviation.
    """
    if not len(totals):
        return float("nan"), float("nan")
    centre = float(np.median(totals))
    scale = MAD_TO_SIGMA * float(np.median(np.abs(totals - centre)))
    return centre, scale or float(totals.std())
