"""Several people at once on one server: uploads, scans, verdicts, downloads, in real browsers.

    python -m tests.benchmarks.load [--people 10] [--minutes 10] [--side 700] [--kill]

Each person goes round until the time is up: uploads a picture of their own, scans it with
`guarded`, calls the first three places natural, hardware and unsure, and takes away
`detections.csv`, in which those three must be. Prints a line of JSON a
minute (how many rounds are whole, how long one takes, memory of the server's processes), and one at
the end: rounds by person, seconds of each step by person, answers that were wrong, seconds of
processor that the server and the browsers took. With `--kill` the server is killed when the time is
up and verdicts are coming in: every one that it has acknowledged must be on disk.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import io
import json
import os
import signal
import sqlite3
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.async_api import (
    BrowserContext,
    Error,
    Page,
    Response,
    async_playwright,
    expect,
)

from tests.browser import serving
from tests.detector import rasters

KEYS = {"n": "natural", "h": "hardware", "q": "unsure"}  # pressed one after the other, and said
STEPS = ("open", "upload", "choose", "scan", "review", "take away")
MODEL = "guarded"


@dataclass
class Person:
    """One who reviews, and what came of each round."""

    number: int
    seconds: list[float] = field(default_factory=list)  # of whole rounds
    steps: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)  # actions that the server has taken

    @property
    def name(self) -> str:
        return f"person {self.number}"

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Takes the time of a step, and names it where it fails."""
        began = time.monotonic()
        try:
            yield
        except Exception as error:  # whatever a browser or an expectation says
            words = str(error).partition("\n")[0]
            raise StepFailed(f"{name}, {time.monotonic() - began:.0f} s: {words}") from error
        self.steps[name].append(time.monotonic() - began)

    async def listen(self, response: Response) -> None:
        """Keeps which verdicts the server says it has taken."""
        if response.request.method == "POST" and "/verdicts/" in response.url:
            with suppress(Error):  # the page is closed, or the server gone
                self.acknowledged.update((await response.json())["done"])


class StepFailed(Exception):
    """A step of a round did not come to its end."""


async def upload(page: Page, picture: Path) -> None:
    """Uploads a picture, and waits until it has been read and is shown."""
    await page.get_by_text("Upload", exact=True).click()
    await page.locator("input[type=file]").set_input_files(str(picture))
    await expect(page.get_by_text(f"{picture.name}, grey from")).to_be_visible()


async def choose(page: Page) -> None:
    box = page.get_by_role("combobox", name="Model")
    await box.click()
    await page.get_by_role("option", name=MODEL, exact=True).click()
    await expect(box).to_have_value(MODEL)


async def scan(page: Page) -> None:
    await page.get_by_role("button", name="Scan", exact=True).click()
    await expect(page.get_by_text("beyond 3 sigma in")).to_be_visible()


async def review(page: Page) -> None:
    """Gives three verdicts, and waits until the server has them."""
    await page.get_by_role("button", name="Review", exact=True).click()
    await expect(page.get_by_role("option").first).to_be_visible()
    for key in KEYS:
        await page.keyboard.press(key)
    for said in KEYS.values():
        chip = page.locator(f'.chips [data-filter="{said}"]')
        await expect(chip).to_have_text(f"{said.capitalize()} 1")
    await expect(page.locator(".saving")).to_be_hidden()


async def taken_away(page: Page) -> list[str]:
    """The verdicts in `detections.csv`."""
    await page.get_by_role("link", name="Results", exact=True).click()
    link = page.locator(".st-key-download-detections-csv").get_by_role("link")
    async with page.expect_download() as waiting:
        await link.click()
    file = await (await waiting.value).path()
    rows = csv.DictReader(io.StringIO(Path(file).read_text(encoding="utf-8-sig")))
    return [row["verdict"] for row in rows if row["verdict"]]


async def go_round(
    person: Person, context: BrowserContext, address: str, picture: Path
) -> str | None:
    """One round of a person; what was wrong with it, if anything."""
    page = await context.new_page()
    page.on("response", person.listen)
    try:
        with person.step("open"):
            await page.goto(address)
            await expect(page.get_by_text("landing-site.jp2, grey from")).to_be_visible()
        with person.step("upload"):
            await upload(page, picture)
        with person.step("choose"):
            await choose(page)
        with person.step("scan"):
            await scan(page)
        with person.step("review"):
            await review(page)
        with person.step("take away"):
            found = await taken_away(page)
    except StepFailed as error:
        return str(error)
    finally:
        await page.close()
    return None if sorted(found) == sorted(KEYS.values()) else f"verdicts taken away: {found}"


async def keep_going(
    person: Person, context: BrowserContext, address: str, side: int, until: float
) -> None:
    """Goes round and round, each time with a picture that nobody has uploaded."""
    name = json.dumps(person.name)
    await context.add_init_script(f'localStorage.setItem("needle.reviewer", {name});')
    for lap in range(1_000):
        if time.monotonic() > until:
            return
        dn = await asyncio.to_thread(ground, side, 1_000 * person.number + lap)
        with tempfile.TemporaryDirectory() as folder:
            picture = Path(folder, f"of-{person.number}-{lap}.png")
            Image.fromarray(dn).save(picture)
            began = time.monotonic()
            wrong = await go_round(person, context, address, picture)
        if wrong:
            person.wrong.append(wrong)
        else:
            person.seconds.append(time.monotonic() - began)


def ground(side: int, seed: int) -> NDArray[np.generic]:
    """Ground with three things on it to judge."""
    dn = rasters.ground(side, side, seed=seed)
    for part in (3, 5, 7):  # of the way
        dn[part * side // 10 :, part * side // 10 :][:5, :7] = 250
    return dn


def begun() -> dict[int, list[int]]:
    """The processes that this one has begun: each with those above it, itself first."""
    parents = dict[int, int]()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            said = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)] = int(said[1])
    found = dict[int, list[int]]()
    for number in parents:
        above = [number]
        while (parent := parents.get(above[-1])) is not None:
            above.append(parent)
        if os.getpid() in above[1:]:
            found[number] = above
    return found


def processes() -> Iterator[int]:
    """The numbers of the dashboard's processes."""
    for number in begun():
        with suppress(OSError):
            command = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
            if b"dashboard" in command and b"-m" in command:
                yield number


def processor_seconds() -> dict[str, int]:
    """Seconds of processor that the server took until now, and the browsers with what drives them.

    With what their processes have waited for.
    """
    server, ticks = set(processes()), {"server": 0, "browsers": 0}
    for number, above in begun().items():
        with suppress(OSError):
            said = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
            ticks["server" if server & set(above) else "browsers"] += sum(map(int, said[11:15]))
    return {who: round(count / os.sysconf("SC_CLK_TCK")) for who, count in ticks.items()}


def resident() -> int:
    """MB that the dashboard's processes hold, shared pages counted once each."""
    found = 0
    for number in processes():
        try:
            lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        found += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return round(found / 1024)


async def tell(people: list[Person], began: float, until: float) -> None:
    """Says once a minute how it goes."""
    while time.monotonic() < until:
        await asyncio.sleep(min(60.0, max(0.0, until - time.monotonic())))
        seconds = [one for person in people for one in person.seconds]
        line = {"minute": round((time.monotonic() - began) / 60, 1), "rounds": len(seconds)}
        median = {"median_s": round(statistics.median(seconds), 1)} if seconds else {}
        print(json.dumps(line | median | {"resident_mb": resident()}), flush=True)


async def load(address: str, people: list[Person], asked: argparse.Namespace) -> dict[str, int]:
    """All people at once, each in a browser of their own; the processor time they all took."""
    patience = 1000 * asked.patience
    expect.set_options(timeout=patience)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=serving.installed_browser(), args=serving.SWITCHES
        )
        began = time.monotonic()
        until = began + 60 * asked.minutes
        contexts = [await browser.new_context(accept_downloads=True) for _ in people]
        for context in contexts:
            context.set_default_timeout(patience)
        going = asyncio.gather(
            *(
                keep_going(person, context, address, asked.side, until)
                for person, context in zip(people, contexts, strict=True)
            )
        )
        await tell(people, began, until)
        taken = processor_seconds()
        if asked.kill:
            while sum(len(person.acknowledged) for person in people) < len(people):
                await asyncio.sleep(0.01)
            for number in processes():
                os.kill(number, signal.SIGKILL)
            going.cancel()
        with suppress(asyncio.CancelledError):
            await going
        await browser.close()
        return taken


def lost(people: list[Person], home: Path) -> int:
    """How many verdicts the server has acknowledged and are not on disk."""
    with closing(sqlite3.connect(home / "verdicts.sqlite")) as base:
        known = {ticket for (ticket,) in base.execute("SELECT ticket FROM actions")}
    return len(set[str]().union(*(person.acknowledged for person in people)) - known)


def medians(step: str, people: list[Person]) -> list[float]:
    """The median seconds that a step took each person; 0 where it never came to its end."""
    return [round(statistics.median(person.steps[step] or [0.0]), 1) for person in people]


def main() -> None:
    """Prints how it went, minute by minute and in all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--side", type=int, default=700, help="px of each picture")
    parser.add_argument("--kill", action="store_true", help="the server, when the time is up")
    parser.add_argument("--patience", type=float, default=240, help="s that one step may take")
    given = parser.parse_args()
    people = [Person(number) for number in range(given.people)]
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        with serving.dashboard(folder / "home", folder / "dashboard.log") as address:
            taken = asyncio.run(load(address, people, given))
            time.sleep(5)
            line: dict[str, Any] = {
                "rounds": [len(person.seconds) for person in people],
                "step_s": {name: medians(name, people) for name in STEPS},
                "processor_s": taken,
                "wrong": [wrong for person in people for wrong in person.wrong],
                "acknowledged": sum(len(person.acknowledged) for person in people),
                "lost": lost(people, folder / "home"),
                "resident_mb": resident(),
                "tracebacks": (folder / "dashboard.log").read_text().count("Traceback"),
            }
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
