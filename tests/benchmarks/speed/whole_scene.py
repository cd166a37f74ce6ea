"""A whole scene end to end against one bare decode of its file, in one run; and its memory.

    python -m tests.benchmarks.speed.whole_scene FOLDER [--scales 0.25 1] [--model guarded]
        [--home HOME]

FOLDER keeps the test scenes (`full_scene.py`) from one run to the next. For each scale the file is
scanned by the command line with an empty cache, then decoded and thrown away, by GDAL along its
native blocks and by the reader that Needle takes. Seconds are those of a clock, and of all
processors together; the latter change less with what else the machine does. Memory is the largest
sum of the proportional set sizes (PSS) of the scan's processes, looked at once a second.
Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.speed.full_scene import full_scene, size

ROOT = Path(__file__).resolve().parents[3]
LOOK_EVERY = 1.0  # s; each look takes up to 0.02 s of a process of 1 GB
BY_GDAL = """
import sys
from dashboard.detector.files.formats import open_picture
with open_picture(sys.argv[1]) as source:
    for _, window in source.block_windows(1):
        source.read(1, window=window)
"""
BY_NEEDLE = """
import sys
from dashboard.detector.files.formats import open_picture
from dashboard.detector.files.picture import Picture
with open_picture(sys.argv[1]) as source:
    picture = Picture(source, "scene")
    for strip in picture.strips():
        picture.read(strip)
"""


@dataclass(frozen=True)
class Watched:
    """The time and memory of a command."""

    seconds: float  # of the clock
    processor: float  # seconds of all processors together
    memory: float  # GB, at most

    def line(self) -> dict[str, float]:
        """Rounded, for JSON."""
        return {
            "s": round(self.seconds, 1),
            "cpu_s": round(self.processor, 1),
            "peak_pss_gb": round(self.memory, 2),
        }


def children(process: int) -> list[int]:
    """The process and all that descend from it."""
    found = [process]
    for one in found:
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def pss(process: int) -> int:
    """Bytes of memory that a process accounts for: its own, and its share of what is shared."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))


def watched(*command: str, **variables: str) -> Watched:
    """A command to its end.

    Raises:
        SystemExit: it failed.
    """
    environment = os.environ | variables
    began, most, before = time.monotonic(), 0, _processor()
    with subprocess.Popen([sys.executable, *command], cwd=ROOT, env=environment) as running:
        while running.poll() is None:
            most = max(most, sum(map(pss, children(running.pid))))
            time.sleep(LOOK_EVERY)
    if running.returncode:
        raise SystemExit(f"{command} ended with {running.returncode}")
    return Watched(time.monotonic() - began, _processor() - before, most / 1e9)


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(scene: Path, model: str, kept: Path | None, gdal: bool) -> dict[str, Any]:
    """A scan and one or two decodes; scene and scan are kept in a folder where one is given."""
    with tempfile.TemporaryDirectory(dir=scene.parent) as folder:
        out, home = f"{folder}/out", str(kept or f"{folder}/home")
        command = ("-m", "dashboard", "scan", str(scene), "--model", model, "--out", out)
        scan = watched(*command, NEEDLE_HOME=home)
        record = json.loads(Path(out, "run.json").read_text())
    needle = watched("-c", BY_NEEDLE, str(scene))
    slow: dict[str, Any] = {}
    if gdal:
        decode = watched("-c", BY_GDAL, str(scene))
        ratio = round(scan.seconds / decode.seconds, 2)
        slow = {"decode_gdal": decode.line(), "scan_over_gdal": ratio}
    return slow | {
        "decode_needle": needle.line(),
        "scan": scan.line(),
        "scan_over_needle": round(scan.seconds / needle.seconds, 2),
        "cpu_over_needle": round(scan.processor / needle.processor, 2),
        "stages_s": record["seconds"],
        "detections": record["detections"],
    }


def main() -> None:
    """Prints one line of JSON a scale."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scales", nargs="+", type=float, default=[0.25, 1.0], help="of area")
    parser.add_argument("--model", default="guarded")
    parser.add_argument("--home", type=Path, help="a new folder, to keep what Needle keeps in")
    parser.add_argument("--without-gdal", action="store_true", help="whose decode takes longest")
    given = parser.parse_args()
    if given.home and given.home.exists():
        parser.error(f"{given.home} exists; an ingested scene in it would be used")
    cores = f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f} before"
    print(cores, file=sys.stderr)
    for scale in given.scales:
        width, height = size(scale)
        found = measure(
            full_scene(given.folder, scale), given.model, given.home, not given.without_gdal
        )
        print(json.dumps({"scale": scale, "px": [width, height]} | found), flush=True)


if __name__ == "__main__":
    main()
