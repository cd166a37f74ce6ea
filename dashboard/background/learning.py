"""Learning a scene: `python -m training adapt` as a process of its own, which needs PyTorch.

What is learned is kept by scene and model, beside the stored scans: `learned/KEY/NAME.onnx`, with
the run's checkpoints and losses in `learned/KEY/NAME.run`. A run that was stopped goes on.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import logging
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dashboard.detector import Model, NeedleError, Scene, alone, bound, lock_path, needle_home

log = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("torch", "onnx", "onnxscript", "tensorboard", "sklearn")
INSTALL = "make learn installs it, or pip install -r training/requirements.txt"
PAUSE = 0.25  # s between two looks at whether to stop
GRACE = 30.0  # s for a process to put on disk what it has learned
KEPT = ("checkpoint.pt",)  # in a run's folder, to go on with it


class LearningError(NeedleError):
    """The scene could not be learned."""


@dataclass(frozen=True)
class Step:
    """How far learning is."""

    doing: str  # "learning", "measuring" or "exporting"
    part: float  # of all
    left: float | None  # s; None while nobody can know


@dataclass(frozen=True)
class Curve:
    """The loss of one network as it learned."""

    name: str
    windows: list[int]
    losses: list[float]


@dataclass(frozen=True)
class Lesson:
    """A scene to be learned by a model."""

    scene: Scene
    model: Model

    @property
    def path(self) -> Path:
        """Where the model is kept that has learned the scene."""
        key = f"{self.scene.sha256[:16]}-{self.model.sha256[:16]}"
        stem = re.sub(r"[^\w.-]+", "-", Path(self.scene.name).stem)[:60]
        return needle_home() / "learned" / key / f"{self.model.name}-{stem}.onnx"

    @property
    def learned(self) -> bool:
        return self.path.is_file()


def lacking() -> bool:
    """True where no model can learn until PyTorch is installed."""
    return any(importlib.util.find_spec(name) is None for name in NEEDED)


def can_learn(model: Model) -> bool:
    """Whether a model is of a kind that learns scenes, and has not learned one.

    What a judge knows of places holds for the finder that it has learned with.
    """
    return model.card.area and not model.card.learned and model.judge is None


def learned_models() -> list[Path]:
    """The models that have learned a scene, the newest first."""
    found = (needle_home() / "learned").glob("*/*.onnx")
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def begun(model: Path) -> bool:
    """Whether learning began before, and goes on with what is kept."""
    run = model.with_suffix(".run")
    return any(next(run.rglob(kept), None) for kept in KEPT)


def curves(model: Path) -> list[Curve]:
    """The losses of a model as it learned, so far: one curve, none before the first."""
    curve = _curve("", model.with_suffix(".run") / "log.csv")
    return [curve] if curve else []


def _curve(name: str, path: Path) -> Curve | None:
    try:
        with path.open(newline="") as file:
            rows = [(int(row["tiles"]), float(row["loss"])) for row in csv.DictReader(file)]
    except (OSError, KeyError, ValueError, TypeError):  # not there yet, or its last line half so
        return None
    return Curve(name, [tiles for tiles, _ in rows], [loss for _, loss in rows]) if rows else None


def learn(lesson: Lesson, on_progress: Callable[[Step | None], None]) -> Path:
    """The model that has learned the scene; learned now, or gone on with, where it was not.

    While another process learns the same, it is waited for, and what it leaves is gone on with.

    Args:
        lesson: what to learn.
        on_progress: told every moment how far it is, None before the first step, and while another
            process learns; may raise to stop.

    Raises:
        LearningError: it cannot be learned, or PyTorch is not there.
    """
    if lesson.learned:
        return lesson.path
    if lacking():
        raise LearningError(f"learning a scene needs PyTorch: {INSTALL}")
    try:
        lesson.path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LearningError(
            f"{lesson.path.parent}: cannot be written ({error.strerror}); "
            "make room or set NEEDLE_HOME"
        ) from error
    with alone(lock_path(lesson.path.parent), waiting=lambda: on_progress(None)):
        if not lesson.learned:
            _learn(lesson, on_progress)
    return lesson.path


def _learn(lesson: Lesson, on_progress: Callable[[Step | None], None]) -> None:
    """Learns the scene in a process that is followed to its end.

    Raises:
        LearningError: it cannot be learned.
    """
    with tempfile.TemporaryFile("w+") as trouble, _process(lesson, trouble) as process:
        _follow(process, on_progress)
        if process.wait() != 0:
            trouble.seek(0)
            raise LearningError(_reason(trouble.read(), lesson))
    for kept in KEPT:
        for path in lesson.path.with_suffix(".run").rglob(kept):
            with suppress(OSError):
                path.unlink()  # the model holds what was learned
    bound(lesson.path.parents[1], lesson.path.parent)


@contextmanager
def _process(lesson: Lesson, trouble: IO[str]) -> Iterator[subprocess.Popen[str]]:
    """The training as a process; one that is left early is asked to stop, and keeps what it has."""
    command = [sys.executable, "-m", "training", "adapt", str(lesson.scene.path.resolve())]
    command += ["--model", str(lesson.model.path.resolve()), "--out", str(lesson.path.resolve())]
    process = subprocess.Popen(
        [*command, "--report"],
        cwd=ROOT,
        env=os.environ | {"NEEDLE_HOME": str(needle_home().resolve())},
        stdin=subprocess.PIPE,  # closed when this process ends, however: it ends then, too
        stdout=subprocess.PIPE,
        stderr=trouble,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()


def _follow(process: subprocess.Popen[str], on_progress: Callable[[Step | None], None]) -> None:
    """Tells how far a process is until it closes its output."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        assert process.stdout
        with suppress(ValueError):  # closed while it was read
            for line in process.stdout:
                lines.put(line)
        lines.put(None)

    threading.Thread(target=read, name="needle-learning", daemon=True).start()
    first: tuple[float, float] | None = None  # when, and which part was done
    step: Step | None = None
    while True:
        on_progress(step)
        try:
            line = lines.get(timeout=PAUSE)
        except queue.Empty:
            continue
        if line is None:
            return
        said = json.loads(line)
        part, now = float(said["part"]), time.monotonic()
        began, before = first = first or (now, part)
        left = (now - began) * (1 - part) / (part - before) if part > before else None
        step = Step(said["doing"], part, left)


def _reason(said: str, lesson: Lesson) -> str:
    lines = said.strip().splitlines()
    if lines and lines[-1].startswith("needle: "):
        return lines[-1].removeprefix("needle: ")
    log.error("learning %s failed:\n%s", lesson.scene.name, said)
    return f"{lesson.scene.name}: something went wrong while learning it; the log says what"
