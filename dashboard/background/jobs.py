"""Reading, learning and scanning in the background: one worker, so that none slows another.

A job outlives the page that asked for it. What it worked out lies on disk (the ingested scene, the
scores so far), so that a restart loses nothing but the queue.
"""

from __future__ import annotations

import itertools
import json
import logging
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from dashboard.background.learning import Lesson, Step, learn
from dashboard.detector import (
    NeedleError,
    Pin,
    Progress,
    ScanSettings,
    ScanStore,
    Scene,
    bound,
    ingest,
    pool,
    scan,
    stored_scan,
    survey,
)

log = logging.getLogger(__name__)
lines = logging.getLogger("needle.jobs")
SCANS_A_VISITOR = 3  # that wait or run
JOBS_A_VISITOR = 30  # pictures that are read for a look at them among them
ENDED_KEPT = 300  # jobs; their scenes are facts alone
VISITORS_KEPT = 10_000  # names; beyond them turns begin anew


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
    nodata: str | None = None  # as the user says
    scene: Scene | None = None
    lesson: Lesson | None = None  # that is being learned, or was last
    learning: Step | None = None
    store: ScanStore | None = None
    progress: Progress | None = None
    error: str | None = None
    visitor: str = ""  # who asked for it
    moved: float = field(default_factory=time.monotonic)  # when it last made progress
    # Keeps the scene in the cache until the job has ended.
    pins: ExitStack = field(default_factory=ExitStack)
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def active(self) -> bool:
        return self.state in (State.WAITING, State.READING, State.LEARNING, State.SCANNING)

    def cancel(self) -> None:
        """Ask the job to stop; what it has scored is kept."""
        self.cancelled.set()


class _Cancelled(Exception):
    """The user asked the job to stop."""


class QueueFull(NeedleError):
    """A visitor has as many scans waiting as one may."""


@dataclass(frozen=True)
class Asker:
    """Who asks for jobs."""

    name: str = ""
    operator: bool = True  # may queue any number, and cancel everybody's


class Worker:
    """A queue of jobs and the thread that does them.

    Visitors take turns; the jobs of one are done first come, first served.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._waiting: list[Job] = []
        self._there = threading.Condition()
        self._turns = itertools.count(1)
        self._served: dict[str, int] = {}  # turn in which a visitor had a job begun last
        self.jobs: dict[int, Job] = {}
        threading.Thread(target=self._work, name="needle-worker", daemon=True).start()

    def submit(
        self,
        path: Path,
        name: str,
        settings: ScanSettings | None = None,
        learn_first: bool = False,
        scene: Scene | None = None,
        asker: Asker = Asker(),
    ) -> Job:
        """A new job; the one already under way where the same was asked for.

        Args:
            path: the picture.
            name: as the user knows it.
            settings: how to scan it; it is only read otherwise.
            learn_first: scan with what the model is when it has learned the scene.
            scene: the picture, where it has been read already.

        Raises:
            QueueFull: the visitor has as many scans waiting as one may.
        """
        learner = settings.model if settings and learn_first else None
        nodata = settings.nodata if settings else None
        for job in self.jobs.values():
            same = (job.path, job.settings, job.learner) == (path, settings, learner)
            if same and job.active and not job.cancelled.is_set():
                return job
        job = Job(next(self._numbers), path, name, settings, learner, nodata=nodata, scene=scene)
        return self._add(job, asker)

    def read(self, path: Path, name: str, nodata: str | None, asker: Asker = Asker()) -> Job:
        """A job that only reads a picture, whose nodata is what the visitor says, if anything."""
        return self._add(Job(next(self._numbers), path, name, None, nodata=nodata), asker)

    def learn(self, scene: Scene, model: str, asker: Asker = Asker()) -> Job:
        """A job that has a model learn a scene, no more; the one under way where there is one."""
        under_way = (job for job in self.jobs.values() if job.active and not job.settings)
        for job in under_way:
            if (job.path, job.learner) == (scene.path, model) and not job.cancelled.is_set():
                return job
        new = Job(next(self._numbers), scene.path, scene.name, None, model, scene=scene)
        return self._add(new, asker)

    def resume(self, store: ScanStore, settings: ScanSettings, asker: Asker = Asker()) -> Job:
        """A job that goes on with a stored scan; its picture has been read already.

        Raises:
            DamagedScene: the ingested picture is gone.
        """
        scene = store.scene()
        job = Job(next(self._numbers), scene.path, scene.name, settings, scene=scene)
        return self._add(job, asker)

    def _add(self, job: Job, asker: Asker) -> Job:
        job.visitor = asker.name
        theirs = [one for one in self.jobs.values() if one.active and one.visitor == asker.name]
        scans = sum(bool(one.settings or one.learner) for one in theirs)
        if not asker.operator and (job.settings or job.learner) and scans >= SCANS_A_VISITOR:
            raise QueueFull(
                f"{job.name}: {scans} scans of yours wait already; cancel one, or ask again later"
            )
        if not asker.operator and len(theirs) >= JOBS_A_VISITOR:
            raise QueueFull(f"{job.name}: {len(theirs)} pictures of yours wait; ask again later")
        job.pins.enter_context(job.scene.pin() if job.scene else Pin(job.path))
        with self._there:
            self._forget()
            self.jobs[job.number] = job
            self._waiting.append(job)
            self._there.notify()
        return job

    def _forget(self) -> None:
        """Drops the jobs that have ended longest ago, beyond those that pages may still show."""
        ended = [number for number, job in self.jobs.items() if not job.active]
        for number in ended[: max(0, len(ended) - ENDED_KEPT)]:
            del self.jobs[number]

    def _next(self) -> Job:
        """The job to do next: of the visitor whose turn is longest ago, the first."""
        with self._there:
            while not self._waiting:
                self._there.wait()
            turns = {job.number: self._served.get(job.visitor, 0) for job in self._waiting}
            job = min(self._waiting, key=lambda one: (turns[one.number], one.number))
            self._waiting.remove(job)
            self._served[job.visitor] = next(self._turns)
            if len(self._served) > VISITORS_KEPT:
                self._served.clear()
            return job

    def may_cancel(self, job: Job, asker: Asker) -> bool:
        """True where a job is one's own, or one is an operator."""
        return asker.operator or job.visitor == asker.name

    def still(self) -> float:
        """Seconds since the job that is worked on made progress; 0 where none is."""
        now = time.monotonic()
        jobs = [job for job in self.jobs.values() if job.active]
        return max((now - job.moved for job in jobs if job.state is not State.WAITING), default=0.0)

    def at_work(self) -> Job | None:
        """The job that is worked on; None where none is."""
        jobs = list(self.jobs.values())
        return next((job for job in jobs if job.active and job.state is not State.WAITING), None)

    def scans(self) -> list[Job]:
        """The scans that wait or run, in their order."""
        return [job for job in self.jobs.values() if job.active and job.settings]

    def busy(self) -> bool:
        """True while something is scanned or learned, or waits for that."""
        return any(job.active and (job.settings or job.learner) for job in self.jobs.values())

    def _work(self) -> None:
        while True:
            job = self._next()
            job.moved = began = time.monotonic()
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
            job.pins.close()
            pool.rest()
            _note(job, time.monotonic() - began)

    def _do(self, job: Job) -> None:
        def reading(part: float) -> None:
            job.moved = job.moved if part == job.read else time.monotonic()
            job.read = part
            if job.cancelled.is_set():
                raise _Cancelled

        reading(0.0)
        job.state = State.READING
        scene = job.scene or ingest(job.path, name=job.name, nodata=job.nodata, on_progress=reading)
        job.scene = scene
        job.pins.enter_context(scene.pin())
        settings = job.settings
        if job.learner:
            learned = self._learned(job, scene, job.learner)
            settings = settings and replace(settings, model=str(learned))
        if settings is None:
            return
        model = pool.get(settings.model, settings.device)
        store = stored_scan(scene, model, settings)
        job.store, job.state = store, State.SCANNING
        bound(store.folder.parent, store.folder)
        for step in scan(store, scene, model):
            job.progress, job.moved = step, time.monotonic()
            if job.cancelled.is_set():
                raise _Cancelled
        survey(scene)  # which Review needs when it opens

    def _learned(self, job: Job, scene: Scene, learner: str) -> Path:
        """The model that has learned the scene."""

        def learning(step: Step | None) -> None:
            job.moved = job.moved if step in (None, job.learning) else time.monotonic()
            job.learning = step or job.learning
            if job.cancelled.is_set():
                raise _Cancelled

        job.lesson = Lesson(scene, pool.get(learner))
        job.state = State.LEARNING
        return learn(job.lesson, learning)


def _note(job: Job, seconds: float) -> None:
    """One line of JSON of a job that has ended, in the log that operators may keep."""
    work = "scan" if job.settings else "learn" if job.learner else "read"
    said = {"kind": work, "state": job.state.value, "seconds": round(seconds, 3)}
    lines.info(json.dumps(said | {"who": job.visitor[:40], "error": job.error or ""}))
