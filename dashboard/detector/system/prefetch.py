"""Work done ahead in threads: what is wanted next is ready when it is asked for."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")

POLL = 0.1  # s until a reader that waits for room notices that nobody wants more


class _Failure:
    """An error in the thread, on its way to the caller."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class _Ahead(Generic[T]):
    """A generator run in a thread of its own, at most `depth` items ahead."""

    _END = object()

    def __init__(self, work: Generator[T, None, None], depth: int) -> None:
        self._work = work
        self._ready: queue.Queue[object] = queue.Queue(depth)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="needle-ahead", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        while (item := self._ready.get()) is not self._END:
            if isinstance(item, _Failure):
                raise item.error
            yield item  # type: ignore[misc]

    def stop(self) -> None:
        """Ends the thread after the item it works on, and waits for that."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            for item in self._work:
                if not self._put(item):
                    return
            self._put(self._END)
        except BaseException as error:  # whatever it is, it belongs to the one who asks
            self._put(_Failure(error))
        finally:
            self._work.close()  # in this thread, where the generator's files were opened

    def _put(self, item: object) -> bool:
        while not self._stopped.is_set():
            try:
                self._ready.put(item, timeout=POLL)
            except queue.Full:
                continue
            return True
        return False


@contextmanager
def prefetch(work: Generator[T, None, None], depth: int) -> Iterator[Iterator[T]]:
    """The items of a generator that runs in a thread, at most `depth` of them waiting.

    The generator is begun, gone through and closed in that one thread, so that it may open what
    belongs to a thread. Its errors are raised where the items are asked for. Leaving the block
    ends the thread.
    """
    running = _Ahead(work, depth)
    try:
        yield iter(running)
    finally:
        running.stop()


def map_in_order(work: Callable[[S], T], items: Iterable[S], threads: int) -> Iterator[T]:
    """The result of each item, in their order; up to `threads` of them are worked on at once."""
    with ThreadPoolExecutor(threads) as pool:
        under_way: deque[Future[T]] = deque()
        try:
            for item in items:
                if len(under_way) > threads:
                    yield under_way.popleft().result()
                under_way.append(pool.submit(work, item))
            while under_way:
                yield under_way.popleft().result()
        finally:
            for left in under_way:
                left.cancel()
