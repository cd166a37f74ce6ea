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

# Of malloc.h, and what a server sets them to.
ARENA_MAX, MMAP_THRESHOLD = -8, -3
LARGE = 16 << 20  # bytes from which an array has a map of its own, given back when it goes


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


def avoid_fragments() -> None:
    """Has glibc's `malloc` keep what a server with threads frees in few pieces.

    All threads that begin from now on share one arena: each would have its own, and of these
    `give_back` cannot give back the end, up to 64 MB a thread. And the sizes from which an array
    is mapped by itself, and from which free room at the arena's end goes back at once, stay what
    they are: by itself glibc raises both with each array that goes, to 32 and 64 MB, and what lies
    between and behind arrays in its arena, 60 to 100 MB, is lost to the system.
    """
    with suppress(AttributeError, OSError, TypeError):  # as for `_trim`
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(ARENA_MAX, 1)
        mallopt(MMAP_THRESHOLD, LARGE)


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
