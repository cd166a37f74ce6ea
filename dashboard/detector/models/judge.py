"""A network that judges single places: how much each looks put there, and its embedding.

A finder scores every position of a scene; a judge looks at the strongest of them alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime as ort

from dashboard.detector.arrays import Floats
from dashboard.detector.errors import ModelError
from dashboard.detector.models.card import ModelCard
from dashboard.detector.models.devices import CPU, Device, shrinking, start
from dashboard.detector.models.graph import (
    DESCRIPTION,
    LOGIT,
    WINDOWS,
    card_of,
    content_of,
    cpu_session,
)

WINDOW = 128  # px around a place that a judge sees
# What a judge says changes by one or two as a window moves by 4 px, and a list is led by those that
# it happens to say most of. So a place that may lead is looked at again, `ASIDE` px up and left.
ASIDE = 3
AROUND = WINDOW + 2 * ASIDE  # px around a place that are read
AGAIN = -1.0  # logit from which on it is
BATCH = 32  # windows given to it together
# Windows in one run on a CPU: a core's cache holds what the network makes of so many. The last
# digits of what is said depend on both numbers.
CACHED = 8


class Judgement(NamedTuple):
    """A judge's outputs for places."""

    logits: Floats  # [N]
    descriptions: Floats  # [N, D]


@dataclass(frozen=True)
class Judge:
    """A judge of places, ready to look; safe to use from one thread at a time."""

    path: Path
    sha256: str
    card: ModelCard
    device: Device
    session: ort.InferenceSession
    parallel_sessions: tuple[ort.InferenceSession, ...] = ()  # where several share it

    @classmethod
    def load(cls, path: Path, device: str = "auto") -> Judge:
        """The judge in a file, on the device asked for, tried once.

        Raises:
            ModelError: not a network, or not a judge of places.
            DeviceError: the device asked for does not work.
        """
        content = content_of(path)
        card = card_of(cpu_session(content, path), path)
        if not card.judges_places:
            raise ModelError(f"{path}: a model of kind {card.kind}, which does not judge places")
        session, parallel_sessions, found = start(content, device)
        digest = hashlib.sha256(content).hexdigest()
        judge = cls(path, digest, card, found, session, tuple(parallel_sessions))
        judge.infer(np.zeros((1, 1, WINDOW, WINDOW), np.float32))
        return judge

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def length(self) -> int:
        """How many numbers describe a place."""
        shapes = {output.name: output.shape for output in self.session.get_outputs()}
        return int(shapes[DESCRIPTION][1])

    @property
    def shards(self) -> list[Judge]:
        """One judge a session, each safe to use from a thread of its own."""
        sessions = self.parallel_sessions or (self.session,)
        return [replace(self, session=session, parallel_sessions=()) for session in sessions]

    def shrink(self) -> None:
        """Has the sessions on a CPU hand back the memory that they keep for the next run."""
        windows = np.zeros((1, 1, WINDOW, WINDOW), np.float32)
        for session in (self.session, *self.parallel_sessions):
            session.run([LOGIT], {WINDOWS: windows}, shrinking(self.device.provider))

    def look(self, windows: Floats) -> Judgement:
        """Its outputs for DN `[N, 1, 134, 134]` around places, of which it sees the middle.

        Logits beyond `AGAIN` are the mean of two looks.
        """
        first = self.infer(windows[..., ASIDE:-ASIDE, ASIDE:-ASIDE])
        (again,) = np.nonzero(first.logits > AGAIN)
        second = self.infer(windows[again, :, :WINDOW, :WINDOW])
        logits = first.logits.copy()
        logits[again] = (logits[again] + second.logits) / 2
        return Judgement(logits, first.descriptions)

    def infer(self, windows: Floats) -> Judgement:
        """Its outputs for windows of raw DN `[N, 1, 128, 128]`, some of them at a time."""
        together = CACHED if self.device.provider == CPU else BATCH
        logits, descriptions = [np.zeros(0, np.float32)], [np.zeros((0, self.length), np.float32)]
        for first in range(0, len(windows), together):
            part = np.ascontiguousarray(windows[first : first + together], np.float32)
            logit, description = self.session.run([LOGIT, DESCRIPTION], {WINDOWS: part})
            logits.append(np.asarray(logit, np.float32).reshape(-1))
            descriptions.append(np.asarray(description, np.float32))
        return Judgement(np.concatenate(logits), np.concatenate(descriptions))
