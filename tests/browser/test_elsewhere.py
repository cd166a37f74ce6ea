"""Where else a place's like was seen: asked by a key, opened by a click, closed without a trace."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, expect

from dashboard.detector import (
    DEFAULT_RULE,
    By,
    Change,
    Model,
    ScanStore,
    Scene,
    Subject,
    Verdict,
    Verdicts,
    sigma_map,
)
from tests.browser.scanned import chip, expect_chosen, rest
from tests.detector import rasters
from tests.detector.scans import finish_scan

Scenes = Callable[..., Scene]
SHIFT = 40  # px from one scene to the other


@pytest.fixture
def scans(scene_of: Scenes, judged: Model) -> tuple[ScanStore, ScanStore]:
    """Scans of a plain, and of the same plain further to the right."""
    ground = rasters.ground(600, 800)
    shifted = scene_of(np.roll(ground, SHIFT, axis=1), name="shifted.tif")
    return finish_scan(scene_of(ground), judged), finish_scan(shifted, judged)


def test_e_shows_what_looks_alike_in_other_scenes_and_a_click_opens_it(
    scans: tuple[ScanStore, ScanStore], context: BrowserContext, dashboard: str
) -> None:
    store, other = scans
    listed, known = (sigma_map(one.scores(), DEFAULT_RULE).find(1.0) for one in scans)
    places = {one.place for one in known}
    both = [one for one in listed if (one.x + SHIFT, one.y) in places]
    here, there = both[0], (both[0].x + SHIFT, both[0].y)
    by = By("bob", "bobs window")
    Verdicts().decide(Subject.of(other), [(there, Change(Verdict.HARDWARE))], by)
    page = context.new_page()
    page.goto(f"{dashboard}/review?scan={store.key}&sigma=1&find={here.x},{here.y}")
    expect_chosen(page, here.rank)
    rest(page)
    page.keyboard.press("e")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name=f"Like place {here.rank}, elsewhere")).to_be_visible()
    best = dialog.get_by_role("link").first
    expect(best).to_have_text("shifted.tif\n100 % alike\nhardware")
    expect(best.locator("img")).not_to_have_js_property("naturalWidth", 0)
    with context.expect_page() as opened:
        best.click()
    expect(chip(opened.value, "hardware")).to_have_text("Hardware 1")
    chosen = opened.value.locator(".known")
    expect(chosen).to_contain_text(f"x {round(there[0])}, y {round(there[1])} px")
    page.bring_to_front()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.keyboard.press("ArrowRight")
    chosen = page.locator("[role=option][aria-current=true]")
    expect(chosen).not_to_have_accessible_name(re.compile(rf"^Place {here.rank}, "))
