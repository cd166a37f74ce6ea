"""Verdicts of reviewers on places, in one SQLite file that several of them write at once.

Nothing is ever changed or removed: an action adds what its reviewer says of each of its places, and
undoing one adds that it no longer counts. A verdict is its reviewer's own and belongs to a place of
a scene, whichever model pointed at it.
"""

from __future__ import annotations

import datetime
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dashboard.detector.review import verdict_base
from dashboard.detector.review.decisions import (
    Change,
    Decision,
    Entry,
    Place,
    Subject,
    Verdict,
    decisions_of,
)
from dashboard.detector.system.home import needle_home

FILE = "verdicts.sqlite"

READ = """
SELECT x, y, verdict, note, name, a.reviewer, a.made, action, undone.id IS NOT NULL AS undone
FROM decisions AS d JOIN actions AS a ON a.id = d.action
LEFT JOIN actions AS undone ON undone.undoes = a.id
WHERE d.scene = :scene {where} ORDER BY action, x, y
"""
# The places about which an action since then says something, or takes something back.
CHANGED = """
AND (x, y) IN (
  SELECT x, y FROM decisions AS c JOIN actions AS b ON c.action IN (b.id, b.undoes)
  WHERE b.id > :since AND b.scene = :scene
)
"""
# What was done last, or under a ticket, in a session, and was neither undone nor done by undoing.
LAST = """
SELECT id FROM actions AS a WHERE scene = :scene AND session = :session
  AND (:undone IS NULL OR ticket = :undone)
  AND undoes IS NULL AND NOT EXISTS (SELECT 1 FROM actions WHERE undoes = a.id)
  AND EXISTS (SELECT 1 FROM decisions WHERE action = a.id)
ORDER BY id DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class By:
    """Who acts: a reviewer by name, in a session of a browser, which alone can undo it.

    An action under a ticket is done once, however often it is asked for.
    """

    reviewer: str
    session: str = ""
    ticket: str | None = None


class Verdicts:
    """The verdicts of one Needle home; safe to use from any number of threads and processes."""

    def __init__(self, home: Path | None = None) -> None:
        self.path = (home or needle_home()) / FILE

    def current(self, subject: Subject) -> dict[Place, Decision]:
        """The decisions that hold now about places of a scene, where there are any.

        Raises:
            StoreError: the file cannot be read.
        """
        return decisions_of(self.history(subject))

    def history(self, subject: Subject, place: Place | None = None) -> list[Entry]:
        """Everything that was ever said, oldest first; of one place where it is given."""
        with verdict_base.connection(self.path) as base:
            return list(_read(base, subject, place))

    def since(self, subject: Subject, revision: int) -> tuple[int, dict[Place, Decision]]:
        """The revision of a scene's verdicts, and the places that are not as they were at another.

        A place about which nothing holds any more is given without a verdict and words.
        """
        with verdict_base.connection(self.path) as base:
            newest = base.execute("SELECT max(id) FROM actions WHERE scene = ?", (subject.scene,))
            known = int(newest.fetchone()[0] or 0)
            if known <= revision:
                return known, {}
            named = {"scene": subject.scene, "since": revision}
            entries = list(_entries(base, READ.format(where=CHANGED), named))
        blank = {entry.place: Decision(entry.place) for entry in entries}
        return known, blank | decisions_of(entries)

    def decide(
        self, subject: Subject, changes: Iterable[tuple[Place, Change]], by: By | str
    ) -> list[Place]:
        """Writes changes as one action; gives the places where something is different now.

        The action is on disk, whole, when this returns, or not at all. What changes nothing is not
        written, so that saying something twice is saying it once.

        Raises:
            StoreError: the file cannot be written.
        """
        by = By(by) if isinstance(by, str) else by
        with verdict_base.connection(self.path) as base, verdict_base.writing(base):
            if _already_done(base, by):
                return []
            fresh: dict[Place, Change] = {}
            for place, change in dict(changes).items():
                now = decisions_of(_read(base, subject, place)).get(place, Decision(place))
                new = change.without(now.note, now.name, now.verdict_of(by.reviewer))
                if new != Change():
                    fresh[place] = new
            _add(base, subject, fresh, by)
        return list(fresh)

    def undo(self, subject: Subject, by: By, undone: str | None = None) -> list[Place]:
        """Takes back what a session did last, or under a ticket; gives its places.

        What anybody has said of one of them since goes on to count. None where nothing is left.
        """
        with verdict_base.connection(self.path) as base, verdict_base.writing(base):
            if _already_done(base, by):
                return []
            asked = {"scene": subject.scene, "session": by.session, "undone": undone}
            last = base.execute(LAST, asked).fetchone()
            if last is None:
                return []
            where = "SELECT x, y FROM decisions WHERE action = ? ORDER BY x, y"
            places = [(x, y) for x, y in base.execute(where, last)]
            _add(base, subject, {}, by, undoes=last[0])
        return places


def _already_done(base: sqlite3.Connection, by: By) -> bool:
    """True where the action under this ticket was done before."""
    if by.ticket is None:
        return False
    known = base.execute("SELECT 1 FROM actions WHERE ticket = ?", (by.ticket,))
    return known.fetchone() is not None


def _read(
    base: sqlite3.Connection, subject: Subject, place: Place | None = None
) -> Iterator[Entry]:
    """The entries about a scene, or about one of its places, oldest first."""
    query = READ.format(where="AND x = :x AND y = :y" if place else "")
    x, y = place or (None, None)
    return _entries(base, query, {"scene": subject.scene, "x": x, "y": y})


def _entries(base: sqlite3.Connection, query: str, named: Mapping[str, object]) -> Iterator[Entry]:
    for x, y, verdict, note, name, reviewer, made, action, undone in base.execute(query, named):
        change = Change(None if verdict is None else Verdict(verdict), note, name)
        yield Entry((x, y), change, reviewer, made, action, bool(undone))


def _add(
    base: sqlite3.Connection,
    subject: Subject,
    changes: Mapping[Place, Change],
    by: By,
    undoes: int | None = None,
) -> None:
    if not changes and undoes is None and by.ticket is None:
        return
    made = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    about = (subject.scene, subject.model)
    action = base.execute(
        "INSERT INTO actions (scene, model, reviewer, made, undoes, session, ticket) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*about, by.reviewer, made, undoes, by.session, by.ticket),
    ).lastrowid
    base.executemany(
        "INSERT INTO decisions (action, scene, model, x, y, verdict, note, name) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (action, *about, *place, change.verdict, change.note, change.name)
            for place, change in changes.items()
        ],
    )
