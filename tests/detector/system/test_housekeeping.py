"""The home: what lies in it, what may go, and what stays whatever happens."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from dashboard.detector import Pin, holdings, prune
from dashboard.detector.scenes.survey import survey_file
from dashboard.detector.system.cache import keep_within
from dashboard.detector.system.housekeeping import bound, size_of
from dashboard.detector.system.locks import Lock


def put(path: Path, size: int = 5000, days: float = 0.0) -> Path:
    """A file of so many bytes that nobody has used for so many days."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    when = time.time() - days * 86400
    for one in (path, path.parent):
        os.utime(one, (when, when))
    return path


def test_every_folder_is_listed_with_what_may_go(home: Path) -> None:
    scene = put(home / "scenes" / "new.tif")
    put(survey_file(scene), 3000)
    put(home / "uploads" / "old.png", days=40)
    put(home / "scans" / "key" / "scores.npy", days=40)
    put(home / "scans" / ".new-1" / "scan" / "scores.npy")
    found = {held.kind.name: held for held in holdings()}
    assert set(found) == {"scenes", "uploads", "fetched", "scans", "learned"}
    assert (found["scenes"].entries, found["scenes"].prunable) == (1, 0)
    assert found["scenes"].size >= 8000, "the survey counts with its scene"
    assert found["uploads"].prunable == found["uploads"].size > 0
    assert found["scans"].entries == 1
    assert 0 < found["scans"].prunable < found["scans"].size


def test_pruning_takes_what_is_old_and_nothing_else(home: Path) -> None:
    old, new = put(home / "uploads" / "old.png", days=40), put(home / "uploads" / "new.png")
    left = put(home / "scenes" / ".ingest-a" / "raw.tif", days=2)
    put(home / "scans" / "kept" / "scores.npy")
    put(home / "scans" / "gone" / "scores.npy", days=40)
    verdicts = put(home / "verdicts.sqlite", days=400)
    assert prune() > 5000
    assert not old.exists()
    assert not left.exists()
    assert new.exists()
    assert verdicts.exists()
    assert [path.name for path in (home / "scans").iterdir()] == ["kept"]


def test_what_is_in_use_stays(home: Path) -> None:
    scene = put(home / "scenes" / "old.tif", days=40)
    scan = put(home / "scans" / "key" / "scores.npy", days=40).parent
    with Pin(scene), Lock.take(scan.with_name(".key.lock")) as lock:
        assert lock
        assert prune() == 0
    assert prune() > 0
    assert not scene.exists()
    assert not scan.exists()


def test_a_pinned_scene_does_not_leave_the_cache(tmp_path: Path) -> None:
    first, second, last = (put(tmp_path / f"{n}.tif", days=3 - n) for n in range(3))
    pins = Pin(first), Pin(first)
    keep_within(tmp_path, 0, "*.tif", last)
    assert (first.exists(), second.exists()) == (True, False)
    pins[0].release()
    keep_within(tmp_path, 0, "*.tif", last)
    assert first.exists()
    pins[1].release()
    keep_within(tmp_path, 0, "*.tif", last)
    assert not first.exists()


def test_a_pin_of_what_is_not_there_is_nobodys(tmp_path: Path) -> None:
    with Pin(tmp_path / "absent"):
        pass


def test_a_folder_stays_within_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, kept = put(tmp_path / "a" / "x", days=3).parent, put(tmp_path / "b" / "x", days=2).parent
    new = put(tmp_path / "c" / "x").parent
    monkeypatch.setenv("NEEDLE_CACHE_GB", str(2.5 * size_of(new) / 1e9))
    bound(tmp_path, kept)
    assert not old.exists()
    assert kept.exists()
    assert new.exists()
