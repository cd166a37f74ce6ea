"""The child process that decodes pictures: all that touches a foreign picture's bytes is done here.

`decoder_process.py` starts it and gives one order a line on standard input. For each order the
process forks, so that every picture has a process of its own and none waits for the libraries to
load; where there is no fork (Windows) it does the work itself. On standard output come JSON lines:

    {"pixels": 1170000000}                how large the picture is, when its header has been read
    {"part": 0.25}                        how far the work is
    {"failed": ["DamagedScene", "..."]}   an error of `errors.py`, ready for the user
    {"done": "/.../final.tif"}            the tiled copy, as `passes.written` leaves it
    {"ended": 0}                          the exit status; negative: the signal that ended it

A process whose standard input is closed ends at once: who asked has gone, or has cancelled.

To hand strips to somebody while they are decoded, let `passes.written` put them into shared memory
(`multiprocessing.shared_memory`) named in the order, and announce each by a line of its own: lines
of an unknown kind are for those who ask for them.
"""

from __future__ import annotations

import json
import logging
import os
import select
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from dashboard.detector.errors import DamagedScene, NeedleError, StoreError
from dashboard.detector.files.decoding_limits import limit_memory, memory_needed
from dashboard.detector.files.formats import damaged, identify, open_picture
from dashboard.detector.files.picture import Picture
from dashboard.detector.scenes.decoder_process import LOG
from dashboard.detector.scenes.two_passes import written

IDLE = 10.0  # s without an order after which the process ends
CAN_FORK = hasattr(os, "fork")


def main() -> None:
    """Does what is ordered until nobody orders any more."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what a library prints is no answer
    while line := _order():
        order = json.loads(line)
        if CAN_FORK:
            _say(answers, ended=_apart(order, answers))
        else:
            _work(order, answers)
            _say(answers, ended=0)


def _order() -> bytes:
    """The next line of standard input; empty when there will be none."""
    if CAN_FORK and not select.select([0], [], [], IDLE)[0]:
        return b""
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 1)
        if not piece:
            return b""
        line += piece
    return line


def _apart(order: dict[str, Any], answers: int) -> int:
    """Does the work in a fork of its own; its exit status."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        threading.Thread(target=_end_with_asker, daemon=True).start()
        _work(order, answers)
        status = 0
    finally:
        os._exit(status)


def _end_with_asker() -> None:
    """Ends the process when standard input is closed."""
    with suppress(OSError):
        os.read(0, 1)
    os._exit(1)


def _work(order: dict[str, Any], answers: int) -> None:
    """Decodes one picture and says what came of it."""
    name, work = str(order["name"]), Path(order["work"])
    source, digest, nodata = Path(order["source"]), str(order["digest"]), order["nodata"]
    os.environ.update(order["environment"])
    log = os.open(work / LOG, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    os.dup2(log, 2)
    os.close(log)
    try:
        limit_memory(memory_needed(source.stat().st_size))
        with open_picture(source, name) as opened:
            picture = Picture(opened, name)
            _say(answers, pixels=opened.width * opened.height)
            limit_memory(memory_needed(source.stat().st_size, picture))
        final = written(source, work, name, digest, lambda part: _say(answers, part=part), nodata)
        _say(answers, done=str(final))
    except NeedleError as error:
        _say(answers, failed=[type(error).__name__, str(error)])
    except Exception as error:
        known = _ours(error, source, name)
        _say(answers, failed=[type(known).__name__, str(known)])


def _ours(error: Exception, source: Path, name: str) -> NeedleError:
    """The error of ours for one that a library or the system raised."""
    if isinstance(error, OSError) and error.errno:
        return StoreError(f"{name}: cannot be read or written ({error.strerror}); make room")
    logging.getLogger(__name__).exception("%s cannot be decoded", name)
    if isinstance(error, MemoryError):
        return DamagedScene(
            f"{name}: decoding it takes more memory than a picture of its size may; it is damaged, "
            "or raise NEEDLE_DECODER_GB"
        )
    return DamagedScene(damaged(name, identify(source, name).name, error))


def _say(answers: int, **said: Any) -> None:
    """One line to who asked; one who has gone hears nothing, and this process ends."""
    try:
        os.write(answers, (json.dumps(said) + "\n").encode())
    except BrokenPipeError:
        os._exit(1)
