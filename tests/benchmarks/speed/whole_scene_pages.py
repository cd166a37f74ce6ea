"""A whole scene in the browser: how soon its overview is there, and what each page takes.

    python -m tests.benchmarks.speed.whole_scene FOLDER --scales 1 --home HOME
    python -m tests.benchmarks.speed.whole_scene_pages FOLDER HOME [--scale 1]

FOLDER is watched by the dashboard (`NEEDLE_SCENES`), HOME holds its ingested scene and its scan.
Chromium chooses the scene, opens the scan, zooms in, steps through places and opens the results.
For each step: seconds until what was asked for is drawn, and the bytes that came, by HTTP and by
WebSocket; Streamlit's own program, which a browser keeps, apart.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, WebSocket, expect

from tests.benchmarks.speed.full_scene import full_scene
from tests.browser import serving

SIZE = {"width": 1440, "height": 900}
WAIT = 120_000  # ms at most for a step
REST = 1500  # ms without which a page has not come to rest


@dataclass
class Traffic:
    """The bytes that a page has taken."""

    program: int = 0
    content: int = 0
    urls: dict[str, str] = field(default_factory=dict)

    def watch(self, page: Page) -> None:
        """Counts from now on all that comes to the page."""
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        network.on("Network.requestWillBeSent", self._asked)
        network.on("Network.loadingFinished", self._came)
        page.on("websocket", self._joined)

    def _asked(self, event: dict[str, Any]) -> None:
        self.urls[event["requestId"]] = event["request"]["url"]

    def _came(self, event: dict[str, Any]) -> None:
        size = int(event["encodedDataLength"])
        if "/static/" in self.urls.get(event["requestId"], ""):
            self.program += size
        else:
            self.content += size

    def _joined(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._frame)

    def _frame(self, payload: bytes | str) -> None:
        self.content += len(payload)


@contextmanager
def step(name: str, page: Page, traffic: Traffic) -> Iterator[None]:
    """Prints what a step took; it ends when what it waits for is drawn."""
    before, began = traffic.content, time.monotonic()
    yield
    seconds = time.monotonic() - began
    page.wait_for_timeout(REST)
    found = {"step": name, "seconds": round(seconds, 2)}
    print(json.dumps(found | {"content_mb": round((traffic.content - before) / 1e6, 2)}))


def drive(page: Page, address: str, scene: str, traffic: Traffic) -> None:
    """Choose, open, zoom, step, take away."""
    with step("start page, demo scene", page, traffic):
        page.goto(address)
        expect(page.get_by_text("landing-site.jp2, grey from")).to_be_visible(timeout=WAIT)
    overview(page, scene, "overview of the whole scene, its checksum worked out", traffic)
    page.goto(address)
    expect(page.get_by_text("landing-site.jp2, grey from")).to_be_visible(timeout=WAIT)
    overview(page, scene, "overview of the whole scene, by the next visitor", traffic)
    with step("review: sheet, map, histogram", page, traffic):
        page.locator("[class*=st-key-open-]").get_by_role("button").first.click()
        expect(page.get_by_role("option").first).to_be_visible(timeout=WAIT)
    page.keyboard.press("m")
    chart = page.get_by_role("application", name="Map of the scene")
    with step("zooming in by eight turns of the wheel", page, traffic):
        chart.hover()
        for _ in range(8):
            page.mouse.wheel(0, -240)
            page.wait_for_timeout(200)
    page.keyboard.press("Escape")
    with step("the second place", page, traffic):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(REST)
    with step("results", page, traffic):
        page.get_by_role("link", name="Results", exact=True).click()
        expect(page.get_by_text("Take away")).to_be_visible(timeout=WAIT)
    print(json.dumps({"streamlit_program_mb": round(traffic.program / 1e6, 2)}))


def overview(page: Page, scene: str, name: str, traffic: Traffic) -> None:
    """Choose the scene from the folder; its picture is there."""
    page.get_by_text("Folder", exact=True).click()
    page.get_by_role("combobox", name="Picture").click()
    with step(name, page, traffic):
        page.get_by_role("option", name=scene).click()
        expect(page.get_by_text(f"{scene}, grey from")).to_be_visible(timeout=WAIT)
        page.wait_for_function(
            "() => [...document.images].some(i => i.complete && i.naturalHeight > 400)"
        )


def main() -> None:
    """Prints one line of JSON a step."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("home", type=Path)
    parser.add_argument("--scale", type=float, default=1.0, help="of area (default 1)")
    parser.add_argument("--picture", type=Path, help="a picture of the last page, to look at")
    given = parser.parse_args()
    scene = full_scene(given.folder, given.scale)
    os.environ["NEEDLE_SCENES"] = str(given.folder)
    with ExitStack() as stack:
        log = Path(stack.enter_context(tempfile.TemporaryDirectory()), "log")
        address = stack.enter_context(serving.dashboard(given.home, log))
        page = stack.enter_context(serving.browser()).new_page(viewport=SIZE)
        traffic = Traffic()
        traffic.watch(page)
        try:
            drive(page, address, scene.name, traffic)
        finally:
            if given.picture:
                page.screenshot(path=given.picture, type="jpeg")


if __name__ == "__main__":
    main()
