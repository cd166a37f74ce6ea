"""Memory given back to the system between the stages of a run."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache


def give_back() -> None:
    """Hands the process's free memory to the system, where its allocator can (glibc's).

    Threads that decode and networks that score leave hundreds of megabytes in pieces, which glibc
    keeps for later.
    """
    trim = _trim()
    if trim:
        trim(0)


@lru_cache(maxsize=1)
def _trim() -> Callable[[int], int] | None:
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # macOS and musl have none, Windows no such name
        return None
    return found
