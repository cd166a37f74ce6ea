"""Reading, learning and scanning in the background: one worker, so that none slows another.

A job outlives the page that asked for it. What it worked out lies on disk (the ingested scene, the
scores so far), so that a restart loses nothing but the queue.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from dashboard.background.learning import Lesson, Step, learn
from dashboard.detector import (
    Model,
    NeedleError,
    Progress,
    Region,
    ScanSettings,
    ScanStore,
    Scene,
    ingest,
    scan,
)

log = logging.getLogger(__name__)


class State(Enum):
    """Where a job is."""

    WAITING = "waiting"
    READING = "reading"
    LEARNING = "learning"
    SCANNING = "scanning"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass
class Job:
    """One picture to read, to learn and to scan. The worker writes, the pages read."""

    number: int
    path: Path
    name: str  # as the user knows the file
    settings: ScanSettings | None  # None: not to be scanned
    learner: str | None = None  # the model that is to learn the scene first; None: nobody is
    state: State = State.WAITING
    read: float = 0.0  # part of the picture that has been read
    scene: Scene | None = None
    lesson: Lesson | None = None  # that is being learned, or was last
    learning: Step | None = None
    store: ScanStore | None = None
    progress: Progress | None = None
    error: str | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def active(self) -> bool:
        return self.state in (State.WAITING, State.READING, State.LEARNING, State.SCANNING)

    def cancel(self) -> None:
        """Ask the job to stop; what it has scored is kept."""
        self.cancelled.set()


class _Cancelled(Exception):
    """The user asked the job to stop."""


class Worker:
    """A queue of jobs and the thread that does them, first come, first served."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._queue: queue.Queue[Job] = queue.Queue()
        self._models: dict[tuple[str, str], Model] = {}
        self.jobs: dict[int, Job] = {}
        threading.Thread(target=self._work, name="needle-worker", daemon=True).start()

    def submit(
        self,
        path: Path,
        name: str,
        settings: ScanSettings | None = None,
        learn_first: bool = False,
        scene: Scene | None = None,
    ) -> Job:
        """A new job; the one already under way where the same was asked for.

        Args:
            path: the picture.
            name: as the user knows it.
            settings: how to scan it; it is only read otherwise.
            learn_first: scan with what the model is when it has learned the scene.
            scene: the picture, where it has been read already.
        """
        learner = settings.model if settings and learn_first else None
        for job in self.jobs.values():
            same = (job.path, job.settings, job.learner) == (path, settings, learner)
            if same and job.active and not job.cancelled.is_set():
                return job
        return self._add(Job(next(self._numbers), path, name, settings, learner, scene=scene))

    def learn(self, scene: Scene, model: str) -> Job:
        """A job that has a model learn a scene, no more; the one under way where there is one."""
        under_way = (job for job in self.jobs.values() if job.active and not job.settings)
        for job in under_way:
            if (job.path, job.learner) == (scene.path, model) and not job.cancelled.is_set():
                return job
        new = Job(next(self._numbers), scene.path, scene.name, None, model, scene=scene)
        return self._add(new)

    def resume(self, store: ScanStore, settings: ScanSettings) -> Job:
        """A job that goes on with a stored scan; its picture has been read already.

        Raises:
            DamagedScene: the ingested picture is gone.
        """
        scene = store.scene()
        return self._add(Job(next(self._numbers), scene.path, scene.name, settings, scene=scene))

    def _add(self, job: Job) -> Job:
        self.jobs[job.number] = job
        self._queue.put(job)
        return job

    def scans(self) -> list[Job]:
        """The scans that wait or run, in their order."""
        return [job for job in self.jobs.values() if job.active and job.settings]

    def busy(self) -> bool:
        """True while something is scanned or learned, or waits for that."""
        return any(job.active and (job.settings or job.learner) for job in self.jobs.values())

    def _work(self) -> None:
        while True:
            job = self._queue.get()
            try:
                self._do(job)
                job.state = State.DONE
            except _Cancelled:
                job.state = State.CANCELLED
            except NeedleError as error:
                job.error, job.state = str(error), State.FAILED
            except Exception:  # a fault of ours must not end the worker
                log.exception("the job of %s failed", job.name)
                job.error = f"{job.name}: something went wrong in Needle; the log says what"
                job.state = State.FAILED

    def _do(self, job: Job) -> None:
        def reading(part: float) -> None:
            job.read = part
            if job.cancelled.is_set():
                raise _Cancelled

        reading(0.0)
        job.state = State.READING
        scene = job.scene or ingest(job.path, name=job.name, on_progress=reading)
        job.scene = scene
        settings = job.settings
        if job.learner:
            learned = self._learned(job, scene, job.learner)
            settings = settings and replace(settings, model=str(learned))
        if settings is None:
            return
        model = self._model(settings.model, settings.device)
        region = Region.of(settings.area, scene) if settings.area else None
        store = ScanStore.for_scan(scene, model, settings.stride, region=region)
        job.store, job.state = store, State.SCANNING
        for step in scan(store, scene, model):
            job.progress = step
            if job.cancelled.is_set():
                raise _Cancelled

    def _learned(self, job: Job, scene: Scene, learner: str) -> Path:
        """The model that has learned the scene."""

        def learning(step: Step | None) -> None:
            job.learning = step or job.learning
            if job.cancelled.is_set():
                raise _Cancelled

        job.lesson = Lesson(scene, self._model(learner))
        job.state = State.LEARNING
        return learn(job.lesson, learning)

    def _model(self, name: str, device: str = "auto") -> Model:
        key = (name, device)
        if key not in self._models:
            self._models[key] = Model.load(*key)
        return self._models[key]
