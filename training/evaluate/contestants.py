"""Contestants: exported networks, and peers that fit the scene itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from dashboard.detector import (
    ARTICLE,
    Model,
    PlaceTable,
    ScanStore,
    Scene,
    ScoreMap,
    list_models,
    read_card,
    scan,
)

IN_SAMPLE, OUT_OF_SAMPLE, OWN_GROUND = "in", "out", "own"


@dataclass(frozen=True)
class Scored:
    """The scores of a scene, and how long they took, reading included."""

    scores: ScoreMap
    seconds: float
    device: str


class Contestant(Protocol):
    """Something that gives every place of a scene a score."""

    @property
    def name(self) -> str:
        """The name in tables."""

    @property
    def key(self) -> str:
        """Everything that decides its scores and their sigma, in one string."""

    @property
    def rule(self) -> str:
        """The rule by which its scores become a sigma."""

    def sample(self, *names: str) -> str:
        """Whether it learned from ground of these names: `in`, `out`, or `own` for each scene."""

    def score(self, scene: Scene, home: Path) -> Scored:
        """Its scores; what must be kept in between goes to `home`."""


@dataclass(frozen=True)
class Network:
    """An exported network at a stride, its scores read by a rule."""

    model: Model
    stride: int
    rule: str = ARTICLE

    @classmethod
    def load(
        cls, name: str, stride: int | None = None, device: str = "auto", rule: str = ARTICLE
    ) -> Network:
        """A network by name or file; `stride` is for networks that score tile by tile.

        Raises:
            ModelError: there is no such network.
            DeviceError: the device asked for does not work.
        """
        model = Model.load(name, device)
        own = model.card.stride
        return cls(model, own if stride is None or model.card.area else stride, rule)

    @property
    def name(self) -> str:
        name = self.model.name if self.model.card.area else f"{self.model.name} / {self.stride}"
        return name if self.rule == ARTICLE else f"{name}, {self.rule}"

    @property
    def key(self) -> str:
        key = f"{self.model.checksums} {self.stride}"
        if self.model.judge:
            key += f" looks {PlaceTable.version}"
        return key if self.rule == ARTICLE else f"{key} {self.rule}"

    @cached_property
    def learned(self) -> frozenset[str]:
        """The scenes that it has learned from, or a shipped model that it began with."""
        card, shipped = self.model.card, {path.stem: path for path in list_models()}
        scenes = set(card.scenes)
        while card.start in shipped:
            card = read_card(shipped.pop(card.start))
            scenes |= set(card.scenes)
        return frozenset(scenes)

    def sample(self, *names: str) -> str:
        """`in` where one of them is among the scenes that it has learned from."""
        return OUT_OF_SAMPLE if self.learned.isdisjoint(names) else IN_SAMPLE

    def score(self, scene: Scene, home: Path) -> Scored:
        """The scores of a whole scan, resumed where one was interrupted.

        Raises:
            NoGround: nothing in the scene can be scored.
        """
        store = ScanStore.for_scan(scene, self.model, self.stride, home)
        for _ in scan(store, scene, self.model):
            pass
        return Scored(store.scores(), store.seconds, store.device_label)
