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

from dashboard.detector import (
    By,
    Change,
    Decision,
    StoreError,
    Subject,
    Verdict,
    Verdicts,
    on_places,
)

ROOT = Path(__file__).resolve().parents[3]
SUBJECT = Subject("scene", "model")
HERE, THERE = (10.0, 20.0), (30.5, 40.0)
HARDWARE, NATURAL = Change(Verdict.HARDWARE), Change(Verdict.NATURAL)
ANN, BOB = By("ann", "anns-window"), By("bob", "bobs-window")
# A reviewer in a process of its own: says its name of place after place and prints what is done.
REVIEWER = """
import sys
from pathlib import Path
from dashboard.detector import By, Change, Subject, Verdict, Verdicts
name, first, last = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
verdicts = Verdicts(Path(sys.argv[1]))
for number in range(first, last):
    by = By(name, name)
    verdicts.decide(Subject("s", "m"), [((number, 0.0), Change(Verdict.NATURAL, name))], by)
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


def test_a_verdict_is_about_the_scene_whichever_model_pointed_there(verdicts: Verdicts) -> None:
    verdicts.decide(SUBJECT, [(HERE, HARDWARE)], ANN)
    assert said(verdicts) == {HERE: Verdict.HARDWARE}
    assert verdicts.current(Subject("scene", "other")) == verdicts.current(SUBJECT)
    assert verdicts.current(Subject("other", "model")) == {}
    assert verdicts.undo(Subject("other", "model"), ANN) == []


def test_another_models_place_near_enough_is_the_same(verdicts: Verdicts) -> None:
    x, y = HERE
    verdicts.decide(SUBJECT, [(HERE, HARDWARE)], ANN)
    verdicts.decide(SUBJECT, [((x + 4, y), Change(Verdict.NATURAL, "a rock"))], BOB)
    near, beside, far = (x + 8, y + 6), (x + 8, y + 14), (x + 60, y)
    found = on_places(verdicts.current(SUBJECT), [far, beside, near])
    assert list(found) == [near]
    assert found[near].said == (Verdict.NATURAL, "a rock", "")
    assert found[near].dispute == "ann: hardware; bob: natural"
    assert on_places(verdicts.current(SUBJECT), [far]) == {}


def test_a_change_leaves_what_it_does_not_name(verdicts: Verdicts) -> None:
    verdicts.decide(SUBJECT, [(HERE, HARDWARE)], "ann")
    verdicts.decide(SUBJECT, [(HERE, Change(note="see the shadow"))], "bob")
    verdicts.decide(SUBJECT, [(HERE, Change(name="shield"))], "ann")
    found = verdicts.current(SUBJECT)[HERE]
    assert found.said == (Verdict.HARDWARE, "see the shadow", "shield")
    assert len(verdicts.history(SUBJECT, HERE)) == 3


def test_saying_it_twice_is_saying_it_once(verdicts: Verdicts) -> None:
    assert verdicts.decide(SUBJECT, [(HERE, HARDWARE), (THERE, NATURAL)], ANN) == [HERE, THERE]
    assert verdicts.decide(SUBJECT, [(HERE, HARDWARE), (THERE, HARDWARE)], ANN) == [THERE]
    assert len(verdicts.history(SUBJECT)) == 3


def test_an_action_under_a_ticket_is_done_once(verdicts: Verdicts) -> None:
    first, second = By("ann", "window", "ticket-1"), By("ann", "window", "ticket-2")
    verdicts.decide(SUBJECT, [(HERE, HARDWARE)], first)
    verdicts.decide(SUBJECT, [(HERE, NATURAL)], second)
    verdicts.decide(SUBJECT, [(HERE, HARDWARE)], first)  # sent again, for its answer was lost
    assert said(verdicts) == {HERE: Verdict.NATURAL}
    undoing = By("ann", "window", "ticket-3")
    assert verdicts.undo(SUBJECT, undoing, "ticket-2") == [HERE]
    assert verdicts.undo(SUBJECT, undoing, "ticket-2") == []
    assert said(verdicts) == {HERE: Verdict.HARDWARE}
    assert verdicts.undo(SUBJECT, By("ann", "other", "ticket-4"), "ticket-1") == []


def test_two_who_agree_and_one_who_clears_leave_the_others_verdict(verdicts: Verdicts) -> None:
    verdicts.decide(SUBJECT, [(HERE, HARDWARE)], ANN)
    verdicts.decide(SUBJECT, [(HERE, HARDWARE)], BOB)
    found = verdicts.current(SUBJECT)[HERE]
    assert [one.reviewer for one in found.opinions] == ["ann", "bob"]
    assert not found.disputed
    verdicts.decide(SUBJECT, [(HERE, Change(Verdict.UNREVIEWED))], BOB)
    found = verdicts.current(SUBJECT)[HERE]
    assert (found.verdict, found.reviewer) == (Verdict.HARDWARE, "ann")


def test_two_who_disagree_are_both_kept(verdicts: Verdicts) -> None:
    verdicts.decide(SUBJECT, [(HERE, HARDWARE)], ANN)
    verdicts.decide(SUBJECT, [(HERE, Change(Verdict.UNSURE))], "cy")
    assert not verdicts.current(SUBJECT)[HERE].disputed
    verdicts.decide(SUBJECT, [(HERE, NATURAL)], BOB)
    found = verdicts.current(SUBJECT)[HERE]
    assert found.dispute == "ann: hardware; cy: unsure; bob: natural"
    assert found.verdict is Verdict.NATURAL
    verdicts.decide(SUBJECT, [(HERE, NATURAL)], ANN)
    assert not verdicts.current(SUBJECT)[HERE].disputed


def test_undo_goes_back_action_by_action(verdicts: Verdicts) -> None:
    verdicts.decide(SUBJECT, [(HERE, HARDWARE)], ANN)
    verdicts.decide(SUBJECT, [(HERE, NATURAL), (THERE, NATURAL)], ANN)
    assert verdicts.undo(SUBJECT, ANN) == [HERE, THERE]
    assert said(verdicts) == {HERE: Verdict.HARDWARE}
    assert verdicts.undo(SUBJECT, ANN) == [HERE]
    assert said(verdicts) == {}
    assert verdicts.undo(SUBJECT, ANN) == []
    history = verdicts.history(SUBJECT, HERE)
    assert [(one.change.verdict, one.undone) for one in history] == [  # nothing is forgotten
        (Verdict.HARDWARE, True),
        (Verdict.NATURAL, True),
    ]


def test_undo_takes_back_nothing_of_another_window_whatever_the_name(verdicts: Verdicts) -> None:
    yesterday = By("ann", "a window of yesterday")
    verdicts.decide(SUBJECT, [(HERE, HARDWARE), (THERE, HARDWARE)], yesterday)
    assert verdicts.undo(SUBJECT, ANN) == []
    verdicts.decide(SUBJECT, [(THERE, NATURAL)], BOB)
    assert verdicts.undo(SUBJECT, yesterday) == [HERE, THERE]
    assert said(verdicts) == {THERE: Verdict.NATURAL}
    assert verdicts.undo(SUBJECT, BOB) == [THERE]
    assert said(verdicts) == {}


def test_undoing_a_note_leaves_a_verdict_given_since_and_not_the_note(verdicts: Verdicts) -> None:
    verdicts.decide(SUBJECT, [(HERE, Change(note="a shadow"))], ANN)
    verdicts.decide(SUBJECT, [(HERE, NATURAL)], BOB)
    verdicts.undo(SUBJECT, ANN)
    assert verdicts.current(SUBJECT)[HERE].said == (Verdict.NATURAL, "", "")


def test_news_are_the_places_that_changed_since_a_revision(verdicts: Verdicts) -> None:
    assert verdicts.since(SUBJECT, 0) == (0, {})
    verdicts.decide(SUBJECT, [(HERE, HARDWARE)], ANN)
    first, changed = verdicts.since(SUBJECT, 0)
    assert list(changed) == [HERE]
    verdicts.decide(SUBJECT, [(THERE, NATURAL)], BOB)
    second, changed = verdicts.since(SUBJECT, first)
    assert {place: one.verdict for place, one in changed.items()} == {THERE: Verdict.NATURAL}
    assert verdicts.since(SUBJECT, second) == (second, {})
    verdicts.undo(SUBJECT, ANN)
    assert verdicts.since(SUBJECT, second)[1] == {HERE: Decision(HERE)}


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
        if verdicts.decide(SUBJECT, [(place, Change(verdict, note))], ANN):
            seen.append(before)
    while seen:
        verdicts.undo(SUBJECT, ANN)
        assert verdicts.current(SUBJECT) == seen.pop()
    assert verdicts.undo(SUBJECT, ANN) == []


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
    assert verdicts.undo(subject, By("ann", "ann")) == [(float(mine[-1]), 0.0)]
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


VERSION_1 = """
CREATE TABLE actions (id INTEGER PRIMARY KEY AUTOINCREMENT, scene TEXT NOT NULL,
  model TEXT NOT NULL,
  reviewer TEXT NOT NULL, made TEXT NOT NULL, undoes INTEGER UNIQUE REFERENCES actions (id));
CREATE TABLE decisions (action INTEGER NOT NULL REFERENCES actions (id), scene TEXT NOT NULL,
  model TEXT NOT NULL, x REAL NOT NULL, y REAL NOT NULL, verdict TEXT NOT NULL, note TEXT NOT NULL,
  name TEXT NOT NULL, PRIMARY KEY (scene, model, x, y, action)) WITHOUT ROWID;
CREATE INDEX decisions_of_an_action ON decisions (action);
CREATE INDEX actions_of_a_reviewer ON actions (scene, model, reviewer, id);
CREATE TRIGGER no_action_changes BEFORE UPDATE ON actions BEGIN SELECT RAISE(ABORT, 'no'); END;
CREATE TRIGGER no_action_goes BEFORE DELETE ON actions BEGIN SELECT RAISE(ABORT, 'no'); END;
CREATE TRIGGER no_decision_changes BEFORE UPDATE ON decisions BEGIN SELECT RAISE(ABORT, 'no'); END;
CREATE TRIGGER no_decision_goes BEFORE DELETE ON decisions BEGIN SELECT RAISE(ABORT, 'no'); END;
PRAGMA user_version = 1;
INSERT INTO actions VALUES (1, 'scene', 'model', 'ann', '2026-01-01T00:00:00+00:00', NULL),
  (2, 'scene', 'model', 'bob', '2026-01-02T00:00:00+00:00', NULL),
  (3, 'scene', 'model', 'ann', '2026-01-03T00:00:00+00:00', NULL),
  (4, 'scene', 'model', 'ann', '2026-01-04T00:00:00+00:00', 3);
INSERT INTO decisions VALUES (1, 'scene', 'model', 10.0, 20.0, 'hardware', '', ''),
  (2, 'scene', 'model', 10.0, 20.0, 'hardware', 'its shadow', ''),
  (3, 'scene', 'model', 10.0, 20.0, 'natural', 'its shadow', '');
"""


def test_verdicts_of_an_earlier_needle_are_kept(verdicts: Verdicts) -> None:
    verdicts.path.parent.mkdir()
    with sqlite3.connect(verdicts.path) as base:
        base.executescript(VERSION_1)
    base.close()
    found = verdicts.current(SUBJECT)[HERE]
    assert found.said == (Verdict.HARDWARE, "its shadow", "")
    assert [one.reviewer for one in found.opinions] == ["ann"]  # bob wrote a note alone
    assert [one.undone for one in verdicts.history(SUBJECT)] == [False, False, True]
    verdicts.decide(SUBJECT, [(HERE, NATURAL)], BOB)
    assert verdicts.current(SUBJECT)[HERE].disputed
    with sqlite3.connect(verdicts.path) as base, pytest.raises(sqlite3.IntegrityError):
        base.execute("DELETE FROM decisions")
    base.close()
