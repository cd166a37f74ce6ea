"""The pages for everyone: two sizes, keys alone, contrast, and nothing that jumps."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.scanned import (
    REST,
    Scanned,
    canvas,
    card,
    expect_chosen,
    expect_reviewed,
    open_filter,
    rest,
)
from tests.browser.seen import DESKTOP, TABLET, expect_in_frame, expect_readable

PAGES = ("review", "results", "models")
SIZES = {"desktop": DESKTOP, "tablet": TABLET}
STILL = ("map", "verdict-hardware", "step1", "undo", "histogram", "gallery")
WATCH = """(keys) => {
  const places = keys.map((key) => document.querySelector(`.st-key-${key}`));
  const top = document.querySelector(".needle-header"); // it scrolls as they do
  const at = () => places.map((one) => {
    const box = one.getBoundingClientRect(), from = top.getBoundingClientRect();
    return { x: box.x - from.x, y: box.y - from.y, width: box.width };
  });
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
    for part in (canvas(page), *(page.locator(f".st-key-verdict-{v}") for v in VERDICTS)):
        box = part.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= size["height"]
        assert box["x"] + box["width"] <= size["width"]
        assert box["height"] >= 24  # px that a finger needs, by WCAG 2.2


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


VERDICTS = ("hardware", "natural", "artefact", "unsure")


def test_keys_alone_choose_select_and_decide(review: Page, scanned: Scanned) -> None:
    total = len(scanned.finds)
    reached: list[str] = []
    while "Select find 2" not in reached and len(reached) < 90:
        review.keyboard.press("Tab")
        reached.append(str(review.evaluate(FOCUSED)))
    assert not [name for name in reached if name.startswith("nameless")]
    for wanted in ("Threshold", "Map of the scene", "Closer", "Find 1, ", "Select find 1"):
        assert [name for name in reached if name.startswith(wanted)], wanted
    review.keyboard.press("Space")
    expect(review.get_by_text("1 selected")).to_be_visible()
    rest(review)
    card(review, 2).focus()
    review.keyboard.press("ArrowRight")
    assert str(review.evaluate(FOCUSED)).startswith("Find 3, ")
    review.keyboard.press("Enter")
    expect_chosen(review, 3)
    assert str(review.evaluate(FOCUSED)).startswith("Find 3, ")  # the focus stays
    review.keyboard.press("h")
    expect_chosen(review, 4)
    expect_reviewed(review, 1, total)
    canvas(review).focus()
    review.keyboard.press("Enter")  # the find in the middle of the map
    expect_chosen(review, 4)


@pytest.mark.parametrize("name", PAGES)
def test_every_word_stands_out_from_what_is_behind_it(
    context: BrowserContext, scanned: Scanned, name: str
) -> None:
    page = scanned.open(context.new_page(), name)
    if name == "review":
        page.keyboard.press("h")
        expect_chosen(page, 2)
        page.get_by_text("Why", exact=True).click()
        expect(page.get_by_text("Flagged because")).to_be_visible()
        open_filter(page)
    expect_readable(page)


def test_nothing_jumps_from_find_to_find(review: Page, scanned: Scanned) -> None:
    review.evaluate(WATCH, list(STILL))
    for key, rank in (("ArrowRight", 2), ("h", 3), ("n", 4), ("z", 3), ("ArrowLeft", 2)):
        review.keyboard.press(key)
        expect_chosen(review, rank)
    review.get_by_role("checkbox", name="Select find 2", exact=True).check()
    expect(review.get_by_text("1 selected")).to_be_visible()
    rest(review)
    assert review.evaluate("() => window.moved") < 1
