"""Downloads in the background, each in a thread of its own: they need no processor."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path

from dashboard.detector import NeedleError, bound, fetch

log = logging.getLogger(__name__)


@dataclass
class Download:
    """One product on its way. Its thread writes, the pages read."""

    observation: str
    there: int = 0  # bytes
    total: int = 0  # bytes; 0 before the archive has answered
    path: Path | None = None  # of the whole product
    error: str | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Ask the download to stop; what has come is kept."""
        self.cancelled.set()


class _Cancelled(Exception):
    """The user asked the download to stop."""


class Downloads:
    """The downloads of this server."""

    def __init__(self) -> None:
        self._all: dict[str, Download] = {}
        self._lock = threading.Lock()

    def get(self, observation: str) -> Download | None:
        """The download of an observation; None where it was not asked for."""
        return self._all.get(observation)

    def start(self, observation: str) -> Download:
        """The download of an observation: the one under way, or a new one."""
        with self._lock:
            known = self._all.get(observation)
            if known and not known.ended.is_set() and not known.cancelled.is_set():
                return known
            new = self._all[observation] = Download(observation)
        threading.Thread(target=_run, args=(new,), name="needle-fetch", daemon=True).start()
        return new


def _run(download: Download) -> None:
    def arriving(there: int, total: int) -> None:
        download.there, download.total = there, total
        if download.cancelled.is_set():
            raise _Cancelled

    try:
        download.path = fetch(download.observation, on_progress=arriving)
        bound(download.path.parent, download.path)
    except _Cancelled:
        pass
    except NeedleError as error:
        download.error = str(error)
    except Exception:  # a fault of ours, told in the page's own words
        log.exception("fetching %s failed", download.observation)
        download.error = f"{download.observation}: something went wrong; the log says what"
    finally:
        download.ended.set()
