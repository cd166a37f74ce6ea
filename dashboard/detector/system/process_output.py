"""Lines from another process, read without waiting for it for long."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import IO


def lines_of(stream: IO[str], pause: float) -> Iterator[str | None]:
    """The lines of a stream until it is closed; None after every `pause` seconds without one."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        with suppress(ValueError, OSError):  # closed while it was read
            for line in stream:
                lines.put(line)
        lines.put(None)

    threading.Thread(target=read, name="needle-lines", daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=pause)
        except queue.Empty:
            yield None
            continue
        if line is None:
            return
        yield line
