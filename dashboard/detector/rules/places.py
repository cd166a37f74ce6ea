"""The default rule: how surprising a place is, by its residual, its look, and its novelty together.

The finder says how unlike the expected a place is, the judge how much it looks put there, and the
scene how unlike all its other places. Each is measured among the scene's own places, as the
surprise `-log p`, where p is the part of places with as much; surprises add up (Fisher 1932).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from dashboard.detector.arrays import Doubles
from dashboard.detector.rules.base import Rule
from dashboard.detector.rules.surprisal import Surprisal
from dashboard.detector.scanning.place_table import PlaceTable

RESIDUAL, LOGIT, NOVELTY = 0.25, 1.0, 1.0  # what each surprise weighs (tests/benchmarks/places.md)


class Surprises(NamedTuple):
    """How surprising each place of a table is, `[n]`, in parts."""

    residual: Doubles
    logit: Doubles
    novelty: Doubles

    @property
    def total(self) -> Doubles:
        """The weighed sum: the score of each place."""
        return RESIDUAL * self.residual + LOGIT * self.logit + NOVELTY * self.novelty


@dataclass(frozen=True, eq=False)
class OrdinaryPlaces:
    """The distributions of residual, logit and novelty among the places of a scene."""

    residual: Surprisal
    logit: Surprisal
    novelty: Surprisal

    @classmethod
    def of(cls, table: PlaceTable) -> OrdinaryPlaces:
        """The distributions among the places of a table."""
        return cls(
            Surprisal.of(table.residuals), Surprisal.of(table.logits), Surprisal.of(table.novelties)
        )

    def surprises(self, table: PlaceTable) -> Surprises:
        """How surprising the places of a table are among these."""
        return Surprises(
            self.residual(table.residuals),
            self.logit(table.logits),
            self.novelty(table.novelties),
        )


PLACES = Rule(
    "places",
    "places",
    "How surprising a place is: by what was expected of it, by its look, and by how new it is.",
    ("Median", "robust deviation"),
    of_places=OrdinaryPlaces.of,
)
