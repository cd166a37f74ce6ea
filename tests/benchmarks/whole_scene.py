"""A whole scene end to end against one bare decode of its file, in one run; and its memory.

    python -m tests.benchmarks.whole_scene FOLDER [--scales 0.25 1] [--model guarded] [--home HOME]

FOLDER keeps the test scenes (`full_scene.py`) from one run to the next. For each scale the file is
decoded along its native blocks and thrown away, then scanned by the command line with an empty
cache, then decoded again; the ratio is the scan's time over the mean of the two decodes. Memory is
the largest sum of the proportional set sizes (PSS) of the scan's processes, looked at five times
a second. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.full_scene import full_scene, size

ROOT = Path(__file__).resolve().parents[2]
LOOK_EVERY = 0.2  # s
BARE = """
import sys
from rasterio.windows import Window
from dashboard.detector.formats import open_picture
with open_picture(sys.argv[1]) as source:
    for _, window in source.block_windows(1):
        source.read(1, window=window)
"""


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


def watched(*command: str, **variables: str) -> tuple[float, float]:
    """Seconds that a command takes, and the most memory that it holds, in GB."""
    environment = os.environ | variables
    began, most = time.monotonic(), 0
    with subprocess.Popen([sys.executable, *command], cwd=ROOT, env=environment) as running:
        while running.poll() is None:
            most = max(most, sum(map(pss, children(running.pid))))
            time.sleep(LOOK_EVERY)
    if running.returncode:
        raise SystemExit(f"{command} ended with {running.returncode}")
    return time.monotonic() - began, most / 1e9


def measure(scene: Path, model: str, kept: Path | None) -> dict[str, Any]:
    """Decode, scan, decode; scene and scan are kept in a folder where one is given."""
    with tempfile.TemporaryDirectory(dir=scene.parent) as folder:
        out, home = f"{folder}/out", str(kept or f"{folder}/home")
        scan = ("-m", "dashboard", "scan", str(scene), "--model", model, "--out", out)
        first, decode_memory = watched("-c", BARE, str(scene))
        seconds, memory = watched(*scan, NEEDLE_HOME=home)
        second, _ = watched("-c", BARE, str(scene))
        record = json.loads(Path(out, "run.json").read_text())
    return {
        "bare_s": [round(first, 1), round(second, 1)],
        "scan_s": round(seconds, 1),
        "ratio": round(2 * seconds / (first + second), 2),
        "stages_s": record["seconds"],
        "peak_pss_gb": round(memory, 2),
        "bare_peak_pss_gb": round(decode_memory, 2),
        "detections": record["detections"],
    }


def main() -> None:
    """Prints one line of JSON a scale."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scales", nargs="+", type=float, default=[0.25, 1.0], help="of area")
    parser.add_argument("--model", default="guarded")
    parser.add_argument("--home", type=Path, help="a new folder, to keep what Needle keeps in")
    given = parser.parse_args()
    if given.home and given.home.exists():
        parser.error(f"{given.home} exists; an ingested scene in it would be used")
    cores = f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f} before"
    print(cores, file=sys.stderr)
    for scale in given.scales:
        width, height = size(scale)
        found = measure(full_scene(given.folder, scale), given.model, given.home)
        print(json.dumps({"scale": scale, "px": [width, height]} | found), flush=True)


if __name__ == "__main__":
    main()
