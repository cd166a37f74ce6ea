"""The scenes that contestants are tried on: pictures with truth, and pictures planted in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from dashboard.detector import Scene, SceneError, ingest
from training.evaluate.cases import Subject
from training.truth import Truth, truth_of, truth_path
from training.windows import pictures_in


class Trial(Protocol):
    """One scene to be tried on, made only when it is needed."""

    @property
    def name(self) -> str:
        """The name in the report."""

    @property
    def key(self) -> str:
        """Everything that decides the scene and its truth, in one string."""

    def open(self, work: Path) -> AbstractContextManager[tuple[Subject, Scene, Truth]]:
        """The scene and its truth; files that must be made lie in `work`."""


@dataclass(frozen=True)
class Labelled:
    """A picture with its truth beside it."""

    picture: Path

    @property
    def name(self) -> str:
        return self.picture.name

    @cached_property
    def key(self) -> str:
        truth = truth_path(self.picture)
        return " ".join(sha256_of(path) for path in (self.picture, truth) if path)

    @contextmanager
    def open(self, work: Path) -> Iterator[tuple[Subject, Scene, Truth]]:
        """The scene, ingested where every scene is."""
        scene = ingest(self.picture)
        truth = truth_of(self.picture, scene)
        if truth is None:
            raise SceneError(f"{self.picture.name}: its truth has gone")
        folder = self.picture.resolve().parent.name
        yield (
            Subject(scene.name, scene.name, folder, None, scene.width, scene.height),
            scene,
            truth,
        )


def labelled_pictures(arguments: Sequence[str | Path]) -> list[Labelled]:
    """The pictures with truth among those that `--scenes` names.

    Raises:
        SceneNotFound: there is no such picture or folder.
    """
    pictures = [picture for argument in arguments for picture in pictures_in(argument)]
    return [Labelled(picture) for picture in pictures if truth_path(picture)]


def sha256_of(path: Path) -> str:
    """The checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
