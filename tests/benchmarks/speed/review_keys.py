"""Keys of the Review page in a real browser: from the press to what it shows, and opening the page.

    python -m tests.benchmarks.speed.review_keys HOME [--each 50] [--sigma 0] [--scene NAME]

Opens the newest finished scan of HOME whose places are described (of the scene that is named) with
the places beyond sigma listed, and judges some of them: verdicts are filed, so give a home that is
for this alone. One line of JSON for the opening of the page, until pictures are there, and one a
key: the median and the slowest of so many, in ms from the key's event to the end of the frame that
shows what it does. N: a verdict, and the cursor on the next place. Right: the next place's large
picture. S: the sheet sorted by likeness. E: what looks alike in other scenes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import BrowserContext, Page, expect

from dashboard.detector import ScanStore, list_scans
from tests.browser import serving
from tests.browser.scanned import card, rest

SIZE = {"width": 1440, "height": 900}
NAMED = 'localStorage.setItem("needle.reviewer", "ann");'
APART = 100  # ms between keys
# Times from a key's event to the end of the first frame in which a condition holds.
WATCH = """([key, condition]) => {
  const every = [document, ...[...document.querySelectorAll("*")].map((one) => one.shadowRoot)];
  const root = every.find((one) => one && one.querySelector(".review"));
  const large = root.querySelector(".large");
  const at = () => root.querySelector("[aria-current=true]").dataset.at;
  const holds = new Function("root", "large", "at", "was", `return ${condition}`);
  window.times = [];
  document.removeEventListener("keydown", window.watched, true);
  window.watched = (event) => {
    if (event.key !== key) return;
    const was = { at: at(), large: large.getAttribute("src") };
    const look = () => requestAnimationFrame(() => setTimeout(() => {
      if (holds(root, large, at, was)) window.times.push(performance.now() - event.timeStamp);
      else look();
    }));
    look();
  };
  document.addEventListener("keydown", window.watched, true);
}"""


class Timed(NamedTuple):
    """A key, what holds when it has done what it does, and the keys that lead to the next try."""

    key: str
    done: str
    then: Sequence[str] = ()


KEYS = (
    Timed("n", "at() !== was.at"),
    Timed(
        "ArrowRight",
        "large.getAttribute('src') !== was.large && large.complete && large.naturalWidth > 0",
    ),
    Timed(
        "s",
        "root.querySelector('.views [aria-pressed=true]').dataset.view === 'like'",
        ("Escape", "ArrowRight"),
    ),
    Timed("e", "root.querySelector('.similar a') !== null", ("Escape", "ArrowRight")),
)


def press(page: Page, timed: Timed, count: int) -> dict[str, object]:
    """The times of so many presses of a key."""
    page.evaluate(WATCH, [timed.key, timed.done])
    for number in range(1, count + 1):
        page.keyboard.press(timed.key)
        page.wait_for_function("(number) => window.times.length >= number", arg=number)
        for key in timed.then:
            page.keyboard.press(key)
        page.wait_for_timeout(APART)
    times: list[float] = page.evaluate("() => window.times")
    return {
        "key": timed.key,
        "times": len(times),
        "median_ms": round(statistics.median(times), 1),
        "slowest_ms": round(max(times), 1),
    }


def opening(context: BrowserContext, address: str) -> tuple[Page, float]:
    """A page that is opened, and the seconds until the pictures of the first places are there."""
    page = context.new_page()
    began = time.monotonic()
    page.goto(address)
    expect(card(page, 1).locator("img")).not_to_have_js_property("naturalWidth", 0)
    seconds = time.monotonic() - began
    rest(page)
    return page, seconds


def chosen(home: Path, scene: str | None) -> ScanStore:
    """The scan that is opened."""
    return next(
        store
        for store in list_scans(home)
        if store.finished and store.places() and scene in (None, store.scene_name)
    )


def main() -> None:
    """Opens the page three times, then presses each key."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("--each", type=int, default=50)
    parser.add_argument("--sigma", type=float, default=0.0)
    parser.add_argument("--scene", help="the name of its picture")
    given = parser.parse_args()
    store = chosen(given.home, given.scene)
    expect.set_options(timeout=120_000)
    with (
        tempfile.TemporaryDirectory() as work,
        serving.dashboard(given.home, Path(work) / "log") as address,
        serving.browser() as browser,
    ):
        context = browser.new_context(viewport=SIZE)
        context.add_init_script(NAMED)
        url, seconds = f"{address}/review?scan={store.key}&sigma={given.sigma:g}", []
        for _ in range(3):
            page, took = opening(context, url)
            seconds.append(round(took, 2))
        scans = len(list_scans(given.home))
        about = {"scene": store.scene_name, "places": store.record.places, "scans": scans}
        print(json.dumps(about | {"opened_seconds": seconds}), flush=True)
        for timed in KEYS:
            print(json.dumps(press(page, timed, given.each)), flush=True)


if __name__ == "__main__":
    main()
