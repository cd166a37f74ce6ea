"""Verdicts of reviewers on places, and what they come to: each reviewer's own, and any dispute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy.spatial import cKDTree

from dashboard.detector.scanning.store import ScanStore

# px; models place the same object a little apart, and no two places of one model lie as near.
SAME_PLACE = 12.0

Place = tuple[float, float]  # a detection's x, y in px of the scene


class Verdict(StrEnum):
    """The judgement of a reviewer on a place."""

    UNREVIEWED = ""
    HARDWARE = "hardware"
    NATURAL = "natural"
    ARTEFACT = "artefact"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of verdicts: the pixels of a scene, and the network that pointed at them."""

    scene: str  # sha256 of the source file
    model: str  # sha256 of the .onnx file; kept for the record, a verdict is about the scene

    @classmethod
    def of(cls, store: ScanStore) -> Subject:
        """The subject of verdicts on a scan."""
        return cls(store.record.scene_sha256, store.record.model_sha256)


@dataclass(frozen=True, slots=True)
class Change:
    """A reviewer's change of a decision; None leaves a part as it is."""

    verdict: Verdict | None = None
    note: str | None = None
    name: str | None = None  # what the reviewer calls the place

    def without(self, note: str, name: str, verdict: Verdict) -> Change:
        """The change less what is said already."""
        return Change(
            None if self.verdict == verdict else self.verdict,
            None if self.note == note else self.note,
            None if self.name == name else self.name,
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the history: what one reviewer said of one place, and when."""

    place: Place
    change: Change
    reviewer: str
    made: str  # ISO 8601, UTC
    action: int
    undone: bool = False


@dataclass(frozen=True, slots=True)
class Opinion:
    """One reviewer's verdict on a place."""

    reviewer: str
    verdict: Verdict
    made: str
    action: int


@dataclass(frozen=True, slots=True)
class Decision:
    """All that is decided about one place: the verdict is the latest of those that stand."""

    place: Place
    verdict: Verdict = Verdict.UNREVIEWED
    note: str = ""
    name: str = ""
    reviewer: str = ""  # whose verdict it is; without one, who wrote last
    made: str = ""  # ISO 8601, UTC
    action: int = 0  # the last one about this place; 0 where nothing was decided yet
    opinions: tuple[Opinion, ...] = ()  # of every reviewer who has one, the oldest first

    @property
    def said(self) -> tuple[Verdict, str, str]:
        """The decision, whoever made it."""
        return self.verdict, self.note, self.name

    @property
    def disputed(self) -> bool:
        """True where reviewers call it different things; to be unsure disputes nothing."""
        if len(self.opinions) < 2:
            return False
        return len({opinion.verdict for opinion in self.opinions} - {Verdict.UNSURE}) > 1

    @property
    def dispute(self) -> str:
        """Who calls it what, where they disagree; empty where they do not."""
        if not self.disputed:
            return ""
        return "; ".join(f"{opinion.reviewer}: {opinion.verdict}" for opinion in self.opinions)

    def verdict_of(self, reviewer: str) -> Verdict:
        """The verdict of one reviewer."""
        own = (opinion.verdict for opinion in self.opinions if opinion.reviewer == reviewer)
        return next(own, Verdict.UNREVIEWED)

    def after(self, entry: Entry) -> Decision:
        """The decision as it is when a reviewer has said more."""
        change, opinions = entry.change, self.opinions
        if change.verdict is not None:
            opinions = tuple(opinion for opinion in opinions if opinion.reviewer != entry.reviewer)
        if change.verdict:
            made = Opinion(entry.reviewer, change.verdict, entry.made, entry.action)
            opinions = (*opinions, made)
        last = opinions[-1] if opinions else None
        return replace(
            self,
            verdict=last.verdict if last else Verdict.UNREVIEWED,
            note=self.note if change.note is None else change.note,
            name=self.name if change.name is None else change.name,
            reviewer=last.reviewer if last else entry.reviewer,
            made=last.made if last else entry.made,
            action=entry.action,
            opinions=opinions,
        )


def decisions_of(entries: Iterable[Entry]) -> dict[Place, Decision]:
    """The decisions that entries come to, oldest first; undone ones do not count."""
    found: dict[Place, Decision] = {}
    for entry in entries:
        if not entry.undone:
            found[entry.place] = found.get(entry.place, Decision(entry.place)).after(entry)
    return found


def on_places(
    decisions: Mapping[Place, Decision], places: Sequence[Place]
) -> dict[Place, Decision]:
    """The decisions about these places, whichever model pointed at them.

    A decision is about the nearest of the places within `SAME_PLACE`; several about one place
    come together, each reviewer's latest verdict and the latest words.
    """
    if not decisions or not places:
        return {}
    known = list(decisions.values())
    far, nearest = cKDTree(np.array(places)).query(np.array([decision.place for decision in known]))
    found: dict[Place, list[Decision]] = {}
    for decision, distance, index in zip(known, far.tolist(), nearest.tolist(), strict=True):
        if distance <= SAME_PLACE:
            found.setdefault(places[index], []).append(decision)
    return {place: _together(place, about) for place, about in found.items()}


def _together(place: Place, decisions: list[Decision]) -> Decision:
    if len(decisions) == 1:
        return replace(decisions[0], place=place)
    decisions = sorted(decisions, key=lambda decision: decision.action)
    own = {
        opinion.reviewer: opinion
        for opinion in sorted(_opinions(decisions), key=lambda opinion: opinion.action)
    }
    opinions = tuple(sorted(own.values(), key=lambda opinion: opinion.action))
    last = opinions[-1] if opinions else decisions[-1]
    return Decision(
        place,
        last.verdict,
        next((decision.note for decision in reversed(decisions) if decision.note), ""),
        next((decision.name for decision in reversed(decisions) if decision.name), ""),
        last.reviewer,
        last.made,
        decisions[-1].action,
        opinions,
    )


def _opinions(decisions: Iterable[Decision]) -> list[Opinion]:
    return [opinion for decision in decisions for opinion in decision.opinions]
