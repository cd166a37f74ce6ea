"""The SQLite file of verdicts: its tables, made and brought up to date, and only added to."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from dashboard.detector.errors import StoreError

VERSION = 2  # of the tables
WAIT_SECONDS = 20.0  # for another reviewer's write, which takes milliseconds
RETRY_SECONDS = 0.01
APPEND_ONLY = "decisions are only added to"

DECISIONS = """
CREATE TABLE decisions (
  action INTEGER NOT NULL REFERENCES actions (id),
  scene TEXT NOT NULL, model TEXT NOT NULL, x REAL NOT NULL, y REAL NOT NULL,
  verdict TEXT, note TEXT, name TEXT,
  PRIMARY KEY (scene, x, y, action)
) WITHOUT ROWID;
CREATE INDEX decisions_of_an_action ON decisions (action);
"""
ACTIONS = """
CREATE TABLE actions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  scene TEXT NOT NULL, model TEXT NOT NULL,
  reviewer TEXT NOT NULL, made TEXT NOT NULL,
  undoes INTEGER UNIQUE REFERENCES actions (id),
  session TEXT NOT NULL DEFAULT '', ticket TEXT
);
"""
INDEXES = """
CREATE INDEX actions_of_a_session ON actions (scene, session, id);
CREATE UNIQUE INDEX an_action_is_taken_once ON actions (ticket);
"""
GUARDS = f"""
CREATE TRIGGER no_action_changes BEFORE UPDATE ON actions
  BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END;
CREATE TRIGGER no_action_goes BEFORE DELETE ON actions
  BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END;
CREATE TRIGGER no_decision_changes BEFORE UPDATE ON decisions
  BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END;
CREATE TRIGGER no_decision_goes BEFORE DELETE ON decisions
  BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END;
"""
# Version 1 kept with each decision all that held of its place; version 2 keeps what was said.
FROM_VERSION_1 = f"""
DROP TRIGGER no_action_changes; DROP TRIGGER no_action_goes;
DROP TRIGGER no_decision_changes; DROP TRIGGER no_decision_goes;
DROP INDEX decisions_of_an_action; DROP INDEX actions_of_a_reviewer;
ALTER TABLE decisions RENAME TO before;
ALTER TABLE actions ADD COLUMN session TEXT NOT NULL DEFAULT '';
ALTER TABLE actions ADD COLUMN ticket TEXT;
{DECISIONS}
INSERT INTO decisions
  WITH known AS (
    SELECT b.*, (SELECT 1 FROM actions WHERE undoes = b.action) IS NULL AS counts FROM before AS b
  )
  SELECT action, scene, model, x, y,
    nullif(verdict, lag(verdict, 1, '') OVER same),
    nullif(note, lag(note, 1, '') OVER same),
    nullif(name, lag(name, 1, '') OVER same)
  FROM known WINDOW same AS (PARTITION BY scene, model, x, y, counts ORDER BY action);
DROP TABLE before;
"""


@contextmanager
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to the file, made where there is none, with tables of this version.

    Raises:
        StoreError: it cannot be read or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Autocommit: transactions begin and end where `writing` says so.
        base = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)
        with closing(base):
            _prepare(base)
            yield base
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            f"{path}: verdicts cannot be read or written ({error}); make room, or move "
            "the file away to begin anew"
        ) from error


@contextmanager
def writing(base: sqlite3.Connection) -> Iterator[None]:
    """A transaction that holds the file's one right to write from its beginning."""
    base.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        base.execute("ROLLBACK")
        raise
    base.execute("COMMIT")


def _prepare(base: sqlite3.Connection) -> None:
    """Makes the tables where there are none yet, and brings older ones up to date."""
    _log_ahead(base)
    base.execute("PRAGMA synchronous = FULL")  # each commit is on disk before it returns
    if _version(base) == VERSION:
        return
    with writing(base):
        found = _version(base)
        if found not in (0, 1, VERSION):
            raise sqlite3.DatabaseError(f"tables of version {found}, needed are {VERSION}")
        if found < VERSION:
            tables = FROM_VERSION_1 if found else ACTIONS + DECISIONS
            for statement in _statements(tables + INDEXES + GUARDS):
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
    for part in script.split(";"):
        statement += part + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
