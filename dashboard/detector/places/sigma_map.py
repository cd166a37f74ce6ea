"""A score map in standard deviations: what lies beyond a threshold, at once for every threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dashboard.detector.arrays import Doubles
from dashboard.detector.errors import OptionError
from dashboard.detector.places.detections import Detection, FlaggedTiles, detections
from dashboard.detector.places.false_alarms import Tail, fit
from dashboard.detector.places.suppression import Candidates, beyond, candidates
from dashboard.detector.rules import ARTICLE, RULES, Scale, rule_named
from dashboard.detector.rules.base import OrdinaryPlaces, Surprises, centre_and_scale
from dashboard.detector.scanning.place_table import PlaceTable
from dashboard.detector.scanning.score_map import Histogram, ScoreMap
from dashboard.detector.scenes.scene import Scene

BINS = 90  # of the histogram
BLOCK = 512  # px, or half of a smaller scene; every other block of the ground foretells the rest


@dataclass(frozen=True, eq=False)
class RankedPlaces:
    """Places that a judge looked at, ranked by how surprising they are in all."""

    table: PlaceTable
    ordinary: OrdinaryPlaces  # that they are measured by
    surprises: Surprises
    candidates: Candidates

    @classmethod
    def of(
        cls, table: PlaceTable, ordinary: OrdinaryPlaces, measure: Scale, cols: int
    ) -> RankedPlaces:
        """The places of a table, each of one position, on a grid of so many columns."""
        surprises = ordinary.surprises(table)
        total = surprises.total.astype(np.float32)
        order = np.argsort(-total, kind="stable")
        cells = (table.rows * cols + table.cols)[order]
        every, sigmas = np.arange(len(order)), measure.sigma_of(total[order])
        ranked = Candidates(-np.inf, cells, total[order], sigmas, every, every)
        return cls(table, ordinary, surprises, ranked)


@dataclass(frozen=True, eq=False)
class SigmaMap:
    """A score map and what it is measured by; what was ranked once serves every threshold."""

    scores: ScoreMap
    measure: Scale
    looked: RankedPlaces | None = None  # places measured one by one; else every position is

    @cached_property
    def candidates(self) -> Candidates:
        return self.looked.candidates if self.looked else candidates(self.scores, self.measure)

    @property
    def unit(self) -> str | None:
        """The word for what is measured one by one; None where it is every position."""
        return "place" if self.looked else None

    @property
    def measured(self) -> int:
        """How many of these there are."""
        return len(self.looked.table) if self.looked else self.scores.scored

    @property
    def floor(self) -> float:
        """The sigma above which every place is known; minus infinity where all are."""
        return self.candidates.floor

    @property
    def highest(self) -> float:
        """The sigma of the strongest place; NaN without one."""
        sigmas = self.candidates.sigmas
        return float(sigmas[0]) if len(sigmas) else float("nan")

    @cached_property
    def places(self) -> Doubles:
        """Sigma of every place known, strongest first."""
        return self.candidates.sigmas[self.candidates.peaks]

    @cached_property
    def tail(self) -> Tail:
        """The tail of ground alone, which says how many false alarms to expect."""
        return self._tail(self.candidates)

    @cached_property
    def chances(self) -> tuple[Doubles, Doubles]:
        """P and q of every place known, strongest first."""
        return self.tail.p(self.places), self.tail.q(self.places)

    def _chances(self, ranked: Candidates) -> tuple[Doubles, Doubles]:
        if ranked is self.candidates:
            return self.chances
        tail, places = self._tail(ranked), ranked.sigmas[ranked.peaks]
        return tail.p(places), tail.q(places)

    def _tail(self, ranked: Candidates) -> Tail:
        stride = self.scores.grid.stride
        rows, cols = np.divmod(ranked.cells[ranked.peaks], self.scores.grid.cols)
        side = max(1, min(round(BLOCK / stride), min(self.scores.values.shape) // 2))
        windows = self.scores.scored * (stride / self.scores.window) ** 2
        halves = (rows // side + cols // side) % 2 == 0
        return fit(ranked.sigmas[ranked.peaks], windows, halves)

    def count_above(self, sigma: float) -> int:
        """How many tiles lie beyond `sigma`."""
        limit = self.measure.limit(sigma)
        if sigma >= self.floor:
            return self.candidates.above(limit)
        parts = beyond(self.scores, limit)
        return sum(int(np.count_nonzero(above)) for _, above in parts)

    def flagged(self, sigma: float) -> FlaggedTiles:
        """The tiles beyond `sigma`, strongest first."""
        ranked = self._ranked(sigma)
        return FlaggedTiles(self.scores, ranked, ranked.above(self.measure.limit(sigma)))

    def find(
        self, sigma: float = 3.0, top: int | None = None, scene: Scene | None = None
    ) -> list[Detection]:
        """The detections, strongest first, each one place, with p and q.

        A tile whose scored window overlaps that of a stronger detection belongs to it, so that a
        detection never stretches beyond one scored window.

        Args:
            sigma: the threshold.
            top: give the `top` strongest candidates instead, whatever their sigma.
            scene: adds longitude and latitude where it has a coordinate reference system.
        """
        ranked, above = self.cut(sigma, top)
        return detections(self.scores, ranked, above, self._chances(ranked), scene)[:top]

    def cut(self, sigma: float, top: int | None) -> tuple[Candidates, int]:
        """Candidates, and how many of their positions lie beyond the threshold."""
        if top is None:
            ranked = self._ranked(sigma)
            return ranked, ranked.above(self.measure.limit(sigma))
        if top < 1:
            raise OptionError(f"top is {top}; it must be at least 1")
        ranked = self.candidates
        if len(ranked.peaks) < top and np.isfinite(ranked.floor):
            ranked = candidates(self.scores, self.measure, -np.inf)
        return ranked, len(ranked.cells)

    def around(self, row: int, col: int, reach: int) -> Doubles:
        """Sigma up to `reach` positions from one, `[2 reach + 1, 2 reach + 1]`; NaN off the map."""
        near = np.full((2 * reach + 1, 2 * reach + 1), np.nan)
        rows, cols = self.scores.values.shape
        down = slice(max(0, row - reach), min(rows, row + reach + 1))
        right = slice(max(0, col - reach), min(cols, col + reach + 1))
        part = self.scores.values[down, right].astype(np.float64)
        top, left = down.start - row + reach, right.start - col + reach
        inner = (slice(top, top + part.shape[0]), slice(left, left + part.shape[1]))
        if self.looked:  # what is between places has no score but the finder's
            near[inner] = self.scores.sigma_of(part.astype(np.float32))
        else:
            near[inner] = self.measure.sigma_of(part)
        return near

    def surprises(self, row: int, col: int) -> dict[str, float] | None:
        """The part of the scene's places that are as surprising as that at a position, by each.

        None where the rule does not look at places, or none was looked at there.
        """
        if self.looked is None:
            return None
        (line,) = self.looked.table.index(np.array([row]), np.array([col])).tolist()
        if line < 0:
            return None
        found = self.looked.surprises._asdict()
        return {name: math.exp(-float(part[line])) for name, part in found.items()}

    def sigma_at(self, row: int, col: int) -> float:
        """Sigma of the candidate at a position; NaN where there is none."""
        (at,) = np.nonzero(self.candidates.cells == row * self.scores.grid.cols + col)
        return float(self.candidates.sigmas[at[0]]) if len(at) else float("nan")

    def _ranked(self, sigma: float) -> Candidates:
        """Candidates that are complete above `sigma`."""
        if np.isnan(sigma) or sigma >= self.floor:
            return self.candidates
        return candidates(self.scores, self.measure, sigma)

    @cached_property
    def histogram(self) -> Histogram:
        """Counts of sigma in equal bins from the lowest to the highest."""
        if self.looked:
            counts, edges = np.histogram(self.candidates.sigmas, BINS)
            return Histogram(edges, counts)
        found, measure = self.scores.histogram(BINS), self.measure
        if not self.scores.scored:
            return found
        return Histogram((found.edges - measure.centre) / (measure.scale or 1.0), found.counts)


def sigma_map(scores: ScoreMap, rule: str = ARTICLE, like: SigmaMap | None = None) -> SigmaMap:
    """The map in sigma by one of the `RULES`; by the article's where no place was looked at.

    Args:
        like: a map of other ground by whose places these are measured; by their own otherwise.

    Raises:
        OptionError: there is no such rule.
    """
    by, table = rule_named(rule), scores.places
    if by.of_places is None or table is None:
        by = by if by.of_positions else RULES[ARTICLE]
        return SigmaMap(scores, by.scale_of(scores))
    if like and like.looked:
        ordinary, measure = like.looked.ordinary, like.measure
    else:
        ordinary = by.of_places(table)
        measure = Scale(by, *centre_and_scale(ordinary.surprises(table).total))
    return SigmaMap(scores, measure, RankedPlaces.of(table, ordinary, measure, scores.grid.cols))


def find(
    scores: ScoreMap, sigma: float = 3.0, top: int | None = None, scene: Scene | None = None
) -> list[Detection]:
    """The detections by the article's rule, strongest first, without p and q.

    A few strongest are found in a fraction of the time that all take.
    """
    measured = sigma_map(scores)
    if top is None or top < 1:
        ranked, above = measured.cut(sigma, top)
        return detections(scores, ranked, above, scene=scene)
    ranked = candidates(scores, measured.measure, limit=top)
    if len(ranked.peaks) < top and np.isfinite(ranked.floor):
        ranked = candidates(scores, measured.measure, -np.inf, top)
    return detections(scores, ranked, len(ranked.cells), scene=scene)
