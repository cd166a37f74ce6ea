"""Killed without warning at any moment and started again, a scan ends in the same bytes."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rasterio import Affine

from tests.detector import rasters
from tests.models import area_model, plain_model
from tests.slowed import slowed

ROOT = Path(__file__).resolve().parents[2]
SAME = ("detections.csv", "detections.geojson", "scores.tif", "tiles.csv")
# A kill strikes every stage: decoding is slow, too.
PROGRAM = slowed(
    0.01,
    """
from dashboard.detector.scenes import decoder_process
decoder_process.PROGRAM = decoder_process.PROGRAM.replace("decoder.main()", '''
import time
from dashboard.detector.files.picture import Picture
read = Picture.read
def slow_read(self, box):
    time.sleep(0.1)
    return read(self, box)
Picture.read = slow_read
decoder.main()
''')
""",
)


def start(*arguments: object, home: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"NEEDLE_HOME": str(home), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, env=environment)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize(("make", "kills"), [(area_model, 10), (plain_model, 3)])
def test_killed_at_random_moments_a_scan_ends_in_the_same_bytes(
    make: Callable[[Path], Path], kills: int, tmp_path: Path
) -> None:
    pixels = rasters.ground(1400, 700)
    pixels[290:310, 390:410] = 250
    pixels[:, 500:] = 0
    place = {"crs": rasters.MARS, "transform": Affine(0.25, 0, 8_146_000, 0, -0.25, -272_000)}
    path = rasters.write(tmp_path / "scene.tif", pixels, **place)
    model = make(tmp_path / "model.onnx")
    how = ["scan", path, "--model", model, "--device", "cpu", "--sigma", "2"]
    how += ["--stride", "16"] if make is plain_model else []
    began = time.monotonic()
    assert start(*how, "--out", tmp_path / "whole", home=tmp_path / "one").wait() == 0
    whole = time.monotonic() - began
    moments = random.Random(0)
    killed = 0
    for _ in range(5 * kills):
        run = start(*how, "--out", tmp_path / "broken", home=tmp_path / "two")
        time.sleep(moments.uniform(0.2, 0.7) * whole)
        run.kill()
        if run.wait() == -signal.SIGKILL:
            killed += 1
        else:  # the work was done sooner, other tests being done: begin it anew, strike sooner
            shutil.rmtree(tmp_path / "two")
            whole *= 0.8
        if killed == kills:
            break
    assert killed == kills
    assert start(*how, "--out", tmp_path / "broken", home=tmp_path / "two").wait() == 0
    for name in SAME:
        wanted = (tmp_path / "whole" / name).read_bytes()
        assert (tmp_path / "broken" / name).read_bytes() == wanted, name
