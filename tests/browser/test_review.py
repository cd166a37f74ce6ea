"""Review in a real browser: what is decided by key and by button, one by one and many at once."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, Page, expect

from dashboard.detector import (
    DEFAULT_RULE,
    ROUGHNESS,
    RULES,
    Verdict,
    measure,
    roughness_of,
    sigma_map,
    survey,
)
from dashboard.session import desk as desks
from tests.browser import serving
from tests.browser.scanned import (
    Scanned,
    button,
    canvas,
    card,
    expect_chosen,
    expect_reviewed,
    open_filter,
    rest,
)
from tests.browser.seen import expect_calm

METRES = 0.25  # a pixel of the demo scene


def said(scanned: Scanned) -> dict[int, Verdict]:
    """The verdicts on disk, by the ranks of their places."""
    ranks = {found.place: found.rank for found in scanned.finds}
    return {ranks[place]: one.verdict for place, one in scanned.decisions.items() if one.verdict}


def test_keys_and_buttons_decide_and_every_verdict_outlives_page_and_server(
    review: Page, context: BrowserContext, scanned: Scanned
) -> None:
    total = len(scanned.finds)
    expect_reviewed(review, 0, total)
    review.keyboard.press("h")
    expect_chosen(review, 2)
    review.locator(".st-key-verdict-natural").get_by_role("button").click()
    expect_chosen(review, 3)
    expect_reviewed(review, 2, total)
    for key, rank in (("a", 4), ("u", 5), ("ArrowLeft", 4), ("ArrowRight", 5), ("ArrowLeft", 4)):
        review.keyboard.press(key)
        expect_chosen(review, rank)
    wanted = dict(enumerate((Verdict.HARDWARE, Verdict.NATURAL, Verdict.ARTEFACT), start=1))
    wanted[4] = Verdict.UNSURE
    assert said(scanned) == wanted
    expect(review.get_by_text(re.compile(r"^Unsure, .+ UTC\.$"))).to_be_visible()
    review.keyboard.press("z")
    expect_reviewed(review, 3, total)
    review.keyboard.press("o")  # the next that is open, from here on
    expect_chosen(review, 5)
    del wanted[4]
    assert said(scanned) == wanted
    review.reload()
    expect_chosen(review, 5)
    expect_reviewed(review, 3, total)
    expect(card(review, 1)).to_have_accessible_name(re.compile("hardware"))
    review.close()
    folder = scanned.home.parent
    with serving.dashboard(scanned.home, folder / "again.log") as address:
        again = context.new_page()
        again.goto(scanned.url().replace(scanned.address, address))
        expect_reviewed(again, 3, total)


def test_a_name_and_a_note_are_kept_and_their_letters_decide_nothing(
    review: Page, context: BrowserContext, scanned: Scanned
) -> None:
    total = len(scanned.finds)
    words = "a hut, unseen on Z"  # every key of a verdict
    for label in ("Name", "Note"):
        field = review.get_by_role("textbox", name=label)
        field.click()
        review.keyboard.type(f"{label}: {words}")
        review.keyboard.press("Enter")
        rest(review)
        expect(field).to_have_value(f"{label}: {words}")
    expect_chosen(review, 1)
    expect_reviewed(review, 0, total)
    (decision,) = scanned.decisions.values()
    assert decision.said == (Verdict.UNREVIEWED, f"Note: {words}", f"Name: {words}")
    expect(card(review, 1)).to_have_accessible_name(re.compile(f"Name: {words}"))
    other = scanned.open(context.new_page())
    expect(other.get_by_role("textbox", name="Note")).to_have_value(f"Note: {words}")


def test_many_are_selected_decided_and_taken_back_at_once(review: Page, scanned: Scanned) -> None:
    total = len(scanned.finds)
    review.get_by_role("checkbox", name="Select find 2", exact=True).check()
    review.get_by_role("checkbox", name="Select find 6", exact=True).click(modifiers=["Shift"])
    expect(review.get_by_text("5 selected")).to_be_visible()
    rest(review)
    review.locator(".st-key-bulk-natural").get_by_role("button").click()
    expect_reviewed(review, 5, total)
    assert said(scanned) == dict.fromkeys(range(2, 7), Verdict.NATURAL)
    expect(review.get_by_text("0 selected")).to_be_visible()
    rest(review)
    button(review, "Select page").click()
    expect(review.get_by_text(f"{desks.ON_A_PAGE} selected")).to_be_visible()
    rest(review)
    review.locator(".st-key-bulk-artefact").get_by_role("button").click()
    expect_reviewed(review, desks.ON_A_PAGE, total)
    review.keyboard.press("z")
    expect_reviewed(review, 5, total)
    review.keyboard.press("z")
    expect_reviewed(review, 0, total)
    assert len({one.action for one in scanned.history}) == 2


def test_a_filter_decides_what_gallery_map_and_keys_go_through(
    review: Page, scanned: Scanned
) -> None:
    total = len(scanned.finds)
    review.keyboard.press("n")
    expect_chosen(review, 2)
    open_filter(review)
    review.get_by_role("button", name="Open", exact=True).click()
    expect(review.get_by_text(f"{total - 1} of {total} places pass the filter.")).to_be_visible()
    rest(review)
    expect(card(review, 1)).to_have_count(0)
    expect(review.locator(".needle-rank")).to_have_text(f"1 of {total - 1}")
    slider = review.get_by_role("slider", name="Sigma").first
    slider.focus()
    for _ in range(4):
        slider.press("ArrowRight")
    expect(review.locator(".needle-rank")).not_to_have_text(f"1 of {total - 1}")
    least = float(slider.input_value())
    kept = sum(one.sigma >= least for one in scanned.finds[1:])
    assert kept < total - 1
    expect(review.get_by_text(f"{kept} of {total} places pass the filter.")).to_be_visible()
    rest(review)
    button(review, "Clear").click()
    expect(card(review, 1)).to_be_visible()
    rest(review)
    expect(review.get_by_text("places pass the filter")).to_have_count(0)


def test_size_brightness_and_ground_decide_what_is_shown(review: Page, scanned: Scanned) -> None:
    total = len(scanned.finds)
    known = [measure(scanned.scene, found) for found in scanned.finds]
    open_filter(review)
    review.get_by_text("Size and brightness", exact=True).click()
    expect(
        review.get_by_text(f"{len(list(filter(None, known)))} of {total} places")
    ).to_be_visible()
    rest(review)
    for label, steps in (("Length", 6), ("Against the ground", 4)):
        slider = review.get_by_role("slider", name=label).first
        slider.focus()
        for _ in range(steps):
            slider.press("ArrowRight")
        rest(review)
    least = float(slider.input_value()) / 100
    shortest = float(review.get_by_role("slider", name="Length").first.input_value()) / METRES
    kept = [
        found
        for found, one in zip(scanned.finds, known, strict=True)
        if one and one.length >= shortest and one.brightness >= least
    ]
    assert 0 < len(kept) < total
    expect(review.get_by_text(f"{len(kept)} of {total} places pass the filter.")).to_be_visible()
    ground = survey(scanned.scene, scanned.store.folder)
    kinds = sigma_map(scanned.store.scores(), "ground", ground).measure.kinds
    assert kinds is not None
    counts = []
    for number, name in enumerate(ROUGHNESS, start=1):
        review.get_by_role("button", name=name.capitalize(), exact=True).click()
        chosen = [
            one for one in kept if roughness_of(kinds, one.row, one.col) in ROUGHNESS[:number]
        ]
        counts.append(len(chosen))
        words = review.get_by_text(f"{len(chosen)} of {total} places pass the filter.")
        expect(words).to_be_visible()
        rest(review)
    assert 0 < counts[0] < counts[-1] == len(kept)


def test_why_shows_zooms_profile_and_the_scores_around(review: Page, scanned: Scanned) -> None:
    facts = review.locator(".st-key-find .needle-facts")
    expect(facts).to_contain_text(re.compile(r"size\d+\.\d x \d+\.\d m"))
    expect(facts).to_contain_text(re.compile(r"to ground\d+% (brighter|darker)"))
    review.get_by_role("tab", name="Why").click()
    expect(review.get_by_text("did not see the 12 px (3 m) around a point")).to_be_visible()
    charts = review.locator(".st-key-find .js-plotly-plot")
    expect(charts).to_have_count(2)
    expect(charts.first.locator(".scatterlayer .trace")).to_have_count(2)  # expected and there
    expect(charts.last.locator(".heatmaplayer image")).to_have_count(1)
    zooms = review.locator(".st-key-find .stImage img").first
    wide, high = zooms.evaluate("one => [one.naturalWidth, one.naturalHeight]")
    assert wide == high == 3 * 128 + 2 * 4  # three pictures in three sizes


def test_an_address_opens_scan_threshold_find_and_page_for_a_colleague(
    review: Page, context: BrowserContext, scanned: Scanned
) -> None:
    slider = review.get_by_role("slider", name="Threshold")
    slider.focus()
    slider.press("ArrowRight")
    few = len([one for one in scanned.finds if one.sigma > 5.1])
    expect(review.get_by_text(f"0 of {few} reviewed")).to_be_visible()
    rest(review)
    review.get_by_role("button", name="Next page").click()
    wanted = desks.ON_A_PAGE + 2
    expect(card(review, wanted)).to_be_visible()
    rest(review)
    card(review, wanted).click()
    expect_chosen(review, wanted)
    found = scanned.finds[wanted - 1]
    expect(review).to_have_url(re.compile(f"find={found.x:g}(%2C|,){found.y:g}"))
    for part in (f"scan={scanned.store.key}", "sigma=5.1", f"rule={DEFAULT_RULE}", "page=2"):
        assert part in review.url
    other = context.new_page()
    other.goto(review.url)
    expect_chosen(other, wanted)
    expect(card(other, wanted)).to_have_attribute("aria-current", "true")
    expect(other.get_by_text(f"0 of {few} reviewed")).to_be_visible()
    expect(canvas(other)).to_have_attribute(
        "data-view", re.compile(f"^{found.x:.4f},{found.y:.4f},")
    )


def test_each_rule_shows_places_of_its_own_and_all_are_compared(review: Page) -> None:
    review.get_by_text("Compare the rules").click()
    cells = review.locator(".needle-rules span")
    expect(cells).to_have_count(3 * (1 + len(RULES)))
    rest(review)
    words = cells.all_inner_texts()
    lines = dict(zip(words[3::3], words[4::3], strict=True))
    assert len(set(lines.values())) > 2
    for name, places in lines.items():
        review.get_by_role("radio", name=name).click()
        expect(review.locator(".needle-big")).to_have_text(f"{places} places")
        rest(review)
    expect_calm(review)
