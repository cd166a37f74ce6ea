"""The Scan page: one's own scans on the stage, those of others in a list, and earlier ones."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.background import jobs
from dashboard.background.jobs import Asker, Job, State
from dashboard.detector import Progress, ScanSettings, scan
from dashboard.pages.scan import RECENT, STOPPED, recent_scans
from dashboard.pages.scan_progress import _words
from dashboard.session import state
from tests.dashboard.background.test_jobs import ended
from tests.dashboard.pages.test_pages import page, text
from tests.detector import rasters
from tests.models import plain_model

ANN, BOB = Asker("ann", operator=False), Asker("bob", operator=False)


@dataclass(frozen=True)
class _Store:
    key: str
    finished: bool


def test_a_scan_that_was_stopped_long_ago_is_listed() -> None:
    stores: list[Any] = [_Store(f"{number}", True) for number in range(20)]
    stores[3] = _Store("young", False)
    stores[15] = _Store("old", False)
    found = [store.key for store in recent_scans(stores)]
    assert len(found) == RECENT + 1
    assert found[3] == "young"
    assert found[-1] == "old"
    stopped: list[Any] = [_Store(f"{number}", False) for number in range(100)]
    assert len(recent_scans(stopped)) == RECENT + STOPPED


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Scans wait for this event after their first batch; they do not while it is set."""
    go = threading.Event()
    go.set()

    def slow(*arguments: Any) -> Iterator[Progress]:
        for step in scan(*arguments):
            yield step
            assert go.wait(60)

    monkeypatch.setattr(jobs, "scan", slow)
    yield go
    go.set()
    for job in list(state.worker().jobs.values()):
        ended(job)


def ask(folder: Path, seed: int, who: Asker) -> Job:
    """A scan that somebody asks for."""
    path = rasters.write(folder / f"{seed}.png", rasters.ground(600, 800, seed=seed))
    settings = ScanSettings(str(plain_model(folder / "plain.onnx")), 16, device="cpu")
    return state.worker().submit(path, path.name, settings, asker=who)


def seen_by(who: Asker, monkeypatch: pytest.MonkeyPatch, *watched: Job) -> AppTest:
    """The Scan page as a visitor sees it."""
    monkeypatch.setattr(state, "asker", lambda: who)
    app = page("scan", watched=[job.number for job in watched])
    assert not app.exception
    return app


def test_ones_own_scan_stays_on_the_page_while_another_visitors_runs(
    held: threading.Event, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = ended(ask(tmp_path, 1, ANN))
    held.clear()
    other = ask(tmp_path, 2, BOB)
    app = seen_by(ANN, monkeypatch, own)
    assert "beyond 3 sigma in" in text(app)
    assert "to_review" in {button.key for button in app.button}
    assert f"{other.name}, " in text(app)
    held.set()
    ended(other)
    app.run()
    assert app.session_state["watched"] == [own.number]
    assert "scan" not in app.session_state, "the other's scan was opened here"


def test_a_visitor_who_comes_back_sees_their_scan_and_nobody_elses(
    held: threading.Event, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.clear()
    bobs, anns = ask(tmp_path, 1, BOB), ask(tmp_path, 2, ANN)
    assert seen_by(ANN, monkeypatch).session_state["watched"] == [anns.number]
    assert seen_by(BOB, monkeypatch).session_state["watched"] == [bobs.number]
    carol = seen_by(Asker("carol", operator=False), monkeypatch)
    assert carol.session_state["watched"] == []
    assert not [key for key in (button.key for button in carol.button) if "cancel" in str(key)]
    operator = seen_by(Asker("dora", operator=True), monkeypatch)
    operator.button(key=f"cancel-{bobs.number}").click().run()
    assert bobs.cancelled.is_set()
    held.set()
    ended(bobs)
    ended(anns)


def test_what_waits_and_the_header_say_what_the_worker_is_at() -> None:
    settings = ScanSettings("guarded")
    theirs = Job(10_000, Path("theirs.png"), "theirs.png", settings, visitor="somebody else")
    mine = Job(10_001, Path("mine.png"), "mine.png", settings)
    theirs.state = State.SCANNING
    state.worker().jobs[theirs.number] = theirs
    try:
        assert _words(mine, 0) == "mine.png waits for its turn; busy with theirs.png"
        assert "scanning theirs.png" in text(page("scan"))
    finally:
        theirs.state = State.DONE
