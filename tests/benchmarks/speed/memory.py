"""The memory of one server over many scans, each opened for review when it has ended.

    python -m tests.benchmarks.speed.memory FOLDER [--scans 20] [--side 1500] [--scale 0.25]

The server is the real one; its own queue is given one picture after the other: squares of a test
scene (`full_scene.py`, kept in FOLDER) and, half-way, a whole scene of the scale, all by the
default model. After each, a session opens Review as a browser does. One line of JSON a scan, and
one when the server has let go what nobody looks at:
MB resident of the server, its own and mapped files among them, and of its children. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rasterio
from rasterio.windows import Window

from dashboard.__main__ import main as dashboard
from dashboard.detector import ScanSettings
from dashboard.session import state
from tests.benchmarks.speed.full_scene import full_scene
from tests.benchmarks.speed.review_page import visitor
from tests.benchmarks.speed.whole_scene import ROOT, children
from tests.detector import rasters

REST = 3.0  # s after which memory is looked at
SAID = "scanned"  # before a scan's key
SQUARES_OF = 1 / 16  # scale of the scene that squares are cut from


def serve(port: int) -> None:
    """Serves, and scans the pictures whose paths come on standard input; says each scan's key."""
    threading.Thread(target=_scan_what_comes, daemon=True).start()
    dashboard(["--port", str(port)])


def _scan_what_comes() -> None:
    for line in sys.stdin:
        path = Path(line.strip())
        job = state.worker().submit(path, path.name, ScanSettings())
        while job.active:
            time.sleep(0.1)
        assert job.store, job.error
        print(SAID, job.store.key, flush=True)


@contextmanager
def serving_process(home: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server that scans what it is told to, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.benchmarks.speed.memory", "--serve", str(port), "."]
    own = {"NEEDLE_HOME": str(home), "STREAMLIT_SERVER_HEADLESS": "true"}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | own,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running, f"http://localhost:{port}"
        finally:
            running.kill()


def squares(scene: Path, folder: Path, count: int, side: int) -> Iterator[Path]:
    """Pictures of so many squares of a scene, as PNG."""
    with rasterio.open(scene) as source:
        across = max(1, source.width // side - 1)
        for number in range(count):
            row, col = divmod(number, across)
            window = Window((col + 0.5) * side, (row + 0.3) * side, side, side)
            path = folder / f"square-{number}.png"
            yield rasters.write(path, source.read(1, window=window))


def measure(given: argparse.Namespace, work: Path) -> None:
    """Prints a line a scan, and the last as parts of the first."""
    small = full_scene(given.folder, SQUARES_OF)
    pictures = list(squares(small, work, given.scans - 1, given.side))
    pictures.insert(given.scans // 2, full_scene(given.folder, given.scale))
    held: list[dict[str, int]] = []
    with serving_process(work / "home") as (running, address):
        for number, picture in enumerate(pictures, start=1):
            began = time.monotonic()
            key = scanned(running, picture)
            seconds = time.monotonic() - began
            with visitor(address, key) as one:
                one.run([])
            time.sleep(REST)
            held.append(memory(running.pid))
            told = {"scan": number, "picture": picture.name, "s": round(seconds, 1)}
            print(json.dumps(told | held[-1]), flush=True)
        time.sleep(state.SCANS_IDLE + REST)
        held.append(memory(running.pid))
        print(json.dumps({"after_s": state.SCANS_IDLE} | held[-1]), flush=True)
    print(json.dumps({name: round(held[-1][name] / held[0][name], 2) for name in ("rss", "own")}))


def scanned(running: subprocess.Popen[str], picture: Path) -> str:
    """The key of the scan of a picture, when the server has finished it."""
    assert running.stdin and running.stdout
    print(picture.absolute(), file=running.stdin, flush=True)
    for line in running.stdout:  # Streamlit greets there
        if line.startswith(SAID):
            return line.removeprefix(SAID).strip()
    raise RuntimeError("the server has ended")


def memory(server: int) -> dict[str, int]:
    """MB resident: of a server, its own and mapped files among them, and of its children."""
    held = {"rss": _resident(server, "VmRSS"), "own": _resident(server, "RssAnon")}
    held["mapped"] = _resident(server, "RssFile")
    held["children"] = sum(_resident(one, "VmRSS") for one in children(server)[1:])
    return {name: round(kilobytes / 1024) for name, kilobytes in held.items()}


def _resident(process: int, kind: str) -> int:
    """KB of a kind; 0 of a process that has gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except FileNotFoundError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(f"{kind}:"))


def main() -> None:
    """Serves, or measures who does."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scans", type=int, default=20)
    parser.add_argument("--side", type=int, default=1500, help="px of a square")
    parser.add_argument("--scale", type=float, default=0.25, help="of the whole scene's area")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve)
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as work:
        measure(given, Path(work))


if __name__ == "__main__":
    main()
