"""The demo scene, scanned, and a dashboard that shows it: what most browser tests look at."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Locator, Page, expect

from dashboard.background.uploads import DEMO
from dashboard.detector import (
    DEFAULT_RULE,
    Decision,
    Detection,
    Entry,
    ScanStore,
    Scene,
    Subject,
    Verdict,
    Verdicts,
    list_scans,
    sigma_map,
)
from tests.browser import serving

SIGMA = 5.0  # some hundred places: several screens of the sheet
MODEL = "guarded"  # several times as fast as the default
REST = {  # the words by which a page has all that it shows
    "scan": "on this machine (",
    "review": "All",
    "results": "Take away",
    "models": "What it does",
}

Place = tuple[float, float]


@dataclass(frozen=True)
class Scanned:
    """A dashboard with one finished scan."""

    home: Path
    address: str

    @cached_property
    def store(self) -> ScanStore:
        (store,) = list_scans(self.home)
        return store

    @cached_property
    def scene(self) -> Scene:
        return self.store.scene()

    @cached_property
    def finds(self) -> list[Detection]:
        """The places beyond the threshold of these tests, strongest first."""
        measured = sigma_map(self.store.scores(), DEFAULT_RULE)
        return measured.find(SIGMA, scene=self.scene)

    @property
    def subject(self) -> Subject:
        return Subject(self.store.record.scene_sha256, self.store.record.model_sha256)

    @property
    def decisions(self) -> Mapping[Place, Decision]:
        """The verdicts on disk."""
        return Verdicts(self.home).current(self.subject)

    @property
    def verdicts(self) -> dict[int, Verdict]:
        """The verdicts on disk, by the ranks of their places."""
        ranks = {found.place: found.rank for found in self.finds}
        return {ranks[place]: one.verdict for place, one in self.decisions.items() if one.verdict}

    @property
    def history(self) -> list[Entry]:
        return Verdicts(self.home).history(self.subject)

    def forget(self) -> None:
        """Removes all verdicts; what the dashboard itself never does."""
        for path in self.home.glob(f"{Verdicts(self.home).path.name}*"):
            path.unlink()

    def url(self, name: str = "review", **state: object) -> str:
        """The address of a page with the scan open."""
        said = {"scan": self.store.key, "sigma": f"{SIGMA:g}"} | state
        return f"{self.address}/{name}?{urlencode(said)}"

    def open(self, page: Page, name: str = "review", **state: object) -> Page:
        """Loads one of the pages and waits until it has come to rest."""
        page.goto(self.url(name, **state))
        shown = chip(page, "") if name == "review" else page.get_by_text(REST[name]).first
        expect(shown).to_be_visible()
        rest(page)
        if name == "review" and page.locator(".left").is_visible():
            expect(canvas(page)).to_have_attribute("data-waiting", "0")
        return page


@contextmanager
def scanned_demo(folder: Path) -> Iterator[Scanned]:
    """Scans the demo scene on the command line and serves what was found."""
    home = folder / "home"
    command = [sys.executable, "-m", "dashboard", "scan", str(DEMO), "--model", MODEL]
    subprocess.run(
        [*command, "--out", str(folder / "out")],
        cwd=serving.ROOT,
        env=os.environ | {"NEEDLE_HOME": str(home)},
        check=True,
        capture_output=True,
    )
    with serving.dashboard(home, folder / "dashboard.log") as address:
        yield Scanned(home, address)


def rest(page: Page) -> None:
    """Waits until no script of the page runs."""
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning")


def canvas(page: Page) -> Locator:
    """The map."""
    return page.get_by_role("application", name="Map of the scene")


def button(page: Page, name: str) -> Locator:
    """A button that may say its key behind its name."""
    return page.get_by_role("button", name=re.compile(rf"^{name}( Shortcut .+)?$"))


def card(page: Page, rank: int) -> Locator:
    """The picture of a place in the sheet."""
    return page.get_by_role("option", name=re.compile(rf"^Place {rank}, "))


def chip(page: Page, which: str) -> Locator:
    """The button that shows the places of one verdict, with their count; all without one."""
    return page.locator(f'.chips [data-filter="{which}"]')


def open_drawer(page: Page) -> None:
    """Opens the threshold and what else decides which places are listed."""
    expect(chip(page, "")).to_be_visible()  # keys are heard when there is a sheet
    rest(page)
    page.keyboard.press("t")
    expect(page.get_by_role("slider", name="Threshold")).to_be_visible()
    rest(page)


def open_filter(page: Page) -> None:
    """Opens what the sheet goes through; a press while the page is laid out may miss."""
    open_drawer(page)
    page.get_by_text("Filter", exact=True).click()
    expect(page.get_by_role("button", name="Smooth", exact=True)).to_be_visible()
    rest(page)


def expect_chosen(page: Page, rank: int) -> None:
    """Waits until a place has the cursor and is shown large."""
    chosen = page.locator("[role=option][aria-current=true]")
    expect(chosen).to_have_accessible_name(re.compile(rf"^Place {rank}, "))
    expect(page.locator(".close .rank")).to_have_text(re.compile(rf"^Rank {rank} of "))


def expect_saved(page: Page) -> None:
    """Waits until the server has all that was said."""
    expect(page.locator(".saving")).to_be_hidden()


def expect_reviewed(page: Page, count: int, total: int) -> None:
    """Waits until the page says so many places are reviewed, and the server knows."""
    expect(chip(page, "open")).to_have_text(f"Open {total - count}")
    expect_saved(page)
