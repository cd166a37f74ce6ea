"""Work that goes on behind the pages, however often the one that waits for it is left or turned."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Behind(Generic[T]):
    """One piece of work in a thread of its own, with the part of it that is done, 0 to 1."""

    def __init__(self, work: Callable[[Callable[[float], None]], T]) -> None:
        """Begins the work, which is given what it calls with the part that is done."""
        self.part = 0.0
        self._work = work
        self._future: Future[T] = Future()
        self._ended = threading.Event()
        threading.Thread(target=self._run, name="needle-behind", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """True as soon as the work has ended, or False when so much time has gone by."""
        return self._ended.wait(seconds)

    @property
    def failed(self) -> bool:
        """True where the work has ended in an error."""
        return self._ended.is_set() and self._future.exception() is not None

    def result(self) -> T:
        """What came of the work; waits for it, and raises its error."""
        return self._future.result()

    def _run(self) -> None:
        try:
            self._future.set_result(self._work(self._watch))
        except BaseException as error:  # whatever it is, it belongs to the one who asks
            self._future.set_exception(error)
        self._ended.set()

    def _watch(self, part: float) -> None:
        self.part = part
