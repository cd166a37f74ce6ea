"""Pairs of processes on one scene, kills at random moments, full disks: is all whole or absent?

    python -m tests.benchmarks.faults --pairs 20 --kills 20 --disks 32
    python -m tests.benchmarks.faults --scene SCENE.jp2 --pairs 0 --kills 10 --disks 0

By a small scene and network of its own; a scene that is given is scanned by the default model.
Linux, as one who may mount a file system. A fault ends it with a line that says which.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path

from dashboard.detector import DEFAULT_MODEL, list_scans
from tests.detector import rasters
from tests.disks import small_disk
from tests.journeys import test_faults
from tests.journeys.test_faults import Work
from tests.models import area_model

AS_IT_IS = "import sys; from dashboard.__main__ import main; sys.exit(main(sys.argv[1:]))"


def made(folder: Path, scene: Path | None) -> Work:
    """The scene, the network, and what comes of them undisturbed."""
    if scene:
        work = Work(scene.absolute(), Path(DEFAULT_MODEL), folder / "whole", AS_IT_IS)
    else:
        pixels = rasters.ground(420, 520)
        pixels[290:310, 390:410] = 250
        scene = rasters.write(folder / "scene.tif", pixels)
        work = Work(scene, area_model(folder / "model.onnx"), folder / "whole")
    run = test_faults.start(work.command(work.whole), folder / "home", work.program)
    said = run.communicate()[1]
    assert run.returncode == 0, said
    return work


def pair(work: Work, folder: Path) -> None:
    """Two processes scan the same scene at once; both find what one alone finds."""
    outs = [folder / "one", folder / "two"]
    runs = [test_faults.start(work.command(out), folder / "home") for out in outs]
    said = [run.communicate()[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    for out in outs:
        test_faults.same(out, work)
    (store,) = list_scans(folder / "home")
    assert store.finished


def kill(work: Work, folder: Path, moment: float) -> None:
    """A run is killed, then finished: the same bytes."""
    run = test_faults.start(work.command(folder / "out"), folder / "home", work.program)
    time.sleep(moment)
    run.kill()
    run.communicate()
    test_faults.whole(folder / "home")
    again = test_faults.start(work.command(folder / "out"), folder / "home", work.program)
    said = again.communicate()[1]
    assert again.returncode == 0, said
    test_faults.same(folder / "out", work)


def main() -> None:
    """Does as many of each as asked for, and says so."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--disks", type=int, default=32)
    parser.add_argument("--scene", type=Path, help="a picture to scan instead of a small one")
    given = parser.parse_args()
    moments = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        began = time.monotonic()
        work = made(root, given.scene)
        seconds = time.monotonic() - began
        for number in range(given.pairs):
            pair(work, root / f"pair-{number}")
        print(f"{given.pairs} pairs: both found the same, every scan whole", flush=True)
        for number in range(given.kills):
            kill(work, root / f"kill-{number}", moments.uniform(0.1, 0.95) * seconds)
        print(f"{given.kills} kills: each went on to the same bytes", flush=True)
        for number in range(given.disks):
            size = round(40 + 1700 * number / max(1, given.disks - 1))
            with small_disk(root / f"disk-{number}", size << 10) as disk:
                test_faults.on_a_disk(work, disk)
        print(f"{given.disks} full disks: whole or absent, one line each", flush=True)


if __name__ == "__main__":
    main()
