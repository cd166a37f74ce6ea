"""The default rule: how surprising a place is, by its look and its novelty together.

The judge says how much a place looks put there, and the scene how unlike all its other places it
is. Each is measured among the scene's own places, as the surprise `-log p`, where p is the part of
places with as much; surprises add up (Fisher 1932). What the finder says has chosen the places; it
is measured likewise and told, but adds nothing to the order (tests/benchmarks/places.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from dashboard.detector.arrays import Doubles
from dashboard.detector.rules.base import Rule
from dashboard.detector.rules.surprisal import Surprisal
from dashboard.detector.scanning.place_table import PlaceTable


class Surprises(NamedTuple):
    """How surprising each place of a table is, `[n]`, in parts."""

    residual: Doubles
    logit: Doubles
    novelty: Doubles

    @property
    def total(self) -> Doubles:
        """The score of each place."""
        return self.logit + self.novelty


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
    "How surprising a place is: by its look, and by how new it is.",
    ("Median", "robust deviation"),
    of_places=OrdinaryPlaces.of,
)
