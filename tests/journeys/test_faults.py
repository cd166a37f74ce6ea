"""Full disks and kills at random moments: what is there is whole, and what was begun goes on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from dashboard.detector import NeedleError, ScanStore, Scene, Subject, Verdict, Verdicts, list_scans
from dashboard.detector.review.verdicts import Change
from tests.detector import rasters
from tests.disks import small_disk
from tests.models import area_model
from tests.slowed import slowed

ROOT = Path(__file__).resolve().parents[2]
SAME = ("detections.csv", "detections.geojson", "scores.tif", "tiles.csv")
SLOW = slowed(0.005)
SAYS = """
import sys
from pathlib import Path
from dashboard.detector import Subject, Verdict, Verdicts
from dashboard.detector.review.verdicts import Change
verdicts = Verdicts(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    place = (float(number), 1.0)
    verdicts.decide(Subject("scene", "model"), [(place, Change(Verdict.HARDWARE))], "ann")
    print(number, flush=True)
"""


@dataclass(frozen=True)
class Work:
    """A scene, a model, and the results of an undisturbed scan."""

    scene: Path
    model: Path
    whole: Path
    program: str = SLOW

    def command(self, out: Path, batch: bool = False) -> list[str]:
        how = ["--model", str(self.model), "--device", "cpu", "--sigma", "2", "--out", str(out)]
        return ["batch" if batch else "scan", str(self.scene), *how]


def start(
    arguments: list[str], home: Path, program: str = SLOW, **more: str
) -> subprocess.Popen[str]:
    environment = os.environ | {"NEEDLE_HOME": str(home), "OMP_NUM_THREADS": "1"} | more
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    folder = tmp_path_factory.mktemp("work")
    pixels = rasters.ground(420, 520)
    pixels[290:310, 390:410] = 250
    scene = rasters.write(folder / "scene.tif", pixels)
    made = Work(scene, area_model(folder / "model.onnx"), folder / "whole")
    run = start(made.command(made.whole), folder / "home")
    said = run.communicate()[1]
    assert run.returncode == 0, said
    return made


def whole(home: Path) -> None:
    """Fails where something in a home passes for whole and is not."""
    for path in (home / "scenes").glob("*.tif"):
        Scene.open(path).overview(64)
    for store in list_scans(home):
        if store.finished:
            assert np.isfinite(store.scores().values).any()


def same(out: Path, work: Work) -> None:
    for name in SAME:
        assert (out / name).read_bytes() == (work.whole / name).read_bytes(), name


def on_a_disk(work: Work, disk: Path) -> None:
    """Fails where a scan on a disk that may be full leaves something half done, or dies."""
    run = start(work.command(disk / "out"), disk / "home", TMPDIR=str(disk))
    said = run.communicate()[1]
    assert run.returncode in (0, 2), (run.returncode, said)
    assert said.count("\n") == (run.returncode == 2), said
    whole(disk / "home")
    for path in (disk / "out").iterdir() if (disk / "out").exists() else ():
        assert (work.whole / path.name).exists(), path  # nothing half done
        if path.name != "run.json":
            assert path.read_bytes() == (work.whole / path.name).read_bytes()


@pytest.mark.parametrize("kilobytes", [40, 700, 1400])
def test_on_a_full_disk_all_is_whole_or_absent(kilobytes: int, work: Work, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kilobytes << 10) as disk:
        on_a_disk(work, disk)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("batch", [False, True])
def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(
    batch: bool, work: Work, tmp_path: Path
) -> None:
    moments, home = random.Random(int(batch)), tmp_path / "home"
    out = tmp_path / "out" / work.scene.stem if batch else tmp_path / "out"
    for _ in range(2):
        run = start(work.command(tmp_path / "out", batch), home)
        time.sleep(moments.uniform(0.5, 6.0))
        run.kill()
        run.communicate()
        whole(home)
    last = start(work.command(tmp_path / "out", batch), home)
    said = last.communicate()[1]
    assert last.returncode == 0, said
    same(out, work)
    assert ScanStore.open(list_scans(home)[0].folder).finished
    hidden = [path.name for path in (home / "scans").glob(".*")]
    assert not [name for name in hidden if name.endswith(".lock")]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_verdict_that_was_acknowledged_is_there_after_a_kill(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SAYS, str(tmp_path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        acknowledged = [int(run.stdout.readline()) for _ in range(40)]
        run.kill()
        acknowledged += [int(line) for line in run.stdout.read().split()]
    known = Verdicts(tmp_path).current(Subject("scene", "model"))
    assert {number for number, _ in known} >= set(map(float, acknowledged))


def test_a_verdict_on_a_full_disk_is_refused_or_there(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 600 << 10) as disk:
        verdicts, subject, taken = Verdicts(disk), Subject("scene", "model"), []
        for number in range(2000):
            place = (float(number), 0.0)
            try:
                change = Change(Verdict.NATURAL, note="x" * 500)
                verdicts.decide(subject, [(place, change)], "ann")
            except NeedleError as error:
                assert "make room" in str(error)
                break
            taken.append(place)
        else:
            pytest.fail("the disk was never full")
        assert set(verdicts.current(subject)) == set(taken)
