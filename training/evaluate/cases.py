"""One contestant on one scene: everything the report needs, kept as one JSON file."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from PIL import Image

from dashboard.detector import (
    ARTICLE,
    Box,
    Scene,
    ScoreMap,
    SigmaMap,
    StoreError,
    find,
    grey,
    sigma_map,
    whole_file,
)
from training.evaluate.contestants import Contestant
from training.evaluate.measures import EVERY, SIGMA, Outcome, judge
from training.truth import Truth

VERSION = 2  # of the stored cases
SHOWN = 64  # px around a place, each way, in its picture
WORST = 8  # false detections that are pictured
BINS = 90
QUALITY = 85  # of JPEG pictures


@dataclass(frozen=True)
class Subject:
    """The subject of a case."""

    scene: str
    ground: str  # the picture that was planted in; the scene itself otherwise
    folder: str  # that it lies in
    seed: int | None  # of a planted scene
    width: int  # px
    height: int  # px
    contrast: str = ""  # of what was planted: `real`, or `hard`: varied in size and contrast


@dataclass(frozen=True)
class FalseAlarm:
    """One of the strongest false detections."""

    x: float
    y: float
    rank: int
    sigma: float


@dataclass(frozen=True)
class Case:
    """The results of one contestant on one scene."""

    subject: Subject
    contestant: str
    sample: str  # "in", "out" or "own": did it learn from this ground
    device: str
    seconds: float  # of scoring, reading included
    scored: int  # positions
    flagged: int  # positions beyond the threshold
    places: int  # detections beyond it
    false: int  # of these
    mean: float
    std: float
    threshold: float
    edges: tuple[float, ...]  # of the histogram of the scores
    counts: tuple[int, ...]
    objects: tuple[Outcome, ...]
    worst: tuple[FalseAlarm, ...]
    pictures: tuple[str, ...]  # JPEG in base64: of the objects, then of the worst false detections

    @property
    def planted(self) -> bool:
        return self.subject.seed is not None

    @property
    def seconds_per_gpx(self) -> float:
        return self.seconds / (self.subject.width * self.subject.height) * 1e9

    def picture(self, place: Outcome | FalseAlarm) -> str:
        """The picture of one of the case's places."""
        return self.pictures[[*self.objects, *self.worst].index(place)]

    @classmethod
    def from_json(cls, text: str) -> Case:
        """The case of a stored file."""
        values: dict[str, Any] = json.loads(text)
        values["subject"] = Subject(**values["subject"])
        values["worst"] = tuple(FalseAlarm(**value) for value in values["worst"])
        values["objects"] = tuple(
            Outcome(**value | {"box": Box(*value["box"])}) for value in values["objects"]
        )
        for field in fields(cls):
            if isinstance(values[field.name], list):
                values[field.name] = tuple(values[field.name])
        return cls(**values)

    def to_json(self) -> str:
        """The contents of its file."""
        return json.dumps(asdict(self)) + "\n"


def case_of(
    subject: Subject, scene: Scene, truth: Truth, contestant: Contestant, home: Path
) -> Case:
    """Let a contestant score a scene, and judge what it finds.

    Raises:
        NoGround: nothing in the scene can be scored.
    """
    scored = contestant.score(scene, home)
    scores = scored.scores
    measured = _sigma_map_of(scores, contestant.rule)
    detections = measured.find(top=EVERY) if measured else find(scores, top=EVERY)
    judged = judge(detections, truth)
    histogram = scores.histogram(BINS)
    worst = [
        FalseAlarm(alarm.x, alarm.y, alarm.rank, alarm.sigma) for alarm in judged.false[:WORST]
    ]
    middles = [outcome.box.centre for outcome in judged.objects]
    middles += [(alarm.x, alarm.y) for alarm in worst]
    return Case(
        subject=subject,
        contestant=contestant.name,
        sample=contestant.sample(subject.ground, subject.folder),
        device=scored.device,
        seconds=scored.seconds,
        scored=scores.scored,
        flagged=(measured or scores).count_above(SIGMA),
        places=sum(detection.sigma > SIGMA for detection in detections),
        false=judged.false_beyond,
        mean=scores.mean,
        std=scores.std,
        threshold=scores.at(SIGMA),
        edges=tuple(histogram.edges.tolist()),
        counts=tuple(histogram.counts.tolist()),
        objects=judged.objects,
        worst=tuple(worst),
        pictures=tuple(picture_of(scene, middle) for middle in middles),
    )


def _sigma_map_of(scores: ScoreMap, rule: str) -> SigmaMap | None:
    """The scores in sigma by a rule; None for the article's, whose order is that of the scores."""
    if rule == ARTICLE:
        return None
    return sigma_map(scores, rule)


def picture_of(scene: Scene, middle: tuple[float, float]) -> str:
    """The ground around a place at full size, in the scene's stretch: JPEG in base64."""
    x, y = (int(value) for value in middle)
    dn = scene.read_around(Box(x - SHOWN, y - SHOWN, x + SHOWN, y + SHOWN))
    memory = io.BytesIO()
    Image.fromarray(grey(dn, scene.stretch)).save(memory, format="JPEG", quality=QUALITY)
    return base64.b64encode(memory.getvalue()).decode("ascii")


class Cases:
    """The cases in a folder, known by what decides them; written when they are whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, subject: str, contestant: Contestant) -> Path:
        """The file of a case; `subject` is what decides the scene and its truth."""
        parts: Sequence[object] = (VERSION, subject, contestant.name, contestant.key)
        return self.folder / f"{hashlib.sha256(repr(parts).encode()).hexdigest()[:20]}.json"

    def get(self, subject: str, contestant: Contestant) -> Case | None:
        """The case, where it is there."""
        try:
            return Case.from_json(self.path(subject, contestant).read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def put(self, subject: str, contestant: Contestant, case: Case) -> None:
        """Keep a case.

        Raises:
            StoreError: it cannot be written.
        """
        path = self.path(subject, contestant)
        write(path, case.to_json())


def write(path: Path, text: str) -> None:
    """A text file that takes its name when it is whole.

    Raises:
        StoreError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be written ({error.strerror}); give another --out"
        ) from error
