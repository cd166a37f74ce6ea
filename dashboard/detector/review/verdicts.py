"""What reviewers decided about places, in one SQLite file that several of them write at once.

Nothing is ever changed or removed: an action adds what each of its places is from then on, and
undoing one adds that it no longer counts. What a place is now is the last that counts.
"""

from __future__ import annotations

import datetime
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from dashboard.detector.errors import StoreError
from dashboard.detector.system.home import needle_home

FILE = "verdicts.sqlite"
VERSION = 1  # of the tables
WAIT_SECONDS = 20.0  # for another reviewer's write, which takes milliseconds
RETRY_SECONDS = 0.01
APPEND_ONLY = "decisions are only added to"

SCHEMA = f"""
CREATE TABLE actions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  scene TEXT NOT NULL, model TEXT NOT NULL,
  reviewer TEXT NOT NULL, made TEXT NOT NULL,
  undoes INTEGER UNIQUE REFERENCES actions (id)
);
CREATE TABLE decisions (
  action INTEGER NOT NULL REFERENCES actions (id),
  scene TEXT NOT NULL, model TEXT NOT NULL, x REAL NOT NULL, y REAL NOT NULL,
  verdict TEXT NOT NULL, note TEXT NOT NULL, name TEXT NOT NULL,
  PRIMARY KEY (scene, model, x, y, action)
) WITHOUT ROWID;
CREATE INDEX decisions_of_an_action ON decisions (action);
CREATE INDEX actions_of_a_reviewer ON actions (scene, model, reviewer, id);
CREATE TRIGGER no_action_changes BEFORE UPDATE ON actions
  BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END;
CREATE TRIGGER no_action_goes BEFORE DELETE ON actions
  BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END;
CREATE TRIGGER no_decision_changes BEFORE UPDATE ON decisions
  BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END;
CREATE TRIGGER no_decision_goes BEFORE DELETE ON decisions
  BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END;
"""
READ = """
SELECT x, y, verdict, note, name, a.reviewer, a.made, action, undone.id IS NOT NULL AS undone
FROM decisions AS d JOIN actions AS a ON a.id = d.action
LEFT JOIN actions AS undone ON undone.undoes = a.id
WHERE d.scene = :scene AND d.model = :model {where} ORDER BY action, x, y
"""
# What this reviewer did last and has neither undone nor done by undoing.
LAST = """
SELECT id FROM actions AS a WHERE scene = :scene AND model = :model AND reviewer = :reviewer
  AND undoes IS NULL AND NOT EXISTS (SELECT 1 FROM actions WHERE undoes = a.id)
ORDER BY id DESC LIMIT 1
"""

Place = tuple[float, float]  # a detection's x, y in px of the scene


class Verdict(StrEnum):
    """What a place is, in a reviewer's eyes."""

    UNREVIEWED = ""
    HARDWARE = "hardware"
    NATURAL = "natural"
    ARTEFACT = "artefact"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Subject:
    """What verdicts are about: the pixels of a scene, and the network that pointed at them."""

    scene: str  # sha256 of the source file
    model: str  # sha256 of the .onnx file


@dataclass(frozen=True, slots=True)
class Change:
    """What a reviewer says of places; None leaves a part as it is."""

    verdict: Verdict | None = None
    note: str | None = None
    name: str | None = None  # what the reviewer calls the place


@dataclass(frozen=True, slots=True)
class Decision:
    """All that is decided about one place."""

    place: Place
    verdict: Verdict = Verdict.UNREVIEWED
    note: str = ""
    name: str = ""
    reviewer: str = ""
    made: str = ""  # ISO 8601, UTC
    action: int = 0  # its number; 0 where nothing was decided yet
    undone: bool = False

    def changed(self, change: Change) -> Decision:
        """The decision as it is after a change."""
        return replace(
            self,
            verdict=self.verdict if change.verdict is None else change.verdict,
            note=self.note if change.note is None else change.note,
            name=self.name if change.name is None else change.name,
        )

    @property
    def said(self) -> tuple[Verdict, str, str]:
        """What was decided, whoever did."""
        return self.verdict, self.note, self.name


class Verdicts:
    """The verdicts of one Needle home; safe to use from any number of threads and processes."""

    def __init__(self, home: Path | None = None) -> None:
        self.path = (home or needle_home()) / FILE

    def current(self, subject: Subject) -> dict[Place, Decision]:
        """What is decided now, by place; places of which nothing is said are left out.

        Raises:
            StoreError: the file cannot be read.
        """
        with self._open() as base:
            return {one.place: one for one in _read(base, subject) if not one.undone}

    def history(self, subject: Subject, place: Place | None = None) -> list[Decision]:
        """Everything that was ever decided, oldest first; of one place where it is given."""
        with self._open() as base:
            return list(_read(base, subject, place))

    def decide(
        self, subject: Subject, changes: Iterable[tuple[Place, Change]], reviewer: str
    ) -> list[Place]:
        """Writes changes as one action; gives the places where something is different now.

        The action is on disk, whole, when this returns, or not at all. What changes nothing is not
        written, so that saying something twice is saying it once.

        Raises:
            StoreError: the file cannot be written.
        """
        with self._open() as base, _write(base):
            fresh: dict[Place, Decision] = {}
            for place, change in changes:
                before = fresh.get(place) or _now(base, subject, place)
                after = before.changed(change)
                if after.said != before.said:
                    fresh[place] = after
            _add(base, subject, list(fresh.values()), reviewer)
        return list(fresh)

    def undo(self, subject: Subject, reviewer: str) -> list[Place]:
        """Takes a reviewer's last action back; gives its places, none where nothing is left.

        What another reviewer has said of one of them since, goes on to count.
        """
        with self._open() as base, _write(base):
            who = {"scene": subject.scene, "model": subject.model, "reviewer": reviewer}
            last = base.execute(LAST, who).fetchone()
            if last is None:
                return []
            where = "SELECT x, y FROM decisions WHERE action = ? ORDER BY x, y"
            places = [(x, y) for x, y in base.execute(where, last)]
            _add(base, subject, [], reviewer, undoes=last[0])
        return places

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Autocommit: transactions begin and end where _write says so.
            base = sqlite3.connect(self.path, timeout=WAIT_SECONDS, isolation_level=None)
            with closing(base):
                _prepare(base)
                yield base
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"{self.path}: verdicts cannot be read or written ({error}); make room, or move "
                "the file away to begin anew"
            ) from error


def _prepare(base: sqlite3.Connection) -> None:
    """Makes the tables where there are none yet."""
    _log_ahead(base)
    base.execute("PRAGMA synchronous = FULL")  # each commit is on disk before it returns
    if _version(base) == VERSION:
        return
    with _write(base):
        found = _version(base)
        if found not in (0, VERSION):
            raise sqlite3.DatabaseError(f"tables of version {found}, needed are {VERSION}")
        if found == 0:
            for statement in _statements(SCHEMA):
                base.execute(statement)
            base.execute(f"PRAGMA user_version = {VERSION}")


def _log_ahead(base: sqlite3.Connection) -> None:
    """Has writes go to a log of their own first, so that readers never wait.

    Here alone SQLite waits for nobody: who finds another at it is refused at once and tries again.
    """
    until = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            base.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY  # the rest says of what
            if not busy or time.monotonic() > until:
                raise
            time.sleep(RETRY_SECONDS)
        else:
            return


def _version(base: sqlite3.Connection) -> int:
    return int(base.execute("PRAGMA user_version").fetchone()[0])


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: executescript would end the transaction."""
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def _write(base: sqlite3.Connection) -> Iterator[None]:
    """A transaction that holds the file's one right to write from its beginning."""
    base.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        base.execute("ROLLBACK")
        raise
    base.execute("COMMIT")


def _read(
    base: sqlite3.Connection, subject: Subject, place: Place | None = None
) -> Iterator[Decision]:
    """The decisions about a subject, or one of its places, oldest first."""
    query = READ.format(where="AND x = :x AND y = :y" if place else "")
    x, y = place or (None, None)
    named = {"scene": subject.scene, "model": subject.model, "x": x, "y": y}
    for row in base.execute(query, named):
        found_x, found_y, verdict, note, name, reviewer, made, action, undone = row
        about = (note, name, reviewer, made, action, bool(undone))
        yield Decision((found_x, found_y), Verdict(verdict), *about)


def _now(base: sqlite3.Connection, subject: Subject, place: Place) -> Decision:
    counting = [one for one in _read(base, subject, place) if not one.undone]
    return counting[-1] if counting else Decision(place)


def _add(
    base: sqlite3.Connection,
    subject: Subject,
    decisions: Sequence[Decision],
    reviewer: str,
    undoes: int | None = None,
) -> None:
    if not decisions and undoes is None:
        return
    made = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    about = (subject.scene, subject.model)
    action = base.execute(
        "INSERT INTO actions (scene, model, reviewer, made, undoes) VALUES (?, ?, ?, ?, ?)",
        (*about, reviewer, made, undoes),
    ).lastrowid
    base.executemany(
        "INSERT INTO decisions (action, scene, model, x, y, verdict, note, name) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(action, *about, *one.place, *one.said) for one in decisions],
    )
