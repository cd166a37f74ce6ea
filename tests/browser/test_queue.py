"""Verdicts that cannot be lost: a slow server, one that is away, a reload, another window."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from dashboard.detector import By, Change, Verdict, Verdicts
from tests.browser.scanned import (
    Scanned,
    card,
    chip,
    expect_chosen,
    expect_reviewed,
    expect_saved,
)

PAUSE = 100  # ms from key to key
LONGEST = 30  # s until what was sent is on disk
# What a browser files is answered 2 s late: the server has it, and the browser does not know.
LATE = """{
  const real = window.fetch;
  window.fetch = async (address, how = {}) => {
    const answer = await real(address, how);
    if (how.method === "POST") await new Promise((done) => setTimeout(done, 2000));
    return answer;
  };
}"""
# How long it took from each key to the frame after it, in ms.
PAINTED = """() => {
  window.painted = [];
  document.addEventListener("keydown", (event) => {
    const done = () => window.painted.push(performance.now() - event.timeStamp);
    requestAnimationFrame(() => setTimeout(done));
  }, true);
}"""


def judge_31(page: Page) -> None:
    """H, then 30 N, as fast as a quick hand."""
    page.keyboard.press("h")
    for _ in range(30):
        page.wait_for_timeout(PAUSE)
        page.keyboard.press("n")


def expect_31(scanned: Scanned) -> None:
    """One piece of hardware and thirty natural places, each filed once, in the order shown."""
    wanted = {1: Verdict.HARDWARE} | dict.fromkeys(range(2, 32), Verdict.NATURAL)
    assert scanned.verdicts == wanted
    ranks = {found.place: found.rank for found in scanned.finds}
    assert [ranks[entry.place] for entry in scanned.history] == list(range(1, 32))


def expect_filed(page: Page, scanned: Scanned, wanted: dict[int, Verdict]) -> None:
    """Waits until these verdicts are on disk: an answer about one may come before the next's."""
    last = time.monotonic() + LONGEST
    while scanned.verdicts != wanted and time.monotonic() < last:
        page.wait_for_timeout(PAUSE)
    assert scanned.verdicts == wanted


def test_31_keys_are_31_verdicts_on_the_places_shown_in_order(
    review: Page, scanned: Scanned
) -> None:
    judge_31(review)
    expect_chosen(review, 32)
    expect_reviewed(review, 31, len(scanned.finds))
    expect_31(scanned)


def test_31_keys_are_31_verdicts_with_a_slow_server_and_a_reload_in_between(
    context: BrowserContext, scanned: Scanned
) -> None:
    page = context.new_page()
    page.add_init_script(LATE)
    scanned.open(page)
    page.keyboard.press("h")
    for number in range(30):
        page.wait_for_timeout(PAUSE)
        page.keyboard.press("n")
        if number == 14:
            expect(page.locator(".saving")).to_be_visible()
            page.reload()
            expect_chosen(page, 17)
    expect_reviewed(page, 31, len(scanned.finds))
    expect_31(scanned)


def test_a_verdict_that_the_server_did_not_take_is_said_kept_and_sent_again(
    review: Page, scanned: Scanned
) -> None:
    total = len(scanned.finds)
    review.route("**/verdicts/*", lambda route: route.abort())
    review.keyboard.press("h")
    expect_chosen(review, 2)
    saving = review.locator(".saving")
    expect(saving).to_have_text("1 action not saved: the server does not answer. Retry")
    expect(chip(review, "open")).to_have_text(f"Open {total - 1}")
    assert scanned.verdicts == {}
    review.reload()
    expect(saving).to_contain_text("not saved")
    review.unroute("**/verdicts/*")
    expect_reviewed(review, 1, total)
    assert scanned.verdicts == {1: Verdict.HARDWARE}


def test_what_a_closed_tab_could_not_send_another_sends(
    context: BrowserContext, scanned: Scanned
) -> None:
    closed = scanned.open(context.new_page())
    closed.route("**/verdicts/**", lambda route: route.abort())
    closed.keyboard.press("n")
    expect(closed.locator(".saving")).to_be_visible()
    closed.close()
    assert scanned.verdicts == {}
    other = scanned.open(context.new_page())
    expect_saved(other)
    expect_reviewed(other, 1, len(scanned.finds))
    assert scanned.verdicts == {1: Verdict.NATURAL}


def test_an_action_that_is_refused_is_said_holds_up_no_other_and_is_retried_by_a_click(
    review: Page, scanned: Scanned
) -> None:
    review.evaluate("""() => {
      const real = window.fetch;
      window.fetch = (address, how = {}) => real(
        address, how.body ? { ...how, body: how.body.replace("natural", "nonsense") } : how);
    }""")
    for key in "hna":
        review.keyboard.press(key)
    saving = review.locator(".saving")
    expect(saving).to_contain_text("1 action not saved: 'nonsense' is no verdict")
    expect(card(review, 2)).to_have_accessible_name(re.compile("not saved"))
    wanted = {1: Verdict.HARDWARE, 3: Verdict.ARTEFACT}
    expect_filed(review, scanned, wanted)
    review.reload()
    saving.click()
    expect_reviewed(review, 3, len(scanned.finds))
    assert scanned.verdicts == wanted | {2: Verdict.NATURAL}


def test_undo_takes_back_what_this_window_did_and_nothing_else(
    review: Page, context: BrowserContext, scanned: Scanned
) -> None:
    total = len(scanned.finds)
    places = [found.place for found in scanned.finds]
    Verdicts(scanned.home).decide(  # the same name, a colleague's window or an earlier day's
        scanned.subject, [(places[9], Change(Verdict.HARDWARE))], By("ann", "another window")
    )
    expect_reviewed(review, 1, total)
    other = scanned.open(context.new_page())
    other.keyboard.press("n")
    expect_reviewed(other, 2, total)
    review.bring_to_front()
    expect_reviewed(review, 2, total)
    review.keyboard.press("o")
    review.keyboard.press("h")
    expect_reviewed(review, 3, total)
    for _ in range(3):
        review.keyboard.press("u")
    expect(review.locator(".said")).to_contain_text("Nothing that you did in this window")
    expect_reviewed(review, 2, total)
    assert scanned.verdicts == {1: Verdict.NATURAL, 10: Verdict.HARDWARE}


def test_the_name_is_asked_for_once_before_the_first_verdict(
    context: BrowserContext, scanned: Scanned
) -> None:
    page = context.new_page()
    page.add_init_script(
        'if (!window.name) { localStorage.removeItem("needle.reviewer"); window.name = "asked"; }'
    )
    scanned.open(page)
    page.keyboard.press("h")
    page.get_by_role("textbox", name="Your name").fill("Li")
    page.keyboard.press("Enter")
    expect_chosen(page, 2)
    page.keyboard.press("n")
    expect_reviewed(page, 2, len(scanned.finds))
    assert {one.reviewer for one in scanned.decisions.values()} == {"Li"}


def test_what_another_reviewer_says_appears_within_two_seconds_and_a_dispute_is_shown(
    review: Page, scanned: Scanned
) -> None:
    total = len(scanned.finds)
    review.keyboard.press("h")
    expect_reviewed(review, 1, total)
    first, second = scanned.finds[0], scanned.finds[1]
    beside = (second.x + 6, second.y - 5)  # where another model has it
    said = [(first.place, Change(Verdict.NATURAL)), (beside, Change(Verdict.NATURAL))]
    Verdicts(scanned.home).decide(scanned.subject, said, By("bob", "bobs window"))
    began = time.monotonic()
    expect(chip(review, "disputed")).to_have_text("Disputed 1")
    assert time.monotonic() - began < 2
    expect(card(review, 2)).to_have_accessible_name(re.compile("natural"))
    review.keyboard.press("Home")
    expect(review.locator(".opinions")).to_have_text("Disputed. ann: hardware, bob: natural")
    expect_reviewed(review, 2, total)


@pytest.mark.parametrize("name", ["review", "results"])
def test_a_dead_link_opens_no_other_scan(
    context: BrowserContext, scanned: Scanned, name: str
) -> None:
    page = context.new_page()
    page.goto(f"{scanned.address}/{name}?scan=gone")
    expect(page.get_by_text("names a scan that is not here: gone")).to_be_visible()
    page.keyboard.press("h")
    page.wait_for_timeout(500)
    assert scanned.history == []
    expect(page.get_by_role("button", name="Go to Scan")).to_be_visible()


def test_a_verdict_and_the_next_place_are_painted_at_once(review: Page) -> None:
    review.evaluate(PAINTED)
    for _ in range(20):
        review.keyboard.press("n")
        review.wait_for_timeout(150)
    expect_saved(review)
    times = sorted(review.evaluate("() => window.painted"))
    assert times[len(times) // 2] < 50  # ms
