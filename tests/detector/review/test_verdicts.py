"""Verdicts: what is said stays said, by several reviewers at once and through a kill."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from dashboard.detector import Change, Decision, StoreError, Subject, Verdict, Verdicts

ROOT = Path(__file__).resolve().parents[3]
SUBJECT = Subject("scene", "model")
HERE, THERE = (10.0, 20.0), (30.5, 40.0)
HARDWARE, NATURAL = Change(Verdict.HARDWARE), Change(Verdict.NATURAL)
# A reviewer in a process of its own: says its name of place after place and prints what is done.
REVIEWER = """
import sys
from pathlib import Path
from dashboard.detector import Change, Subject, Verdict, Verdicts
name, first, last = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
verdicts = Verdicts(Path(sys.argv[1]))
for number in range(first, last):
    verdicts.decide(Subject("s", "m"), [((number, 0.0), Change(Verdict.NATURAL, name))], name)
    print(number, flush=True)
"""


@pytest.fixture
def verdicts(tmp_path: Path) -> Verdicts:
    return Verdicts(tmp_path / "home")


def said(verdicts: Verdicts) -> dict[tuple[float, float], Verdict]:
    return {place: one.verdict for place, one in verdicts.current(SUBJECT).items()}


def test_a_verdict_is_there_after_a_restart(verdicts: Verdicts, tmp_path: Path) -> None:
    assert verdicts.current(SUBJECT) == {}
    verdicts.decide(SUBJECT, [(HERE, Change(Verdict.HARDWARE, "bright", "lander"))], "ann")
    found = Verdicts(tmp_path / "home").current(SUBJECT)[HERE]
    assert found.said == (Verdict.HARDWARE, "bright", "lander")
    assert found.reviewer == "ann"
    assert found.made.endswith("+00:00")


def test_verdicts_of_another_scene_or_model_are_not_mixed_in(verdicts: Verdicts) -> None:
    verdicts.decide(SUBJECT, [(HERE, HARDWARE)], "ann")
    for other in (Subject("scene", "other"), Subject("other", "model")):
        assert verdicts.current(other) == {}
        assert verdicts.history(other) == []
        assert verdicts.undo(other, "ann") == []


def test_a_change_leaves_what_it_does_not_name(verdicts: Verdicts) -> None:
    verdicts.decide(SUBJECT, [(HERE, HARDWARE)], "ann")
    verdicts.decide(SUBJECT, [(HERE, Change(note="see the shadow"))], "bob")
    verdicts.decide(SUBJECT, [(HERE, Change(name="shield"))], "ann")
    found = verdicts.current(SUBJECT)[HERE]
    assert found.said == (Verdict.HARDWARE, "see the shadow", "shield")
    assert len(verdicts.history(SUBJECT, HERE)) == 3


def test_saying_it_twice_is_saying_it_once(verdicts: Verdicts) -> None:
    assert verdicts.decide(SUBJECT, [(HERE, HARDWARE), (THERE, NATURAL)], "ann") == [HERE, THERE]
    assert verdicts.decide(SUBJECT, [(HERE, HARDWARE), (THERE, HARDWARE)], "ann") == [THERE]
    assert verdicts.decide(SUBJECT, [(HERE, HARDWARE)], "bob") == []
    assert len(verdicts.history(SUBJECT)) == 3


def test_undo_goes_back_action_by_action(verdicts: Verdicts) -> None:
    verdicts.decide(SUBJECT, [(HERE, HARDWARE)], "ann")
    verdicts.decide(SUBJECT, [(HERE, NATURAL), (THERE, NATURAL)], "ann")
    assert verdicts.undo(SUBJECT, "ann") == [HERE, THERE]
    assert said(verdicts) == {HERE: Verdict.HARDWARE}
    assert verdicts.undo(SUBJECT, "ann") == [HERE]
    assert said(verdicts) == {}
    assert verdicts.undo(SUBJECT, "ann") == []
    history = verdicts.history(SUBJECT, HERE)
    assert [(one.verdict, one.undone) for one in history] == [  # nothing is forgotten
        (Verdict.HARDWARE, True),
        (Verdict.NATURAL, True),
    ]


def test_undo_takes_back_nothing_of_another_reviewer(verdicts: Verdicts) -> None:
    verdicts.decide(SUBJECT, [(HERE, HARDWARE), (THERE, HARDWARE)], "ann")
    verdicts.decide(SUBJECT, [(THERE, NATURAL)], "bob")
    assert verdicts.undo(SUBJECT, "ann") == [HERE, THERE]
    assert said(verdicts) == {THERE: Verdict.NATURAL}
    assert verdicts.undo(SUBJECT, "ann") == []
    assert verdicts.undo(SUBJECT, "bob") == [THERE]
    assert said(verdicts) == {}


@given(
    some.lists(
        some.tuples(
            some.sampled_from([HERE, THERE]),
            some.sampled_from(list(Verdict)),
            some.sampled_from(["", "a note"]),
        ),
        max_size=12,
    )
)
def test_undoing_everything_leads_back_to_the_beginning(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[tuple[float, float], Verdict, str]]
) -> None:
    verdicts = Verdicts(tmp_path_factory.mktemp("home"))
    seen: list[dict[tuple[float, float], Decision]] = []
    for place, verdict, note in steps:
        before = verdicts.current(SUBJECT)
        if verdicts.decide(SUBJECT, [(place, Change(verdict, note))], "ann"):
            seen.append(before)
    while seen:
        verdicts.undo(SUBJECT, "ann")
        assert verdicts.current(SUBJECT) == seen.pop()
    assert verdicts.undo(SUBJECT, "ann") == []


def test_history_cannot_be_rewritten(verdicts: Verdicts) -> None:
    verdicts.decide(SUBJECT, [(HERE, HARDWARE)], "ann")
    with sqlite3.connect(verdicts.path) as base:
        for statement in (
            "UPDATE decisions SET verdict = 'natural'",
            "DELETE FROM decisions",
            "UPDATE actions SET reviewer = 'bob'",
            "DELETE FROM actions",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="only added to"):
                base.execute(statement)
    base.close()


@pytest.fixture
def reviewer(tmp_path: Path) -> Callable[[str, int, int], subprocess.Popen[str]]:
    def start(name: str, first: int, last: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", REVIEWER, str(tmp_path), name, str(first), str(last)]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    return start


def test_two_reviewers_at_once_lose_and_double_nothing(
    reviewer: Callable[[str, int, int], subprocess.Popen[str]], tmp_path: Path
) -> None:
    # The same hundred places, from the first moment on, when there is no file yet.
    both = [reviewer("ann", 0, 100), reviewer("bob", 0, 100)]
    for process in both:
        printed, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        assert len(printed.split()) == 100
    history = Verdicts(tmp_path).history(Subject("s", "m"))
    for name in ("ann", "bob"):
        assert [one.place[0] for one in history if one.reviewer == name] == list(range(100))
    assert len(Verdicts(tmp_path).current(Subject("s", "m"))) == 100


def test_many_who_begin_at_the_same_moment_wait_for_each_other(tmp_path: Path) -> None:
    for attempt in range(60):  # SQLite by itself refuses somebody in one home of thirty
        verdicts, together = Verdicts(tmp_path / str(attempt)), threading.Barrier(8)

        def begin(
            number: int, verdicts: Verdicts = verdicts, together: threading.Barrier = together
        ) -> None:
            together.wait(20)
            verdicts.decide(SUBJECT, [((float(number), 0.0), HARDWARE)], str(number))

        with ThreadPoolExecutor(8) as reviewers:
            list(reviewers.map(begin, range(8)))
        assert len(verdicts.current(SUBJECT)) == 8


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_a_reviewer_killed_mid_verdict_loses_and_doubles_nothing(
    reviewer: Callable[[str, int, int], subprocess.Popen[str]], tmp_path: Path
) -> None:
    killed, other = reviewer("ann", 0, 100_000), reviewer("bob", 200_000, 200_200)
    assert killed.stdout is not None
    for _ in range(40):
        assert killed.stdout.readline(), "the reviewer ended before it was killed"
    time.sleep(0.0137)
    os.kill(killed.pid, signal.SIGKILL)
    printed = [39, *(int(line) for line in killed.stdout.read().split())]
    assert other.communicate(timeout=120)[0].split()[-1] == "200199"
    killed.stdout.close()
    killed.wait(20)

    subject, verdicts = Subject("s", "m"), Verdicts(tmp_path)
    mine = [one.place[0] for one in verdicts.history(subject) if one.reviewer == "ann"]
    assert mine == list(range(len(mine)))  # each once, in order, none left out
    # What was reported as done is there; at most the one that was under way may be there as well.
    assert len(mine) - (printed[-1] + 1) in (0, 1)
    assert verdicts.decide(subject, [((0.0, 0.0), Change(Verdict.NATURAL, "ann"))], "ann") == []
    assert verdicts.undo(subject, "ann") == [(float(mine[-1]), 0.0)]
    with sqlite3.connect(verdicts.path) as base:
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert base.execute("SELECT COUNT(*) FROM decisions").fetchone()[0] == len(mine) + 200
        # No action stands without its decision; the undoing has none.
        assert base.execute("SELECT COUNT(*) FROM actions").fetchone()[0] == len(mine) + 201
    base.close()


def test_a_file_that_is_no_base_is_said_in_one_line(verdicts: Verdicts) -> None:
    verdicts.path.parent.mkdir()
    verdicts.path.write_text("This is no base. " * 100)
    with pytest.raises(StoreError, match="move the file away"):
        verdicts.current(SUBJECT)


def test_tables_of_a_later_version_are_left_alone(verdicts: Verdicts) -> None:
    verdicts.decide(SUBJECT, [(HERE, HARDWARE)], "ann")
    with sqlite3.connect(verdicts.path) as base:
        base.execute("PRAGMA user_version = 99")
    base.close()
    with pytest.raises(StoreError, match="version 99"):
        verdicts.current(SUBJECT)
