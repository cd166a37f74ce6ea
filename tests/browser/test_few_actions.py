"""Pathfinder's scene reviewed by its truth, through the page, in few actions."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from dashboard.detector import Box, Verdict, Verdicts, ingest, list_scans, sigma_map
from dashboard.detector.review.decisions import Subject
from tests.browser import serving
from tests.browser.scanned import card, chip, expect_saved, rest
from tests.detector import rasters
from training.truth import truth_of

PICTURE = rasters.DATA / "scenes" / "pathfinder.png"
REJECTED = 100  # places to be called natural, beside all hardware
MOST = 25  # actions
SCREEN = 12  # places in sight: larger kinds are sooner rejected as such
NEAR = 24  # px around the box of an object, within which a place is its own


@dataclass
class Reviewer:
    """Someone who knows on sight what is hardware, and counts what they do."""

    page: Page
    actions: int = 0

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.actions += 1

    def click(self, what: Locator) -> None:
        what.click()
        self.actions += 1

    def find(self, wanted: list[int]) -> None:
        """Calls hardware what is, of what is in sight; takes it off the wanted ranks."""
        for rank in list(wanted):
            place = card(self.page, rank)
            if not place.count():
                continue
            if place.get_attribute("aria-current") != "true":
                self.click(place)
            self.press("h")
            wanted.remove(rank)

    def count(self, verdict: str) -> int:
        words = chip(self.page, verdict).inner_text()
        return int(words.rpartition(" ")[2].replace(",", ""))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Pathfinder's scene has been scanned by the default model."""
    if not PICTURE.exists():
        pytest.skip("needs pathfinder.png of ../shared/data")
    folder = tmp_path_factory.mktemp("pathfinder")
    command = [
        sys.executable,
        "-m",
        "dashboard",
        "scan",
        str(PICTURE),
        "--out",
        str(folder / "out"),
    ]
    own = {"NEEDLE_HOME": str(folder / "home")}
    subprocess.run(command, cwd=serving.ROOT, env=os.environ | own, check=True, capture_output=True)
    return folder / "home"


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    """The review page with that scan."""
    (store,) = list_scans(home)
    with serving.dashboard(home, home.parent / "dashboard.log") as found:
        yield f"{found}/review?scan={store.key}&sigma=3"


def boxes(home: Path) -> list[Box]:
    """Where hardware lies."""
    truth = truth_of(PICTURE, ingest(PICTURE, home))
    assert truth is not None
    return [one.box.grow(NEAR) for one in truth.objects]


def hardware_ranks(home: Path, objects: list[Box]) -> list[int]:
    """The best rank of each object."""
    (store,) = list_scans(home)
    found = sigma_map(store.scores(), "places").find(0.0, scene=store.scene())
    inside = [[one.rank for one in found if box.holds(one.x, one.y)] for box in objects]
    return sorted(ranks[0] for ranks in inside)


def test_three_pieces_found_and_a_hundred_places_rejected_in_few_actions(
    context: BrowserContext, home: Path, address: str
) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(address)
    expect(chip(page, "open")).to_be_visible()
    rest(page)
    person, objects = Reviewer(page), boxes(home)
    _list_more(person)
    wanted = hardware_ranks(home, objects)
    for row in page.get_by_role("button", name=re.compile("^Like place")).all():
        if int(row.inner_text().split()[-1]) > SCREEN:
            person.press("k")
            person.find(wanted)
            person.press("Shift+N")
    person.click(page.get_by_role("button", name=re.compile("^All, strongest first")))
    person.click(chip(page, "open"))
    for _ in range(MOST):
        person.find(wanted)
        if not wanted and person.count("natural") >= REJECTED:
            break
        person.press("x")
        rest(page)
    expect_saved(page)
    assert not wanted, "all hardware was in sight"
    assert person.count("natural") >= REJECTED
    assert person.count("hardware") == len(objects)
    assert person.actions <= MOST
    (store,) = list_scans(home)
    said = Verdicts(home).current(Subject.of(store))
    called = [place for place, one in said.items() if one.verdict is Verdict.HARDWARE]
    assert len(called) == len(objects)
    assert all(any(box.holds(*place) for place in called) for box in objects)
    page.close()


def _list_more(person: Reviewer) -> None:
    """Lowers the threshold to about 2 sigma by its slider, in four actions."""
    person.press("t")
    person.page.get_by_role("slider", name="Threshold").focus()
    person.actions += 1
    person.press("PageDown")
    person.page.wait_for_url(re.compile(r"sigma=(1\.[5-9]|2\.[0-5]|2(&|$))"))
    person.press("Escape")
    rest(person.page)
