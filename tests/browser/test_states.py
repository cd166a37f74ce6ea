"""The pages with nothing to show, with work under way, and with trouble: calm, and of use."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.scanned import Scanned, chip, expect_chosen, open_filter, rest
from tests.browser.seen import expect_calm
from tests.browser.test_whole_way import choose, upload
from tests.detector import rasters

# What the bar of a scan says and shows, at one moment.
BAR = """() => {
  const bar = document.querySelector(".st-key-scan_progress [role=progressbar]");
  const [track, done] = [...bar.querySelectorAll("div")].map((one) => one.getBoundingClientRect());
  const words = document.querySelector(".st-key-scan_progress .stProgress").innerText;
  return [words, (done.right - track.left) / track.width];
}"""


@pytest.mark.parametrize(
    ("path", "words", "page_of"),
    [
        ("", "Scene", ""),
        ("scan?sigma=4", "Scene", "?sigma=4"),
        ("no-such-page", "Scene", ""),
        ("review?scene=a.png&model=b", "This scan is not here", None),
        ("results", "Nothing scanned yet", None),
        ("models", "Completions, good and bad", None),
    ],
)
def test_every_address_leads_somewhere_before_anything_is_scanned(
    context: BrowserContext, dashboard: str, path: str, words: str, page_of: str | None
) -> None:
    page = context.new_page()
    page.goto(f"{dashboard}/{path}")
    expect(page.get_by_role("heading", name=words).first).to_be_visible()
    rest(page)
    expect(page.get_by_role("dialog")).to_have_count(0)  # Streamlit's "Page not found"
    if page_of is not None:
        assert page.url == f"{dashboard}/{page_of}"
        expect(page.get_by_text("landing-site.jp2, grey from")).to_be_visible()
        expect(page.get_by_text("on this machine (")).to_be_visible()
        rest(page)
    if "model=b" in path:
        expect(page.get_by_text("a.png with b")).to_be_visible()
    expect_calm(page)


def test_an_address_of_a_scan_that_is_not_here_says_so_and_offers_one_that_is(
    context: BrowserContext, scanned: Scanned
) -> None:
    page = context.new_page()
    page.goto(f"{scanned.address}/review?{urlencode({'scene': 'nowhere.tif', 'model': 'critic'})}")
    expect(page.get_by_text("nowhere.tif with critic")).to_be_visible()
    rest(page)
    expect_calm(page)
    page.get_by_role("button", name=re.compile("^Open landing-site.jp2")).click()
    expect_chosen(page, 1)
    assert f"scan={scanned.store.key}" in page.url


@pytest.mark.parametrize("name", ["review", "results"])
def test_no_place_beyond_the_threshold(
    context: BrowserContext, scanned: Scanned, name: str
) -> None:
    page = context.new_page()
    page.goto(scanned.url(name, sigma="99"))
    beyond = "Nothing lies beyond this threshold" if name == "review" else "0 places beyond"
    expect(page.get_by_text(beyond)).to_be_visible()
    rest(page)
    expect_calm(page)


def test_a_filter_that_leaves_nothing_can_be_cleared(
    context: BrowserContext, scanned: Scanned
) -> None:
    page = context.new_page()
    page.goto(scanned.url(sigmas="98.0,99.0"))
    expect(page.get_by_text("Nothing passes the filter")).to_be_visible()
    rest(page)
    assert "sigmas=98" in page.url
    open_filter(page)
    expect_calm(page)
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(chip(page, "")).to_have_text(f"All {len(scanned.finds)}")
    rest(page)
    assert "sigmas" not in page.url


def test_a_scan_under_way_stopped_and_resumed(page: Page) -> None:
    expect(page.get_by_text("on this machine (")).to_be_visible()
    choose(page, "article")
    page.get_by_role("button", name="Scan", exact=True).click()
    expect(page.get_by_text("tiles/s")).to_be_visible()
    expect_calm(page)
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(
        page.get_by_text(re.compile(r"^Stopped at \d+%; what is scored is kept$"))
    ).to_be_visible()
    rest(page)
    words, part = page.evaluate(BAR)
    assert round(100 * part, 3) == int(re.findall(r"\d+", words)[0])
    expect(page.get_by_role("button", name="Resume", exact=True)).to_have_count(1)
    expect_calm(page)
    page.get_by_role("link", name="Review", exact=True).click()
    expect(page.get_by_text("This scan stopped at")).to_be_visible()
    rest(page)
    expect_calm(page)


def test_learning_under_way_stopped_and_resumed(page: Page) -> None:
    """The real training, which takes minutes: it is stopped as soon as it has begun."""
    expect(page.get_by_text("on this machine (")).to_be_visible()
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name="guarded", exact=True).click()
    page.get_by_test_id("stCheckbox").filter(has_text="Learn this scene first").click()
    expect(page.get_by_text("some minutes to learn the scene, then about")).to_be_visible()
    rest(page)
    expect_calm(page)
    page.get_by_role("button", name="Scan", exact=True).click()
    learns = re.compile(r"^Learning landing-site\.jp2: \d+%, .+ left$")
    expect(page.get_by_text(learns)).to_be_visible()
    expect_calm(page)
    page.get_by_role("button", name="Cancel", exact=True).click()
    stopped = page.get_by_text(
        re.compile(r"^Stopped at \d+% of learning; what is learned is kept$")
    )
    expect(stopped).to_be_visible()
    rest(page)
    words, part = page.evaluate(BAR)
    assert round(100 * part, 3) == int(re.findall(r"\d+", words)[0])
    expect_calm(page)
    page.get_by_role("button", name="Resume", exact=True).click()
    expect(page.get_by_text(learns)).to_be_visible()
    assert int(re.findall(r"(\d+)%", page.get_by_text(learns).inner_text())[0]) >= 100 * part
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(stopped).to_be_visible()


def test_a_scan_that_fails_says_why_and_can_be_tried_again(page: Page, home: Path) -> None:
    expect(page.get_by_text("on this machine (")).to_be_visible()
    choose(page, "article")
    in_the_way = home / "scans"
    in_the_way.write_text("a file where the folder of scans should be")
    page.get_by_role("button", name="Scan", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text="cannot be written")).to_be_visible()
    rest(page)
    expect_calm(page)
    in_the_way.unlink()
    page.get_by_role("button", name="Scan", exact=True).click()
    expect(page.get_by_text("tiles/s")).to_be_visible()


def test_a_picture_too_small_to_scan_is_said(page: Page, tmp_path: Path) -> None:
    upload(page, rasters.write(tmp_path / "small.png", rasters.ground(100, 120)))
    expect(page.get_by_role("alert").filter(has_text="small.png")).to_be_visible()
    rest(page)
    expect_calm(page)


def test_an_upload_that_is_no_picture_is_said_where_it_was_dropped(
    page: Page, tmp_path: Path
) -> None:
    text = tmp_path / "_a_ *b* $c$ `d` [e](f) ~~g~~ <i>.jp2"  # all of which is Markdown
    text.write_text("This is no picture.")
    upload(page, text)
    expect(page.get_by_role("alert")).to_contain_text(f"{text.name}: not a PNG")
    rest(page)
    expect_calm(page)


def test_a_table_that_is_none_of_ours_is_said(
    context: BrowserContext, scanned: Scanned, tmp_path: Path
) -> None:
    page = scanned.open(context.new_page(), "results")
    table = tmp_path / "other.csv"
    table.write_text("a,b\n1,2\n")
    page.get_by_text("Bring verdicts back").click()
    page.locator("input[type=file]").set_input_files(table)
    page.get_by_role("button", name="File these verdicts").click()
    expect(page.get_by_role("alert").filter(has_text="the table lacks")).to_be_visible()
    rest(page)
    assert not scanned.history
    expect_calm(page)


def test_a_product_that_no_archive_has_is_said(page: Page) -> None:
    page.get_by_text("Fetch", exact=True).first.click()
    expect(page.get_by_text("This one thing needs the network")).to_be_visible()
    page.get_by_role("textbox", name="HiRISE observation").fill("NONSENSE")
    page.keyboard.press("Enter")
    page.locator(".st-key-fetch_button").get_by_role("button").click()
    expect(page.get_by_role("alert").filter(has_text="NONSENSE")).to_be_visible()
    rest(page)
    expect_calm(page)
