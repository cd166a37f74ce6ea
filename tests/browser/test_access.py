"""The pages for everyone: two sizes, keys alone, contrast, and nothing that jumps."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.scanned import (
    REST,
    Scanned,
    expect_chosen,
    expect_reviewed,
    open_filter,
)
from tests.browser.seen import DESKTOP, TABLET, expect_in_frame, expect_readable

PAGES = ("review", "results", "models")
SIZES = {"desktop": DESKTOP, "tablet": TABLET}
STILL = (".sheet", ".picture", ".verdicts", ".rank", ".beside", ".fields", ".map", ".chips")
WATCH = """(parts) => {
  const ours = [...document.querySelectorAll(".st-key-review *")].find((one) => one.shadowRoot);
  const places = parts.map((part) => ours.shadowRoot.querySelector(part));
  const at = () => places.map((one) => one.getBoundingClientRect());
  const first = at();
  window.moved = 0;
  const look = () => {
    at().forEach((box, i) => {
      if (box.width) window.moved = Math.max(
        window.moved, Math.abs(box.x - first[i].x), Math.abs(box.y - first[i].y));
    });
    requestAnimationFrame(look);
  };
  look();
}"""
STEADY = 0.1  # of Chromium's layout shift in all: "good" by web.dev/articles/cls
SHIFTS = """new PerformanceObserver((list) => {
  for (const one of list.getEntries()) window.shifted = (window.shifted || 0) + one.value;
}).observe({ type: "layout-shift", buffered: true });
window.shifted = 0;"""
# What has the focus, into the roots of our own components, and how it is called.
FOCUSED = """() => {
  let node = document.activeElement;
  while (node.shadowRoot && node.shadowRoot.activeElement) node = node.shadowRoot.activeElement;
  const named = node.getAttribute("aria-labelledby");
  return node.getAttribute("aria-label") || (node.labels && node.labels[0]?.innerText)
    || (named && named.split(" ").map((id) => document.getElementById(id)?.innerText).join(" "))
    || node.innerText || node.title || `nameless ${node.tagName} ${node.className}`;
}"""


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_map_and_verdict_are_in_sight_together_and_nothing_is_cut_off(
    context: BrowserContext, scanned: Scanned, size: dict[str, int]
) -> None:
    page = context.new_page()
    page.set_viewport_size(size)
    for name in PAGES:
        scanned.open(page, name)
        expect_in_frame(page)
    scanned.open(page)
    buttons = [page.get_by_role("button", name=re.compile(f"^{v}")) for v in VERDICTS]
    for part in (page.locator(".picture"), *buttons):
        box = part.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= size["height"]
        assert box["x"] + box["width"] <= size["width"]
        assert box["height"] >= 24  # px that a finger needs, by WCAG 2.2


def test_nothing_but_the_sheet_scrolls_and_fields_and_keys_are_in_sight(
    context: BrowserContext, scanned: Scanned
) -> None:
    page = context.new_page()
    for size in ({"width": 1280, "height": 720}, {"width": 1440, "height": 900}):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        scanned.open(page)
        page.mouse.move(size["width"] / 2, 30)
        page.mouse.wheel(0, 500)
        assert page.evaluate("() => document.querySelector('.stMain').scrollTop + scrollY") == 0
        for part in (".fields", ".hints", ".left .drawer", ".map", ".verdicts"):
            box = page.locator(part).bounding_box()
            assert box is not None, part
            assert box["y"] + box["height"] <= size["height"], part
        cards = page.get_by_role("option").all()
        seen = [box for box in (one.bounding_box() for one in cards) if box]
        whole = [box for box in seen if box["y"] + box["width"] < size["height"] - 30]
        assert len(whole) >= 6
        assert all(box["width"] > 170 for box in whole)


@pytest.mark.parametrize("size", SIZES, ids=SIZES)
@pytest.mark.parametrize("name", REST)
def test_nothing_jumps_while_a_page_comes(
    browser: Browser, scanned: Scanned, name: str, size: str
) -> None:
    context = browser.new_context(viewport=SIZES[size])  # type: ignore[arg-type]
    context.set_default_timeout(60_000)
    context.add_init_script(SHIFTS)
    try:
        page = scanned.open(context.new_page(), name)  # with nothing of Streamlit kept
        page.wait_for_timeout(500)  # pictures
        assert page.evaluate("() => window.shifted") < STEADY
    finally:
        context.close()


VERDICTS = ("Hardware", "Natural", "Artefact", "Unsure")


def test_keys_alone_choose_select_and_decide(review: Page, scanned: Scanned) -> None:
    total = len(scanned.finds)
    assert str(review.evaluate(FOCUSED)).startswith("Place 1, ")  # where the cursor is
    reached: list[str] = []
    while "Note" not in reached and len(reached) < 15:
        review.keyboard.press("Tab")
        reached.append(str(review.evaluate(FOCUSED)))
    assert not [name for name in reached if name.startswith("nameless")]
    assert [name.split()[0] for name in reached[:4]] == list(VERDICTS)  # in five stops
    review.keyboard.press("Escape")
    review.keyboard.press("Space")
    expect(review.locator(".said")).to_have_text("1 chosen")
    review.keyboard.press("ArrowRight")
    expect_chosen(review, 2)
    assert str(review.evaluate(FOCUSED)).startswith("Place 2, ")
    review.keyboard.press("h")
    expect_chosen(review, 3)
    assert str(review.evaluate(FOCUSED)).startswith("Place 3, ")
    expect(review.locator(".said")).to_have_text("Place 2: hardware")  # a live region
    expect_reviewed(review, 1, total)
    review.keyboard.press("?")
    expect(review.get_by_role("dialog")).to_contain_text("hardware, natural, artefact, unsure")
    review.keyboard.press("Escape")
    review.keyboard.press("n")
    expect_reviewed(review, 2, total)


@pytest.mark.parametrize("name", PAGES)
def test_every_word_stands_out_from_what_is_behind_it(
    context: BrowserContext, scanned: Scanned, name: str
) -> None:
    page = scanned.open(context.new_page(), name)
    if name == "review":
        page.keyboard.press("h")
        expect_chosen(page, 2)
        page.keyboard.press("w")
        expect(page.get_by_text("Flagged because")).to_be_visible()
        expect_readable(page)
        page.keyboard.press("Escape")
        open_filter(page)
    expect_readable(page)


def test_nothing_jumps_from_find_to_find(review: Page, scanned: Scanned) -> None:
    review.evaluate(WATCH, list(STILL))
    for key, rank in (("ArrowRight", 2), ("h", 3), ("n", 4), ("u", 3), ("ArrowLeft", 2)):
        review.keyboard.press(key)
        expect_chosen(review, rank)
    review.keyboard.press("Space")
    expect(review.locator(".said")).to_have_text("1 chosen")
    assert review.evaluate("() => window.moved") < 1
