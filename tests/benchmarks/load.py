"""Several people at once on one server: uploads, scans, verdicts, downloads, in real browsers.

    python -m tests.benchmarks.load [--people 10] [--minutes 10] [--side 700]

Each person goes round until the time is up: uploads a picture of their own, scans it with
`guarded`, calls the first three places natural, hardware and unsure, and takes away
`detections.csv`, in which those three must be. Prints a line of JSON a
minute (how many rounds are whole, how long one takes, memory of the server's processes), and one at
the end: rounds by person, answers that were wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import io
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from playwright.async_api import BrowserContext, Page, async_playwright, expect

from tests.browser import serving
from tests.detector import rasters

PATIENCE = 240_000  # ms that one step may take
KEYS = {"n": "natural", "h": "hardware", "q": "unsure"}  # pressed one after the other, and said
MODEL = "guarded"


@dataclass
class Person:
    """One who reviews, and what came of each round."""

    number: int
    seconds: list[float] = field(default_factory=list)  # of whole rounds
    wrong: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"person {self.number}"


async def upload(page: Page, picture: Path) -> None:
    await page.get_by_text("Upload", exact=True).click()
    await page.locator("input[type=file]").set_input_files(str(picture))
    await expect(page.get_by_text(picture.name).first).to_be_visible()


async def scan(page: Page) -> None:
    await page.get_by_role("combobox", name="Model").click()
    await page.get_by_role("option", name=MODEL, exact=True).click()
    await expect(page.get_by_text("on this machine")).to_be_visible()
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
    button = page.locator(".st-key-download-detections-csv").get_by_role("button")
    async with page.expect_download() as waiting:
        await button.click()
    file = await (await waiting.value).path()
    rows = csv.DictReader(io.StringIO(Path(file).read_text(encoding="utf-8-sig")))
    return [row["verdict"] for row in rows if row["verdict"]]


async def go_round(context: BrowserContext, address: str, picture: Path) -> str | None:
    """One round of a person; what was wrong with it, if anything."""
    page = await context.new_page()
    try:
        await page.goto(address)
        await upload(page, picture)
        await scan(page)
        await review(page)
        found = await taken_away(page)
    except Exception as error:  # whatever a browser or an expectation says
        return str(error).partition("\n")[0]
    finally:
        await page.close()
    return None if sorted(found) == sorted(KEYS.values()) else f"verdicts taken away: {found}"


async def keep_going(
    person: Person, context: BrowserContext, address: str, folder: Path, side: int, until: float
) -> None:
    """Goes round and round, each time with a picture that nobody has uploaded."""
    context.set_default_timeout(PATIENCE)
    name = json.dumps(person.name)
    await context.add_init_script(f'localStorage.setItem("needle.reviewer", {name});')
    for lap in range(1_000):
        if time.monotonic() > until:
            return
        dn = rasters.ground(side, side, seed=1_000 * person.number + lap)
        for part in (3, 5, 7):  # of the way: something to judge
            dn[part * side // 10 :, part * side // 10 :][:5, :7] = 250
        picture = folder / f"of-{person.number}-{lap}.png"
        Image.fromarray(dn).save(picture)
        began = time.monotonic()
        wrong = await go_round(context, address, picture)
        picture.unlink()
        if wrong:
            person.wrong.append(wrong)
        else:
            person.seconds.append(time.monotonic() - began)


def processes() -> Iterator[int]:
    """The numbers of the dashboard's processes."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        if b"dashboard" in command and b"-m" in command:
            yield int(folder.name)


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


async def load(address: str, folder: Path, people: list[Person], minutes: float, side: int) -> None:
    """All people at once, each in a browser of their own."""
    expect.set_options(timeout=PATIENCE)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=serving.installed_browser(), args=serving.SWITCHES
        )
        began = time.monotonic()
        until = began + 60 * minutes
        contexts = [await browser.new_context(accept_downloads=True) for _ in people]
        await asyncio.gather(
            tell(people, began, until),
            *(
                keep_going(person, context, address, folder, side, until)
                for person, context in zip(people, contexts, strict=True)
            ),
        )
        await browser.close()


def main() -> None:
    """Prints how it went, minute by minute and in all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--side", type=int, default=700, help="px of each picture")
    given = parser.parse_args()
    people = [Person(number) for number in range(given.people)]
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        with serving.dashboard(folder / "home", folder / "dashboard.log") as address:
            asyncio.run(load(address, folder, people, given.minutes, given.side))
            time.sleep(5)
            line = {
                "rounds": [len(person.seconds) for person in people],
                "wrong": [wrong for person in people for wrong in person.wrong],
                "resident_mb": resident(),
                "tracebacks": (folder / "dashboard.log").read_text().count("Traceback"),
            }
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
