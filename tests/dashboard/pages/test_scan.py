"""Earlier scans on the Scan page: the newest, and whatever was stopped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dashboard.pages.scan import RECENT, STOPPED, recent_scans


@dataclass(frozen=True)
class _Store:
    key: str
    finished: bool


def test_a_scan_that_was_stopped_long_ago_is_listed() -> None:
    stores: list[Any] = [_Store(f"{number}", True) for number in range(20)]
    stores[3] = _Store("young", False)
    stores[15] = _Store("old", False)
    found = [store.key for store in recent_scans(stores)]
    assert len(found) == RECENT + 1
    assert found[3] == "young"
    assert found[-1] == "old"
    stopped: list[Any] = [_Store(f"{number}", False) for number in range(100)]
    assert len(recent_scans(stopped)) == RECENT + STOPPED
