"""Something done when nobody has asked for anything for long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class WhenIdle:
    """Calls a function once when nothing was wanted for so long; a timer runs until then."""

    def __init__(self, seconds: float, rest: Callable[[], None]) -> None:
        self._seconds, self._rest = seconds, rest
        self._wanted = 0.0  # when something was wanted last, by `time.monotonic`
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def wanted(self) -> None:
        """Begins the time anew."""
        with self._lock:
            self._wanted = time.monotonic()
            if self._timer is None:
                self._start(self._seconds)

    def _start(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._look)
        self._timer.daemon = True
        self._timer.start()

    def _look(self) -> None:
        """Rests, or where something was wanted since, looks again when that is long ago."""
        with self._lock:
            left = self._wanted + self._seconds - time.monotonic()
            if left > 0:
                self._start(left)
                return
            self._timer = None
        self._rest()
