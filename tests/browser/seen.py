"""Checks of every page, whatever it shows: in its frame, readable, without a fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

DESKTOP, TABLET = {"width": 1280, "height": 800}, {"width": 820, "height": 1180}
CONTRAST = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")
FADES = 30  # tenths of a second at most until what opens can be read
CUT_OFF = """() => [...document.querySelectorAll(
  "button p, button p *, [role=tab] p, [role=radio], h2, h3")]
  .filter((one) => one.checkVisibility())
  .filter((one) => {
    const around = one.parentElement, inner = one.getBoundingClientRect();
    return one.scrollWidth > one.clientWidth + 1
      || (one.role === "radio" && inner.right > around.getBoundingClientRect().right + 1);
  })
  .map((one) => one.innerText)"""


def expect_readable(page: Page) -> None:
    """Every word stands out from what is behind it."""
    faint: list[dict[str, Any]] = page.evaluate(CONTRAST)
    for _ in range(FADES):
        if not faint:
            return
        page.wait_for_timeout(100)  # what opens fades in
        faint = page.evaluate(CONTRAST)
    assert not faint, "\n".join(f"{one['ratio']:.2f} {one}" for one in faint)


def expect_in_frame(page: Page) -> None:
    """Nothing is wider than the window, and no word of a button or heading is cut off."""
    size = page.viewport_size
    assert size is not None
    assert page.evaluate("() => document.documentElement.scrollWidth") <= size["width"], page.url
    assert not page.evaluate(CUT_OFF), page.url


def expect_calm(page: Page) -> None:
    """The page is in its frame and readable, at both sizes, and shows no fault of ours."""
    expect(page.get_by_test_id("stException")).to_have_count(0)
    for size in (TABLET, DESKTOP):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.wait_for_timeout(400)  # charts follow
        expect_in_frame(page)
        expect_readable(page)
