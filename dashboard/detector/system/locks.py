"""One at a time, over threads and processes: a lock that a crash gives back."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

PAUSE = 0.1  # s between two tries


class Lock:
    """The right to work on something, until the block ends or the process dies."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file = path, file

    @classmethod
    def take(cls, path: Path) -> Lock | None:
        """The lock on what `path` stands for; None where another holds it.

        Args:
            path: a file in an existing folder, made for the time of the work and removed after it.
        """
        file = path.open("ab")
        if _try_lock(file) and _same(file, path):
            return cls(path, file)
        file.close()
        return None

    def __enter__(self) -> Lock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):  # Windows does not remove open files
            self._path.unlink()
        self._file.close()


@contextmanager
def alone(path: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """The lock on what `path` stands for, as soon as nobody else holds it.

    Args:
        path: as for `Lock.take`.
        waiting: called again and again while another holds the lock; may raise to give up.
    """
    while (lock := Lock.take(path)) is None:
        if waiting:
            waiting()
        time.sleep(PAUSE)
    with lock:
        yield


class Pin:
    """A file held in use until `release`, the end of the block, or of the process.

    Any number may hold the same file; `in_use` is True for everybody else meanwhile.
    """

    def __init__(self, path: Path) -> None:
        """Holds a file; one that is not there is nobody's."""
        self._file: BinaryIO | None = None
        with suppress(OSError):
            self._file = path.open("rb")
            _lock_shared(self._file)

    def release(self) -> None:
        """Lets it go."""
        if self._file:
            self._file.close()

    __del__ = release

    def __enter__(self) -> Pin:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def in_use(path: Path) -> bool:
    """True where some process pins a file; on Windows never, where open files cannot be removed."""
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _lock_shared(file: BinaryIO) -> None:
    with suppress(ImportError):  # Windows
        import fcntl

        fcntl.flock(file, fcntl.LOCK_SH)


def _same(file: BinaryIO, path: Path) -> bool:
    """False where the one who held the lock before has removed the file in the meantime."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _try_lock(file: BinaryIO) -> bool:
    """True where the lock was free; the system frees it when the file is closed, however."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
