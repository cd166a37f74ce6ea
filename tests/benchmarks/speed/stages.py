"""Where a scan's time goes: processor seconds by stage, all in one process.

    python -m tests.benchmarks.speed.stages SCENE [--model places]

What runs beside it changes these seconds little. Decoding is timed by itself and taken off the
first pass, in which it happens. Networks have one thread a session here as in a scan, so that
their share is that of the threads which ask them.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECONDS: dict[str, float] = defaultdict(float)
NESTED = {  # stages that happen in threads of others
    "network, every position": "score",
    "read pieces": "score",
    "network, places": "look",
    "read windows": "look",
}


@contextmanager
def timed(stage: str, clock: Callable[[], float] = time.process_time) -> Iterator[None]:
    """Adds what a block takes to a stage."""
    began = clock()
    yield
    SECONDS[stage] += clock() - began


def watch(owner: Any, name: str, stage: str, clock: Callable[[], float]) -> None:
    """Has every call of a function timed."""
    call = getattr(owner, name)

    def watched(*given: Any, **named: Any) -> Any:
        with timed(stage, clock):
            return call(*given, **named)

    setattr(owner, name, watched)


def scan_by_stages(source: Path, model_name: str, work: Path) -> None:
    """The whole way of a scene, its stages timed."""
    with timed("load libraries and model"):
        from dashboard.detector import Finished, Model, ScanSettings, Scene, survey, write_results
        from dashboard.detector.files.formats import open_picture
        from dashboard.detector.files.picture import Picture
        from dashboard.detector.models.judge import Judge
        from dashboard.detector.run import stored_scan
        from dashboard.detector.scanning import judging
        from dashboard.detector.scenes import two_passes

        model = Model.load(model_name, "cpu")
    scanning = sys.modules["dashboard.detector.scanning.scan"]
    for name, stage in (
        ("_first_pass", "first pass"),
        ("_settle", "settle"),
        ("_finish", "overviews"),
    ):
        watch(two_passes, name, stage, time.process_time)
    for owner, name, stage in (
        (scanning, "infer", "network, every position"),
        (scanning, "read", "read pieces"),
        (Judge, "infer", "network, places"),
        (judging, "windows", "read windows"),
    ):
        watch(owner, name, stage, time.thread_time)
    SECONDS["look"] = 0.0
    with timed("decode"), open_picture(source) as opened:
        picture = Picture(opened, source.name)
        for strip in picture.strips():
            picture.read(strip)
    final = two_passes.written(source, work, source.name, "0" * 64, lambda _: None)
    SECONDS["first pass"] -= SECONDS["decode"]
    scene, settings = Scene.open(final, source.name), ScanSettings(model=model_name)
    store = stored_scan(scene, model, settings)
    sitting = scanning._Sitting(store)
    with timed("score"):
        list(scanning._score(sitting, scene, model))
    if model.judge:
        with timed("look"):
            list(scanning._judge_places(sitting, scene, model.judge))
    with timed("survey"):
        survey(scene)
    with timed("products"):
        write_results(work / "out", Finished(store, scene, store.scores(), settings))
    for stage, whole in NESTED.items():
        SECONDS[whole] -= SECONDS[stage]
    for whole, rest in (("score", "keep scores"), ("look", "choose and compare places")):
        SECONDS[rest] = SECONDS.pop(whole)


def main() -> None:
    """Prints a row of a table a stage, the longest first."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scene", type=Path)
    parser.add_argument("--model", default="places")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.scene.parent) as folder:
        os.environ["NEEDLE_HOME"] = folder
        work = Path(folder, "work")
        work.mkdir()
        scan_by_stages(given.scene, given.model, work)
    total = sum(SECONDS.values())
    for stage, seconds in sorted(SECONDS.items(), key=lambda item: -item[1]):
        print(f"| {stage} | {seconds:.1f} | {seconds / total:.0%} |")
    print(f"| **all** | **{total:.1f}** | |")


if __name__ == "__main__":
    main()
