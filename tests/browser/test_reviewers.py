"""Two browsers review the same scan at once; one is killed mid-verdict."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing

from playwright.sync_api import Browser, Page, expect

from dashboard.detector import Verdict, Verdicts
from tests.browser import serving
from tests.browser.scanned import Scanned, expect_chosen, expect_reviewed

ROUNDS = 6
BOBS = 31  # the rank that bob begins at
SETTLED = 3.0  # s without a change, after which the server has dealt with all that it was told


def desk(browser: Browser, scanned: Scanned, name: str, rank: int) -> Page:
    """A reviewer's own browser with the Review page, at a find."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(60_000)
    page.add_init_script(f'localStorage.setItem("needle.reviewer", "{name}");')
    found = scanned.finds[rank - 1]
    scanned.open(page, find=f"{found.x:g},{found.y:g}")
    expect_chosen(page, rank)
    return page


def kill(browser: Browser) -> None:
    """Kills the process of a browser, which says goodbye to nobody."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    (pid,) = (one["id"] for one in processes if one["type"] == "browser")
    os.kill(pid, signal.SIGKILL)


def settled(scanned: Scanned) -> int:
    """How many decisions there are when no more come."""
    known, since = -1, time.monotonic()
    while time.monotonic() - since < SETTLED:
        if len(scanned.history) != known:
            known, since = len(scanned.history), time.monotonic()
        time.sleep(0.2)
    return known


def test_of_two_reviewers_at_once_one_is_killed_and_nothing_is_lost_or_doubled(
    browser: Browser, scanned: Scanned
) -> None:
    bobs_own = browser.browser_type.launch(
        executable_path=serving.installed_browser(), args=serving.SWITCHES
    )
    ann = desk(browser, scanned, "ann", 1)
    bob = desk(bobs_own, scanned, "bob", BOBS)
    try:
        for turn in range(1, ROUNDS + 1):  # both press before either has an answer
            ann.keyboard.press("h")
            bob.keyboard.press("n")
            expect_chosen(ann, 1 + turn)
            expect_chosen(bob, BOBS + turn)
        expect_reviewed(ann, 2 * ROUNDS, len(scanned.finds))
        expect_reviewed(bob, 2 * ROUNDS, len(scanned.finds))
        assert signed(scanned) == {"ann": ROUNDS, "bob": ROUNDS}
        bob.keyboard.press("n")
        kill(bobs_own)
        ann.keyboard.press("h")
        expect_chosen(ann, 2 + ROUNDS)
        settled(scanned)
        kept = signed(scanned)
        assert kept["ann"] == ROUNDS + 1
        assert kept["bob"] in {ROUNDS, ROUNDS + 1}  # the last one whole, or not at all
        doubled = [
            place for place, n in Counter(one.place for one in scanned.history).items() if n > 1
        ]
        assert not doubled
        whose = {Verdict.HARDWARE: "ann", Verdict.NATURAL: "bob"}
        assert all(whose[one.verdict] == one.reviewer for one in scanned.decisions.values())
        with closing(sqlite3.connect(Verdicts(scanned.home).path)) as base:
            assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        count = sum(kept.values())
        expect_reviewed(ann, count, len(scanned.finds))
        again = desk(browser, scanned, "bob", 1)  # bob comes back: that window was another's
        expect_reviewed(again, count, len(scanned.finds))
        again.keyboard.press("u")
        expect(again.locator(".said")).to_contain_text("Nothing that you did in this window")
        again.keyboard.press("o")
        again.keyboard.press("a")
        expect_reviewed(again, count + 1, len(scanned.finds))
        again.keyboard.press("u")
        expect_reviewed(again, count, len(scanned.finds))
        again.context.close()
    finally:
        ann.context.close()


def signed(scanned: Scanned) -> Counter[str]:
    """How many decisions that count each reviewer has signed."""
    return Counter(one.reviewer for one in scanned.decisions.values())
