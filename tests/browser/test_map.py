"""The map in a real browser: it moves, its layers show, and it leads to the sheet and back."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, CDPSession, Page, Request, expect

from dashboard.detector import Detection
from tests.browser.scanned import Scanned, canvas, card, expect_chosen, expect_saved, open_drawer
from tests.browser.seen import TABLET

WHOLE = 1.5  # px; a mouse is at a whole one, and what it zooms by doubles that
METRES = 0.25  # a pixel of the demo scene
RADIUS = 3_396_190.0  # m, of its sphere; its central meridian is 0


@dataclass(frozen=True)
class View:
    """The view of the map: its middle in px of the scene, and screen px of one of them."""

    x: float
    y: float
    scale: float

    def screen(self, page: Page, x: float, y: float) -> tuple[float, float]:
        """Where a place of the scene is in the window."""
        box = canvas(page).bounding_box()
        assert box is not None
        across = (x - self.x) * self.scale + box["x"] + box["width"] / 2
        return across, (y - self.y) * self.scale + box["y"] + box["height"] / 2

    def ground(self, page: Page, x: float, y: float) -> tuple[float, float]:
        """The place of the scene that is at a point of the window."""
        left, top = self.screen(page, 0, 0)
        return (x - left) / self.scale, (y - top) / self.scale


@pytest.fixture
def review(review: Page) -> Page:
    """The Review page with the map as large as the sheet."""
    review.keyboard.press("m")
    return review


def view(page: Page) -> View:
    """The map's view when it has been painted and no tile is missing."""
    page.evaluate("() => new Promise(done => setTimeout(() => requestAnimationFrame(done), 60))")
    expect(canvas(page)).to_have_attribute("data-waiting", "0")
    x, y, scale = (float(n) for n in str(canvas(page).get_attribute("data-view")).split(","))
    return View(x, y, scale)


def picture(page: Page) -> np.ndarray:
    """The map as it is drawn, `[H, W, 3]`."""
    view(page)
    shot = Image.open(io.BytesIO(canvas(page).screenshot())).convert("RGB")
    return np.asarray(shot).astype(int)


def rust(pixels: np.ndarray) -> int:
    """How many pixels have the colour of what is flagged."""
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    return int(((red - blue > 90) & (red - green > 60)).sum())


def test_keys_pan_and_zoom_from_the_overview_to_one_pixel(review: Page, scanned: Scanned) -> None:
    chart = canvas(review)
    chart.focus()
    whole = view(review)
    assert (whole.x, whole.y) == (scanned.scene.width / 2, scanned.scene.height / 2)
    chart.press("1")
    one = view(review)
    assert one.scale == pytest.approx(1)
    chart.press("ArrowRight")
    chart.press("ArrowUp")
    moved = view(review)
    assert (moved.x - one.x, moved.y - one.y) == pytest.approx((80, -80))
    for _ in range(12):
        chart.press("+")
    closest = view(review)
    assert closest.scale == 48
    assert (closest.x, closest.y) == pytest.approx((moved.x, moved.y))
    chart.press("0")
    assert view(review) == whole
    expect_chosen(review, 1)  # the arrows moved the map, and not the choice


def test_wheel_and_drag_hold_what_lies_under_the_cursor(review: Page) -> None:
    before = view(review)
    at = before.screen(review, 1900, 1200)
    review.mouse.move(*at)
    review.mouse.wheel(0, -400)
    after = view(review)
    assert after.scale == pytest.approx(before.scale * math.exp(300 / 400), rel=1e-3)
    assert after.screen(review, 1900, 1200) == pytest.approx(at, abs=WHOLE)
    review.mouse.down()
    review.mouse.move(at[0] + 60, at[1] - 40, steps=4)
    review.mouse.up()
    dragged = view(review)
    assert dragged.scale == after.scale
    there = (at[0] + 60, at[1] - 40)
    assert dragged.screen(review, 1900, 1200) == pytest.approx(there, abs=WHOLE)


def test_a_pinch_on_a_touchpad_zooms_where_the_cursor_is(review: Page) -> None:
    before = view(review)
    at = before.screen(review, 1200, 1700)
    review.mouse.move(*at)
    review.keyboard.down("Control")  # as browsers send it
    for _ in range(10):
        review.mouse.wheel(0, -5)
    review.keyboard.up("Control")
    after = view(review)
    assert 1.8 < after.scale / before.scale < 2.5
    assert after.screen(review, 1200, 1700) == pytest.approx(at, abs=WHOLE)
    assert review.evaluate("() => visualViewport.scale") == 1


@pytest.fixture
def fingers(browser: Browser, scanned: Scanned) -> Iterator[Page]:
    """The Review page on a tablet without mouse and keys."""
    context = browser.new_context(viewport=TABLET, has_touch=True)
    context.set_default_timeout(60_000)
    page = scanned.open(context.new_page())
    page.get_by_role("button", name="Map", exact=True).click()
    yield page
    context.close()


def touch(hand: CDPSession, kind: str, *points: tuple[float, float], first: int = 0) -> None:
    """Tells the browser where fingers of a hand are, from a first one on, or that they are lifted.

    At an end without a point all of them are.
    """
    at = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(points, start=first)]
    hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})


def test_two_fingers_hold_the_ground_under_them(fingers: Page, scanned: Scanned) -> None:
    hand, before = fingers.context.new_cdp_session(fingers), view(fingers)
    (ax, ay), (bx, by) = (before.screen(fingers, *at) for at in ((1300, 1400), (1700, 1600)))
    touch(hand, "touchStart", (ax, ay))
    touch(hand, "touchStart", (ax, ay), (bx, by))
    for part in (0.5, 1.0):  # apart, and both to the right
        there = (ax - 30 * part, ay - 15 * part), (bx + 90 * part, by + 45 * part)
        touch(hand, "touchMove", *there)
    after = view(fingers)
    grown = math.dist(*there) / math.dist((ax, ay), (bx, by))
    assert grown > 2
    assert after.scale == pytest.approx(before.scale * grown, rel=0.01)
    for point, ground in zip(there, ((1300, 1400), (1700, 1600)), strict=True):
        assert after.ground(fingers, *point) == pytest.approx(ground, abs=2 / after.scale)
    touch(hand, "touchEnd")
    touch(hand, "touchStart", there[0])
    for step in (10, 40):  # one finger pans
        touch(hand, "touchMove", (there[0][0] + step, there[0][1]))
    touch(hand, "touchEnd")
    panned = view(fingers)
    assert panned.scale == after.scale
    assert panned.ground(fingers, there[0][0] + 40, there[0][1]) == pytest.approx(
        after.ground(fingers, *there[0]), abs=2 / after.scale
    )
    assert fingers.evaluate("() => [visualViewport.scale, scrollY]") == [1, 0]
    expect_chosen(fingers, 1)  # a pinch is no tap


@pytest.mark.parametrize("stays", [0, 1])
def test_a_finger_lifted_amid_a_pinch_leaves_the_ground_under_the_other(
    fingers: Page, stays: int
) -> None:
    hand, before = fingers.context.new_cdp_session(fingers), view(fingers)
    (ax, ay), (bx, by) = (before.screen(fingers, *at) for at in ((1300, 1400), (1700, 1600)))
    touch(hand, "touchStart", (ax, ay))
    touch(hand, "touchStart", (ax, ay), (bx, by))
    there = (ax - 30, ay - 15), (bx + 60, by + 30)
    touch(hand, "touchMove", *there)
    pinched = view(fingers)
    assert pinched.scale > 1.5 * before.scale
    x, y = there[stays]
    touch(hand, "touchEnd", there[1 - stays], first=1 - stays)
    assert view(fingers) == pinched
    touch(hand, "touchMove", (x + 1, y), first=stays)  # as little as a finger trembles
    assert view(fingers).x == pytest.approx(pinched.x - 1 / pinched.scale, abs=1 / pinched.scale)
    for step in (20, 50):
        touch(hand, "touchMove", (x + step, y + step / 2), first=stays)
    dragged = view(fingers)
    assert dragged.scale == pinched.scale
    assert dragged.ground(fingers, x + 50, y + 25) == pytest.approx(
        pinched.ground(fingers, x, y), abs=2 / pinched.scale
    )
    touch(hand, "touchStart", (x + 150, y + 25), first=1 - stays)  # put down again
    assert view(fingers) == dragged
    touch(hand, "touchEnd")
    assert view(fingers) == dragged
    expect_chosen(fingers, 1)


def test_a_finger_tap_chooses_a_find(fingers: Page, scanned: Scanned) -> None:
    index = alone(scanned.finds, 1)
    wanted = scanned.finds[index]
    fingers.touchscreen.tap(*view(fingers).screen(fingers, wanted.x, wanted.y))
    expect_chosen(fingers, index + 1)


def test_scores_lie_over_the_ground_as_strongly_as_wanted(review: Page) -> None:
    asked: list[str] = []
    review.on("request", lambda request: asked.append(_path(request)))
    plain = picture(review)
    assert rust(plain) > 200  # rings
    review.get_by_role("checkbox", name="Places").uncheck()
    bare = picture(review)
    assert rust(bare) == 0
    assert np.ptp(bare, axis=2).max() < 12  # grey ground alone
    assert not [path for path in asked if "/scores/" in path]
    slider = review.get_by_role("slider", name="Opacity of the scores")
    colours = []
    for opacity in (40, 100):
        slider.fill(str(opacity))
        colours.append(float(np.ptp(picture(review), axis=2).mean()))
    assert 3 < colours[0] < 0.7 * colours[1]
    assert [path for path in asked if "/scores/" in path]
    assert not [path for path in asked if not path.startswith("/")]  # this server alone


def _path(request: Request) -> str:
    return re.sub(r"^(blob:)?http://localhost:\d+", "", request.url)


def test_scale_bar_north_and_the_place_under_the_cursor(review: Page, scanned: Scanned) -> None:
    canvas(review).press("1")
    now = view(review)
    words = review.locator(".map .bar span").inner_text()
    width = review.locator(".map .bar i").bounding_box()
    assert width is not None
    assert float(words.removesuffix(" m")) / METRES == pytest.approx(width["width"], abs=1)
    arrow = review.locator(".north").evaluate("node => getComputedStyle(node).transform")
    turned = [float(part) for part in arrow.removeprefix("matrix(").rstrip(")").split(",")]
    assert turned == pytest.approx([1, 0, 0, 1, 0, 0], abs=1e-4)  # the demo's north is up
    x, y = round(now.x) + 40.5, round(now.y) - 30.5
    review.mouse.move(*now.screen(review, x, y))
    said = review.locator(".where").inner_text()
    numbers = [float(part.replace(",", "")) for part in re.findall(r"-?[\d,]*\.?\d+", said)]
    assert numbers[:2] == pytest.approx([x, y], abs=1)
    easting, northing = 8_145_600 + METRES * x, -272_100 - METRES * y
    lon, lat = math.degrees(easting / RADIUS), math.degrees(northing / RADIUS)
    assert numbers[2:] == pytest.approx([lon, -lat], abs=2e-5)
    assert said.endswith("S")
    assert scanned.scene.lonlat(x, y) == pytest.approx((lon, lat), abs=1e-9)


def alone(finds: list[Detection], first: int) -> int:
    """The index of a place from `first` on that no other is near to."""
    for index in range(first, len(finds)):
        here = finds[index]
        far = [math.hypot(here.x - one.x, here.y - one.y) for one in finds if one is not here]
        if min(far) > 120:
            return index
    raise AssertionError("all places are near to another")


def test_a_click_on_the_map_leads_to_the_sheet(review: Page, scanned: Scanned) -> None:
    index = alone(scanned.finds, 40)
    wanted = scanned.finds[index]
    expect(card(review, index + 1)).to_have_count(0)
    review.mouse.click(*view(review).screen(review, wanted.x, wanted.y))
    expect_chosen(review, index + 1)
    review.keyboard.press("Escape")
    expect(card(review, index + 1)).to_be_focused()
    assert f"find={wanted.x:g}%2C{wanted.y:g}" in review.url


def test_a_click_on_a_bar_leads_to_the_sheet(review: Page, scanned: Scanned) -> None:
    review.keyboard.press("Escape")
    for rank in (2, 3):
        review.keyboard.press("ArrowRight")
        expect_chosen(review, rank)
    open_drawer(review)
    bars = review.locator(".js-plotly-plot .barlayer .point path")
    box = bars.last.bounding_box()
    assert box is not None
    review.mouse.move(box["x"] + 20, box["y"])
    review.mouse.click(box["x"] + box["width"] / 2, box["y"] + 4)
    chosen = review.locator("[role=option][aria-current=true]")
    expect(chosen).not_to_have_accessible_name(re.compile("^Place 3, "))
    rank = int(chosen.locator("b").inner_text())
    strongest = max(one.sigma for one in scanned.finds)
    assert strongest - scanned.finds[rank - 1].sigma < 0.2  # the last bar holds the strongest
    assert bars.first.evaluate("bar => getComputedStyle(bar).opacity") == "1"


def test_the_place_after_a_verdict_is_shown_on_the_map(review: Page, scanned: Scanned) -> None:
    third = scanned.finds[2]
    for rank in (2, 3):
        review.keyboard.press("n")
        expect_chosen(review, rank)
    expect_saved(review)
    expect(canvas(review)).to_have_attribute(
        "data-view", re.compile(f"^{third.x:.4f},{third.y:.4f},")
    )
    shown = picture(review)
    middle = shown[shown.shape[0] // 2 - 40 : shown.shape[0] // 2 + 40]
    assert rust(middle) > 20
