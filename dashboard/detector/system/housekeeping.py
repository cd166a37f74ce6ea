"""The folders of Needle's home: what lies there, how much of it, and what may go."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dashboard.detector.system.cache import cache_limit
from dashboard.detector.system.home import needle_home
from dashboard.detector.system.locks import Lock, in_use

DAY = 24 * 3600.0  # s
UNUSED_DAYS = 30.0  # after which `--prune` removes what can be made or had again


@dataclass(frozen=True)
class Kind:
    """A folder of the home."""

    name: str
    what: str
    again: str  # how one gets it again
    beside: str | None = None  # names of files that belong to an entry, and are none of their own


KINDS = (
    Kind("scenes", "ingested pictures", "by ingesting the picture again", "*-survey*.npy"),
    Kind("uploads", "pictures uploaded to the pages", "by uploading them again"),
    Kind("fetched", "products from the archive", "by fetching them again"),
    Kind("scans", "scores of scenes", "by scanning again"),
    Kind("learned", "models that have learned a scene", "by learning again"),
)


@dataclass(frozen=True)
class Holding:
    """The contents of one folder of the home, counted."""

    kind: Kind
    entries: int
    size: int  # bytes
    prunable: int  # bytes that nobody has used for `UNUSED_DAYS`, or that a crash has left


def holdings(home: Path | None = None) -> list[Holding]:
    """The contents of every folder of the home, counted."""
    found = []
    for kind in KINDS:
        entries = _entries((home or needle_home()) / kind.name)
        sizes = {path: size_of(path) for path in entries}
        old = sum(size for path, size in sizes.items() if _old(path))
        own = [path for path in entries if not (kind.beside and path.match(kind.beside))]
        count = sum(not path.name.startswith(".") for path in own)
        found.append(Holding(kind, count, sum(sizes.values()), old))
    return found


def prune(home: Path | None = None) -> int:
    """Removes what nobody has used for long and what crashes have left; bytes that went.

    Verdicts, and what is in use at the moment, stay.
    """
    gone = 0
    for kind in KINDS:
        for path in _entries((home or needle_home()) / kind.name):
            if _old(path):
                gone += _remove(path)
    return gone


def bound(folder: Path, kept: Path) -> None:
    """Removes what was unused for longest from a folder until it is within the cache's limit.

    Args:
        kept: the entry that stays, whatever it takes.
    """
    found = [(_last_used(path), size_of(path), path) for path in _entries(folder)]
    total, limit = sum(size for _, size, _ in found), cache_limit()
    for _, size, path in sorted(found):
        if total <= limit:
            return
        if path != kept and not path.name.startswith(".") and _remove(path):
            total -= size


def size_of(path: Path) -> int:
    """Bytes on disk of a file, or of all in a folder."""
    total = 0
    paths = [path, *path.rglob("*")] if path.is_dir() else [path]
    for entry in paths:
        with suppress(OSError):
            seen = entry.lstat()
            total += getattr(seen, "st_blocks", -(-seen.st_size // 512)) * 512
    return total


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _last_used(path: Path) -> float:
    """When an entry, or the newest thing in it, was of use last."""
    times = [0.0]
    for entry in [path, *path.glob("*")] if path.is_dir() else [path]:
        with suppress(OSError):
            seen = entry.lstat()
            times.append(max(seen.st_mtime, seen.st_atime if entry.is_file() else 0.0))
    return max(times)


def _old(path: Path) -> bool:
    age = time.time() - _last_used(path)
    return age > (DAY if path.name.startswith(".") else UNUSED_DAYS * DAY)


def _remove(path: Path) -> int:
    """Removes an entry that nobody holds; the bytes that went."""
    size = size_of(path)
    lock = Lock.take(path.with_name(f".{path.name.lstrip('.')}.lock"))
    if lock is None:
        return 0
    with lock, suppress(OSError):
        if path.is_dir():
            away = path.with_name(f".gone-{os.getpid()}-{path.name}")
            path.rename(away)  # in one step: half a scan would look like a broken one
            shutil.rmtree(away)
        elif not in_use(path):
            path.unlink()
        else:
            return 0
        return size
    return 0
