"""The Review page with thousands of places: server time of each kind of turn, and memory over many.

    python -m tests.benchmarks.speed.review_page [--finds 5000] [--turns 500] [--each 25]

Makes a plain with so many bright spots, scans it with a model of known scores, serves it as users
get it, and speaks with the server as a browser does, without one: what is timed is from a click's
arrival to the end of the script that it runs, messages included, or to the answer of a route: a
verdict filed, what is new asked for, the 24 pictures of a screen. One line of JSON a kind of turn,
then one for memory. Beside the time on the clock stands the processor time of the server, which
other work on the machine does not change much.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import re
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from rasterio import Affine
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import ClientConnection, connect

from dashboard.detector import Detection, Model, ScanStore, find, ingest
from tests.browser import serving
from tests.detector import rasters
from tests.detector.scans import finish_scan
from tests.models import area_model

ON_A_SCREEN = 24  # pictures
APART = 48  # px from spot to spot
SPOT = 6  # px
WARM = 5  # turns that are not counted: what is read once is read in them


def spots(count: int) -> np.ndarray:
    """A plain of noise with at least so many bright spots, no two alike in brightness."""
    across = math.ceil(math.sqrt(1.1 * count))  # those at the border are not scored
    rng = np.random.default_rng(0)
    plain = rng.normal(300, 4, (across * APART, across * APART))
    for number in range(across * across):
        row, col = (APART * (part + 0.5) for part in divmod(number, across))
        top, left = round(row) - SPOT // 2, round(col) - SPOT // 2
        plain[top : top + SPOT, left : left + SPOT] += 60 + 40 * rng.random()
    return plain.round().astype(np.uint16)


def scanned(home: Path, folder: Path, count: int) -> tuple[ScanStore, list[Detection]]:
    """The scan of such a plain, and what lies beyond 3 sigma in it."""
    place = Affine(0.25, 0, 8_146_000, 0, -0.25, -272_000)
    path = rasters.write(folder / "spots.tif", spots(count), crs=rasters.MARS, transform=place)
    scene, model = ingest(path, home), Model.load(area_model(folder / "area.onnx"), "cpu")
    store = finish_scan(scene, model)
    return store, find(store.scores(), 3.0)


@dataclass
class Visitor:
    """One session: what it knows of the widgets, and its connection."""

    socket: ClientConnection
    query: str
    ids: dict[str, str] = field(default_factory=dict)  # of widgets, by their keys
    received: int = 0  # bytes of the last run

    def run(self, widgets: list[WidgetState]) -> float:
        """Seconds from asking for a run with these widgets changed to its end."""
        asked = BackMsg()
        asked.rerun_script.query_string = self.query
        asked.rerun_script.page_name = "review"
        asked.rerun_script.widget_states.widgets.extend(widgets)
        began, self.received = time.perf_counter(), 0
        self.socket.send(asked.SerializeToString())
        while True:
            content = self.socket.recv(timeout=120)
            assert isinstance(content, bytes)
            self.received += len(content)
            message = ForwardMsg.FromString(content)
            kind = message.WhichOneof("type")
            if kind == "delta":
                self._learn(content)
            elif kind == "page_info_changed":
                self.query = message.page_info_changed.query_string
            elif kind == "script_finished":
                if message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                    return time.perf_counter() - began
                assert message.script_finished != ForwardMsg.FINISHED_WITH_COMPILE_ERROR

    def _learn(self, content: bytes) -> None:
        """Keeps the names of widgets in a message: `$$ID-`, 32 digits, `-`, the key."""
        for name, key in re.findall(rb"(\$\$ID-[0-9a-f]{32}-([\w-]+))", content):
            self.ids[key.decode()] = name.decode()

    def slid(self, sigma: float) -> list[WidgetState]:
        """The threshold moved."""
        (key,) = (key for key in self.ids if key.startswith("slider-"))
        moved = WidgetState(id=self.ids[key])
        moved.double_array_value.data.append(sigma)
        return [moved]


@contextmanager
def visitor(address: str, key: str) -> Iterator[Visitor]:
    """A session on the Review page of a scan."""
    url = f"{address.replace('http', 'ws', 1)}/_stcore/stream"
    with connect(url, subprotocols=["streamlit"], max_size=None, compression=None) as socket:
        yield Visitor(socket, f"scan={key}&sigma=3")


def pictures(address: str, key: str, finds: list[Detection]) -> float:
    """Seconds that the pictures of a screen take, one after the other."""
    began = time.perf_counter()
    for found in finds:
        place = f"{address}/tiles/{key}/place/96/{int(found.x)}/{int(found.y)}"
        with urllib.request.urlopen(place) as answer:
            answer.read()
    return time.perf_counter() - began


def said(kind: str, turns: Callable[[int], float], server: psutil.Process, count: int) -> None:
    """Prints what turns of one kind took, in ms, the first few left out."""
    clock, processor = [], []
    for number in range(WARM + count):
        before = server.cpu_times()
        clock.append(1e3 * turns(number))
        after = server.cpu_times()
        processor.append(1e3 * (after.user + after.system - before.user - before.system))
    found: dict[str, object] = {"turn": kind, "turns": count}
    for name, values in (("clock", clock[WARM:]), ("processor", processor[WARM:])):
        found[f"{name}_ms"] = {
            "median": round(statistics.median(values)),
            "slowest": round(max(values)),
        }
    print(json.dumps(found), flush=True)


def judged(address: str, key: str, found: Detection, number: int) -> float:
    """Seconds from filing a verdict on a place to its acknowledgement."""
    action = {"id": f"benchmark-{number}", "reviewer": "ann", "verdict": "natural"}
    body = {"session": "a-benchmark", "actions": [action | {"points": [found.place]}]}
    request = urllib.request.Request(
        f"{address}/verdicts/{key}",
        json.dumps(body | {"since": 10**9}).encode(),
        {"Content-Type": "application/json", "Origin": address},
    )
    began = time.perf_counter()
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["done"] == [action["id"]]
    return time.perf_counter() - began


def news(address: str, key: str) -> float:
    """Seconds to ask for what is new, where nothing is: what every visitor does each second."""
    began = time.perf_counter()
    with urllib.request.urlopen(f"{address}/verdicts/{key}?since={10**9}") as answer:
        answer.read()
    return time.perf_counter() - began


def measure(
    address: str, store: ScanStore, finds: list[Detection], given: argparse.Namespace
) -> None:
    """Times turns of each kind, then judges many times and looks at the server's memory."""
    key, server, numbers = store.key, serving_process(address), itertools.count()
    with visitor(address, key) as one:
        print(json.dumps({"finds": len(finds), "opened_ms": round(1e3 * one.run([]))}))
        turns: dict[str, Callable[[int], float]] = {
            "verdict": lambda _: judged(address, key, finds[(n := next(numbers)) % len(finds)], n),
            "news": lambda _: news(address, key),
            "24 pictures": lambda number: pictures(
                address, key, finds[ON_A_SCREEN * number : ON_A_SCREEN * (number + 1)]
            ),
        }
        for kind, turn in turns.items():
            said(kind, turn, server, given.each)
        held = []
        for number in range(given.turns):
            turns["verdict"](number)
            if number % 50 == 49:
                held.append(round(server.memory_info().rss / 1e6, 1))
        print(json.dumps({"turns": given.turns, "rss_mb_each_50": held}))
        said("threshold", lambda number: one.run(one.slid(3.1 + 0.1 * number)), server, given.each)


def serving_process(address: str) -> psutil.Process:
    """The process that serves an address."""
    port = int(address.rsplit(":", 1)[1])
    for child in psutil.Process().children(recursive=True):
        if str(port) in child.cmdline():
            return child
    raise RuntimeError(f"nobody serves {address}")


def main() -> None:
    """Parses the command line and measures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--finds", type=int, default=5000)
    parser.add_argument("--turns", type=int, default=500, help="over which memory is watched")
    parser.add_argument("--each", type=int, default=25, help="turns of a kind that are timed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        home = Path(work) / "home"
        os.environ["NEEDLE_HOME"] = str(home)
        store, finds = scanned(home, Path(work), given.finds)
        with serving.dashboard(home, Path(work) / "log") as address:
            measure(address, store, finds, given)


if __name__ == "__main__":
    main()
