"""The bounded cache: oldest out, one ingest for all who ask, locks that a death gives back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dashboard.detector import OptionError, Scene, ingest
from dashboard.detector.files.picture import Picture
from dashboard.detector.scenes.survey import survey_file
from dashboard.detector.system.cache import cache_limit, keep_within
from dashboard.detector.system.locks import alone
from tests.detector import rasters

Scenes = Callable[..., Scene]
ROOT = Path(__file__).resolve().parents[3]


def picture(folder: Path, seed: int) -> Path:
    return rasters.write(folder / f"{seed}.png", rasters.ground(seed=seed))


def test_the_scene_unused_for_longest_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (ingest(picture(tmp_path, seed)) for seed in range(3))
    for age, scene in enumerate((second, third, first)):
        os.utime(scene.path, (1000 + age, 1000))
    ingest(picture(tmp_path, 1))  # of use again
    sizes = [scene.path.stat().st_size for scene in (first, second)]
    monkeypatch.setenv("NEEDLE_CACHE_GB", str((sum(sizes) + sizes[0] * 1.5) / 1e9))
    fourth = ingest(picture(tmp_path, 3))
    assert [scene.path.exists() for scene in (first, second, third, fourth)] == [
        True,
        True,
        False,
        True,
    ]


def test_the_newest_stays_however_small_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = ingest(picture(tmp_path, 0))
    monkeypatch.setenv("NEEDLE_CACHE_GB", "0")
    new = ingest(picture(tmp_path, 1))
    assert not old.path.exists()
    assert ingest(picture(tmp_path, 1)) == new


@pytest.mark.parametrize("text", ["many", "-1", "nan", ""])
def test_a_limit_that_is_none_is_said(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("NEEDLE_CACHE_GB", text)
    with pytest.raises(OptionError, match="NEEDLE_CACHE_GB"):
        cache_limit()


def test_only_what_counts_is_removed(tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif", "notes.txt"):
        (tmp_path / name).write_bytes(bytes(100))
    keep_within(tmp_path, 0, "*.tif", tmp_path / "b.tif")
    assert {path.name for path in tmp_path.iterdir()} == {"b.tif", "notes.txt"}


@pytest.mark.usefixtures("decoded_here")
def test_all_who_ask_at_once_share_one_ingest(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = rasters.write(tmp_path / "scene.jp2", rasters.ground(900, 1100))
    reads: list[Any] = []
    read = Picture.read
    monkeypatch.setattr(Picture, "read", lambda self, box: reads.append(box) or read(self, box))
    waits: list[float] = []
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: ingest(path, on_progress=waits.append), range(4)))
    assert all(scene == found[0] for scene in found)
    assert len(reads) == len(set(reads))
    assert waits.count(1.0) == 4
    left = {found[0].path, survey_file(found[0].path)}
    assert set((home / "scenes").iterdir()) == left


def test_one_who_waits_may_give_up(tmp_path: Path) -> None:
    class GaveUp(Exception):
        pass

    def give_up() -> None:
        raise GaveUp

    with alone(tmp_path / "lock"), pytest.raises(GaveUp), alone(tmp_path / "lock", give_up):
        pytest.fail("two at once")


def test_never_two_at_once(tmp_path: Path) -> None:
    inside, most = [], []

    def work(_: int) -> None:
        with alone(tmp_path / "lock"):
            inside.append(1)
            most.append(len(inside))
            threading.Event().wait(0.02)
            inside.pop()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(12)))
    assert most == [1] * 12
    assert list(tmp_path.iterdir()) == []


def test_a_death_gives_the_lock_back_and_leaves_nothing_that_passes_for_a_scene(
    tmp_path: Path, home: Path
) -> None:
    path = rasters.write(tmp_path / "scene.png", rasters.ground(2600, 700))
    program = (
        "import sys\n"
        "from dashboard.detector import ingest\n"
        "from dashboard.detector.scenes import decoder_process\n"
        "hang = 'import time; decoder.Picture.read = lambda *_: time.sleep(600); decoder.main()'\n"
        "program = decoder_process.PROGRAM.replace('decoder.main()', hang)\n"
        "decoder_process.PROGRAM = program\n"
        "ingest(sys.argv[1], on_progress=lambda _: print('reading', flush=True))\n"
    )
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "reading\n"
        while not list((home / "scenes").glob(".ingest-*/decoder.log")):
            time.sleep(0.01)
        left = list((home / "scenes").glob(".*"))
        assert len(left) == 2  # a lock and a working folder
        killed.send_signal(signal.SIGKILL)
    scene = ingest(path)
    assert scene.height == 2600
    assert set((home / "scenes").iterdir()) == {scene.path, survey_file(scene.path)}
