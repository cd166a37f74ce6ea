"""Background jobs: first come, first served; cancelled, failed and resumed without loss."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboard.background import jobs
from dashboard.background.jobs import Asker, Job, QueueFull, State, Worker
from dashboard.detector import Progress, ScanSettings, ScanStore, list_scans, scan
from dashboard.detector.system.locks import in_use
from tests.detector import rasters
from tests.models import plain_model


def ended(job: Job, seconds: float = 60) -> Job:
    """The job when it is no longer active."""
    until = time.monotonic() + seconds
    while job.active:
        assert time.monotonic() < until, f"{job.name} is still {job.state}"
        time.sleep(0.01)
    return job


@pytest.fixture
def settings(tmp_path: Path) -> ScanSettings:
    return ScanSettings(str(plain_model(tmp_path / "plain.onnx")), 16, device="cpu")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return rasters.write(tmp_path / "picture.png", rasters.ground(600, 800))


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Every scan waits for this event after its first batch."""
    go = threading.Event()

    def held(*arguments: Any) -> Iterator[Progress]:
        for step in scan(*arguments):
            yield step
            assert go.wait(60)

    monkeypatch.setattr(jobs, "scan", held)
    return go


def test_reading_and_scanning_leave_scene_and_scores(picture: Path, settings: ScanSettings) -> None:
    worker = Worker()
    read = ended(worker.submit(picture, "mars.png"))
    assert (read.state, read.read, read.store) == (State.DONE, 1.0, None)
    assert read.scene is not None
    assert read.scene.name == "mars.png"
    scanned = ended(worker.submit(picture, "mars.png", settings))
    assert scanned.state is State.DONE
    assert scanned.store is not None
    assert scanned.store.finished
    assert scanned.progress is not None
    assert scanned.progress.fraction == 1
    assert [store.key for store in list_scans()] == [scanned.store.key]


def test_jobs_are_done_in_their_order(tmp_path: Path, settings: ScanSettings) -> None:
    worker = Worker()
    order = []
    queued = [
        worker.submit(
            rasters.write(tmp_path / f"{seed}.png", rasters.ground(300, 300, seed=seed)),
            f"{seed}.png",
            settings,
        )
        for seed in range(3)
    ]
    for job in queued:
        ended(job)
        order.append([other.number for other in queued if not other.active])
    assert [len(done) for done in order] == sorted(len(done) for done in order)
    assert all(job.state is State.DONE for job in queued)


def test_a_cancelled_scan_keeps_its_scores_and_can_be_resumed(
    picture: Path, settings: ScanSettings, slow: threading.Event
) -> None:
    worker = Worker()
    job = worker.submit(picture, "mars.png", settings)
    while job.progress is None:
        assert job.active
        time.sleep(0.01)
    job.cancel()
    slow.set()
    assert ended(job).state is State.CANCELLED
    assert job.store is not None
    assert not job.store.finished
    resumed = ended(worker.resume(job.store, settings))
    assert resumed.state is State.DONE
    assert ScanStore.open(job.store.folder).finished


def test_a_job_may_be_cancelled_while_it_waits(
    picture: Path, tmp_path: Path, settings: ScanSettings, slow: threading.Event
) -> None:
    worker = Worker()
    first = worker.submit(picture, "first.png", settings)
    second = worker.submit(picture, "second.png", ScanSettings(settings.model, 48, device="cpu"))
    assert worker.scans() == [first, second]
    second.cancel()
    slow.set()
    assert ended(first).state is State.DONE
    assert ended(second).state is State.CANCELLED
    assert second.store is None
    assert worker.scans() == []


def test_asking_twice_is_one_job(
    picture: Path, settings: ScanSettings, slow: threading.Event
) -> None:
    worker = Worker()
    first = worker.submit(picture, "mars.png", settings)
    assert worker.submit(picture, "mars.png", settings) is first
    first.cancel()
    another = worker.submit(picture, "mars.png", settings)
    assert another is not first
    slow.set()
    assert ended(another).state is State.DONE


def test_a_broken_picture_fails_alone(
    picture: Path, tmp_path: Path, settings: ScanSettings
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")
    worker = Worker()
    bad, good = worker.submit(broken, "his.png", settings), worker.submit(picture, "p", settings)
    assert ended(bad).state is State.FAILED
    assert bad.error is not None
    assert "not a PNG, JPEG, TIFF or JPEG 2000" in bad.error
    assert ended(good).state is State.DONE


def test_a_fault_of_ours_is_logged_and_does_not_stop_the_worker(
    picture: Path,
    settings: ScanSettings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fault(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    worker = Worker()
    with monkeypatch.context() as patched:
        patched.setattr(jobs, "ingest", fault)
        bad = ended(worker.submit(picture, "mars.png", settings))
    assert bad.state is State.FAILED
    assert bad.error == "mars.png: something went wrong in Needle; the log says what"
    assert "a bug" in caplog.text
    assert ended(worker.submit(picture, "mars.png", settings)).state is State.DONE


def test_scores_are_there_while_the_scan_runs(
    picture: Path, settings: ScanSettings, slow: threading.Event
) -> None:
    worker = Worker()
    job = worker.submit(picture, "mars.png", settings)
    until = time.monotonic() + 30
    while job.progress is None and time.monotonic() < until:
        time.sleep(0.01)
    assert job.store is not None
    known = np.isfinite(job.store.scores().values)
    assert known.any()
    assert not known.all()
    slow.set()
    ended(job)
    assert np.isfinite(job.store.scores().values).all()


def test_visitors_take_turns_and_queue_no_more_than_they_may(
    tmp_path: Path, settings: ScanSettings, slow: threading.Event
) -> None:
    worker = Worker()
    ann, bob = Asker("ann", operator=False), Asker("bob", operator=False)

    def ask(seed: int, who: Asker) -> Job:
        path = rasters.write(tmp_path / f"{seed}.png", rasters.ground(300, 300, seed=seed))
        return worker.submit(path, path.name, settings, asker=who)

    anns = [ask(seed, ann) for seed in range(3)]
    with pytest.raises(QueueFull, match="3 scans of yours wait already"):
        ask(3, ann)
    bobs = ask(4, bob)
    begun = []
    slow.set()
    until = time.monotonic() + 120
    while any(job.active for job in (*anns, bobs)) and time.monotonic() < until:
        begun += [
            job for job in (*anns, bobs) if job.state is not State.WAITING and job not in begun
        ]
        time.sleep(0.001)
    assert [job.state for job in (*anns, bobs)] == [State.DONE] * 4
    assert begun.index(bobs) <= 1  # not behind all of ann's
    assert ask(5, ann).active


def test_one_cancels_ones_own_scans_and_an_operator_all(
    picture: Path, settings: ScanSettings
) -> None:
    worker = Worker()
    job = worker.submit(picture, "mars.png", settings, asker=Asker("ann", operator=False))
    assert worker.may_cancel(job, Asker("ann", operator=False))
    assert not worker.may_cancel(job, Asker("bob", operator=False))
    assert worker.may_cancel(job, Asker("carol", operator=True))
    ended(job)


def test_the_scene_of_a_job_stays_in_the_cache_until_it_ends(
    picture: Path, settings: ScanSettings, slow: threading.Event
) -> None:
    worker = Worker()
    job = worker.submit(picture, "mars.png", settings)
    while job.progress is None:
        assert job.active
        time.sleep(0.01)
    assert job.scene is not None
    assert in_use(job.scene.path)
    assert worker.still() < 60
    slow.set()
    ended(job)
    while in_use(job.scene.path):  # it is let go a moment later
        time.sleep(0.01)
    assert worker.still() == 0
