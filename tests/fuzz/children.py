"""A process for each case, forked from one that has everything loaded, with limits."""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from tests.fuzz.cases import Case

SECONDS = 60.0  # after which a case hangs; the machine may be busy
MEMORY = 3 << 29  # bytes, 1.5 GB


@dataclass(frozen=True)
class Outcome:
    """The outcome of a case."""

    what: str  # "taken", "refused", "traceback", "crash" or "hang"
    said: str = ""
    megabytes: float = 0.0  # the most that its process held

    @property
    def fault(self) -> bool:
        return self.what not in ("taken", "refused") or self.megabytes > MEMORY / 1e6


def outcome(case: Case, home: Path) -> Outcome:
    """The outcome of a case in a process of its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.fuzz.targets", "tests.fuzz.children"])
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(*case, home, theirs))
    process.start()
    theirs.close()
    try:
        told = ours.recv() if ours.poll(SECONDS) else None
    except EOFError:
        process.join()
        return Outcome("crash", f"exit status {process.exitcode}")
    finally:
        ours.close()
        process.kill()
        process.join()
        process.close()
    return told if isinstance(told, Outcome) else Outcome("hang")


def _child(kind: str, content: bytes, home: Path, answer: Connection) -> None:
    """Tries a case, and says what came of it."""
    from tests.fuzz.targets import tried

    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (2 * MEMORY, 2 * MEMORY))
    try:
        what, said = tried(kind, content, home), ""
    except BaseException:
        what, said = "traceback", traceback.format_exc()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer.send(Outcome(what, said, peak / (1e6 if sys.platform == "darwin" else 1e3)))
    answer.close()
    os._exit(0)  # what a library left half-done need not be tidied up
