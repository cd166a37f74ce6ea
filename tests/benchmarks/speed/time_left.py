"""What a user is told while a scan runs, against what came: of a whole scan, and of a resumed one.

    python -m tests.benchmarks.speed.time_left SCENE [--model places] [--stop 0.5]

Prints a line of JSON each for reading, scan and resumed scan: seconds to the first progress, the
estimate over the seconds taken, and the least and most of the time left that was told over the
true one, from a tenth of the way on until `LAST` seconds before the end. The scan that is resumed
is another one of the same scene, stopped at a part of the way.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from dashboard.detector import Model, ScanSettings, estimate, ingest, scan, stored_scan

FROM, LAST = 0.1, 3.0  # part of the way, and seconds: between them the time left is looked at

Told = tuple[float, float, float | None]  # seconds since the beginning, part, seconds left


def summary(told: list[Told]) -> dict[str, float | None]:
    """The first progress, what all took, and the time left over the true one."""
    end = told[-1][0]
    start = told[0][1]
    begins = start + FROM * (1 - start)
    parts = [
        left / (end - at)
        for at, part, left in told
        if left is not None and part >= begins and end - at > LAST
    ]
    return {
        "first_progress_s": round(told[0][0], 1),
        "s": round(end, 1),
        "left_over_true_min": round(min(parts), 2) if parts else None,
        "left_over_true_max": round(max(parts), 2) if parts else None,
    }


def watched(steps: Iterable[tuple[float, float | None]]) -> list[Told]:
    """When each step of part and time left came."""
    began = time.monotonic()
    return [(time.monotonic() - began, part, left) for part, left in steps]


def main() -> None:
    """Reads, estimates, scans, and scans again with a stop."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scene", type=Path)
    parser.add_argument("--model", default="places")
    parser.add_argument("--stop", type=float, default=0.5, help="part of the way")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.scene.parent) as home:
        os.environ["NEEDLE_HOME"] = home
        began, read = time.monotonic(), []
        scene = ingest(
            given.scene, on_progress=lambda part: read.append((time.monotonic() - began, part))
        )
        moved = next(at for at, part in read if part)
        print(json.dumps({"reading": {"first_progress_s": round(moved, 1)}}), flush=True)
        model, settings = Model.load(given.model, "cpu"), ScanSettings(given.model)
        expected = estimate(scene, model)
        store = stored_scan(scene, model, settings)
        found = summary(watched((step.fraction, step.left) for step in scan(store, scene, model)))
        print(json.dumps({"scan": found, "estimate": round(expected / found["s"], 2)}), flush=True)
        shutil.rmtree(store.folder)
        store = stored_scan(scene, model, settings)
        for step in scan(store, scene, model):
            if step.fraction >= given.stop:
                break
        store = stored_scan(scene, model, settings)
        found = summary(watched((step.fraction, step.left) for step in scan(store, scene, model)))
        print(json.dumps({"resumed": found | {"from": given.stop}}))


if __name__ == "__main__":
    main()
