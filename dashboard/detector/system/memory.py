"""Memory given back to the system between the stages of a run."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

ARENA_MAX = -8  # M_ARENA_MAX of malloc.h


def give_back(*read: NDArray[Any]) -> None:
    """Hands the process's free memory to the system, where its allocator can (glibc's).

    Threads that decode and networks that score leave hundreds of megabytes in pieces, which glibc
    keeps for later.

    Args:
        read: arrays whose files are mapped; what was read of them leaves memory, too, and is read
            again when it is asked for.
    """
    for array in read:
        mapped = _map_of(array)
        if mapped and hasattr(mmap, "MADV_DONTNEED"):
            mapped.madvise(mmap.MADV_DONTNEED)
    trim = _trim()
    if trim:
        trim(0)


def share_one_arena() -> None:
    """Has all threads that begin from now on allocate where the first one does (glibc's `malloc`).

    Each would have an arena of its own, and of these `give_back` cannot give back the end: up to
    64 MB a thread stayed with a server.
    """
    with suppress(AttributeError, OSError, TypeError):  # as for `_trim`
        ctypes.CDLL(None).mallopt(ARENA_MAX, 1)


def _map_of(array: object) -> mmap.mmap | None:
    """The map of the file that an array lies in; None of one that lies in memory."""
    while isinstance(array, np.ndarray):
        array = array.base
    return array if isinstance(array, mmap.mmap) else None


@lru_cache(maxsize=1)
def _trim() -> Callable[[int], int] | None:
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # macOS and musl have none, Windows no such name
        return None
    return found
