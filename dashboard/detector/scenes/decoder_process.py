"""A picture decoded in a process of its own, with limits of memory and time.

Whatever a decoder does with a foreign file (crash, take all memory, never end) stays in that
process, and comes out as one line. `decoder.py` is its program and says what the two tell each
other. A process that nobody needs, or whose asker dies, ends by itself.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from dashboard.detector import errors
from dashboard.detector.errors import DamagedScene, NeedleError
from dashboard.detector.files.decoding_limits import seconds_allowed
from dashboard.detector.system.process_output import lines_of

log = logging.getLogger(__name__)
DETECTOR = Path(__file__).resolve().parents[1]
# The face of the package would load the networks' runtime, which no decoder needs: a second.
PROGRAM = """
import sys, types
sys.path.insert(0, sys.argv[1])
face = types.ModuleType("dashboard.detector")
face.__path__ = [sys.argv[2]]
sys.modules[face.__name__] = face
from dashboard.detector.scenes import decoder
decoder.main()
"""
LOG = "decoder.log"  # in the working folder: what libraries say when they die
PAUSE = 0.25  # s between two looks at whether to stop

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Order:
    """A picture to decode into a working folder."""

    source: str  # path of the picture
    work: str  # path of an existing folder
    name: str  # as the user knows the picture
    digest: str  # SHA-256 of its content
    nodata: str | None = None  # what the user says it is: a DN, or `none`


def decode(order: Order, report: Progress) -> Path:
    """The tiled copy of a picture, made by a child process in the working folder.

    Args:
        report: called every moment with the part that is done, 0 to 1; may raise to stop.

    Raises:
        SceneError: the picture cannot be decoded, whatever the decoder did.
        StoreError: there is no room, or no leave, to write.
    """
    while True:
        process = _take()
        try:
            answer = process.do(order, report)
        except BaseException:  # whoever asked has enough: the process is amid its work
            process.end()
            raise
        if answer is not None:
            break
        process.end()  # it had ended while nobody needed it; take another
    if answer.status is None:
        process.end()
    else:
        _keep(process)
    if answer.failed:
        raise answer.failed
    if answer.done is None:
        raise _died(order, answer)
    return answer.done


@dataclass
class _Answer:
    """The answer to an order: the decoded file, or why there is none."""

    done: Path | None = None
    failed: NeedleError | None = None
    seconds: float = field(default_factory=lambda: seconds_allowed(0))  # that it may take
    began: float = field(default_factory=time.monotonic)
    status: int | None = None  # of the process; None where it took too long or has gone


class _Process:
    """A process that decodes one picture after the other."""

    def __init__(self) -> None:
        command = [sys.executable, "-P", "-c", PROGRAM, str(DETECTOR.parents[1]), str(DETECTOR)]
        self.asker = os.getpid()
        self.fresh = True
        self._process = subprocess.Popen(
            command,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # a terminal's Ctrl-C is for who asked, who ends both
        )
        assert self._process.stdout
        self._lines = lines_of(self._process.stdout, PAUSE)

    def do(self, order: Order, report: Progress) -> _Answer | None:
        """The answer to an order; None where the process had ended before it was given."""
        answer, part = _Answer(), 0.0
        fresh, self.fresh = self.fresh, False
        heard = fresh
        self._give(order)
        for line in self._lines:
            if line is not None:
                heard = True
                part = max(part, _hear(line, answer))
                if answer.status is not None:
                    return answer
            report(part)
            if time.monotonic() - answer.began > answer.seconds:
                return answer
        return answer if heard else None

    def _give(self, order: Order) -> None:
        assert self._process.stdin
        with suppress(OSError):  # it has ended: its output will say so
            ours = {key: text for key, text in os.environ.items() if key.startswith("NEEDLE_")}
            told = asdict(order) | {"environment": ours}  # which may have changed since it began
            self._process.stdin.write(json.dumps(told) + "\n")
            self._process.stdin.flush()

    def end(self) -> None:
        """Ends the process and what it has forked, at once."""
        with suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                assert pipe
                pipe.close()

    @property
    def alive(self) -> bool:
        return self.asker == os.getpid() and self._process.poll() is None


def _hear(line: str, answer: _Answer) -> float:
    """Takes a line into an answer; the part that is done, where it tells that."""
    try:
        said = json.loads(line)
    except ValueError:  # cut off: the process died while it spoke
        return 0.0
    if "pixels" in said:
        answer.began, answer.seconds = time.monotonic(), seconds_allowed(int(said["pixels"]))
    if "failed" in said:
        kind, words = said["failed"]
        answer.failed = getattr(errors, kind)(words)
    if "done" in said:
        answer.done = Path(said["done"])
    if "ended" in said:
        answer.status = int(said["ended"])
    return float(said.get("part", 0.0))


def _died(order: Order, answer: _Answer) -> DamagedScene:
    """One line for a picture at which the process ended without a word, or did not end."""
    log_file = Path(order.work, LOG)
    said = log_file.read_text("utf-8", "replace") if log_file.exists() else ""
    log.error("decoding %s ended with status %s: %s", order.name, answer.status, said[-2000:])
    if answer.status is None:
        why = f"decoding it takes more than the {answer.seconds:.0f} s that its size allows"
    elif answer.status < 0:
        why = f"its decoder crashed ({signal.Signals(-answer.status).name})"
    else:
        why = "its decoder ended without a word"
    return DamagedScene(f"{order.name}: {why}; the file is damaged: copy or convert it again")


_idle: list[_Process] = []
_lock = threading.Lock()


def prepare() -> None:
    """Begins a process that waits for a picture, which it can load its libraries by."""
    _keep(_take())


def _take() -> _Process:
    """An idle process of this process's own, else a new one."""
    with _lock:
        while _idle:
            process = _idle.pop()
            if process.alive:
                return process
            if process.asker == os.getpid():
                process.end()
    return _Process()


def _keep(process: _Process) -> None:
    """Lets a process wait for the next picture; one is enough."""
    with _lock:
        if not _idle:
            _idle.append(process)
            return
    process.end()


@atexit.register
def end_idle() -> None:
    """Ends the processes that wait for a picture."""
    with _lock:
        waiting, _idle[:] = _idle[:], []
    for process in waiting:
        if process.asker == os.getpid():
            process.end()
