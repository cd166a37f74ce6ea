"""Bounded folders: what Needle can make again is kept as long as there is room for it."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from dashboard.detector.errors import OptionError
from dashboard.detector.system.locks import in_use

CACHE_GIGABYTES = 50.0  # a whole HiRISE scene takes one


def cache_limit() -> int:
    """How many bytes of ingested scenes are kept: `$NEEDLE_CACHE_GB`, else 50 GB.

    Raises:
        OptionError: the variable holds no such number.
    """
    text = os.environ.get("NEEDLE_CACHE_GB", str(CACHE_GIGABYTES))
    try:
        gigabytes = float(text)
    except ValueError:
        gigabytes = -1.0
    if not 0 <= gigabytes < 1e9:
        raise OptionError(f"NEEDLE_CACHE_GB is {text!r}; it must be a number of GB, 0 or more")
    return int(gigabytes * 1e9)


def used(path: Path) -> None:
    """Notes that a file has been of use just now; its content counts as old as before."""
    with suppress(OSError):  # a folder that may only be read
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def keep_within(folder: Path, limit: int, pattern: str, kept: Path) -> None:
    """Removes files of a folder, those unused for longest first, until they take `limit` bytes.

    A file that somebody has pinned stays.

    Args:
        pattern: which files count.
        kept: the one that stays, whatever it takes.
    """
    found = []
    for path in folder.glob(pattern):
        with suppress(FileNotFoundError):  # another process tidies up as well
            found.append((path.stat().st_atime_ns, path, path.stat().st_size))
    total = sum(size for *_, size in found)
    for _, path, size in sorted(found):
        if total <= limit:
            break
        with suppress(OSError):  # Windows keeps files that are open
            if path != kept and not in_use(path):
                path.unlink(missing_ok=True)
                total -= size
