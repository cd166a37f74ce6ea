"""Reading and scanning in the background: one worker, so that scans do not slow each other.

A job outlives the page that asked for it. What it worked out lies on disk (the ingested scene, the
scores so far), so that a restart loses nothing but the queue.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

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
    SCANNING = "scanning"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass
class Job:
    """One picture to read and, with settings, to scan. The worker writes, the pages read."""

    number: int
    path: Path
    name: str  # as the user knows the file
    settings: ScanSettings | None  # None: read only
    state: State = State.WAITING
    read: float = 0.0  # part of the picture that has been read
    scene: Scene | None = None
    store: ScanStore | None = None
    progress: Progress | None = None
    error: str | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def active(self) -> bool:
        return self.state in (State.WAITING, State.READING, State.SCANNING)

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

    def submit(self, path: Path, name: str, settings: ScanSettings | None = None) -> Job:
        """A new job; the one already under way where the same was asked for."""
        for job in self.jobs.values():
            same = (job.path, job.settings) == (path, settings)
            if same and job.active and not job.cancelled.is_set():
                return job
        job = Job(next(self._numbers), path, name, settings)
        self.jobs[job.number] = job
        self._queue.put(job)
        return job

    def resume(self, store: ScanStore, settings: ScanSettings) -> Job:
        """A job that goes on with a stored scan; its picture has been read already.

        Raises:
            DamagedScene: the ingested picture is gone.
        """
        scene = store.scene()
        job = Job(next(self._numbers), scene.path, scene.name, settings, scene=scene)
        self.jobs[job.number] = job
        self._queue.put(job)
        return job

    def scans(self) -> list[Job]:
        """The scans that wait or run, in their order."""
        return [job for job in self.jobs.values() if job.active and job.settings]

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
        if job.settings is None:
            return
        model = self._model(job.settings)
        region = Region.of(job.settings.area, scene) if job.settings.area else None
        store = ScanStore.for_scan(scene, model, job.settings.stride, region=region)
        job.store, job.state = store, State.SCANNING
        for step in scan(store, scene, model):
            job.progress = step
            if job.cancelled.is_set():
                raise _Cancelled

    def _model(self, settings: ScanSettings) -> Model:
        key = (settings.model, settings.device)
        if key not in self._models:
            self._models[key] = Model.load(*key)
        return self._models[key]
