"""Review in a real browser: what is decided by key and by button, one by one and many at once."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, Page, expect

from dashboard.detector import (
    DEFAULT_RULE,
    ROUGHNESS,
    RULES,
    Roughness,
    Verdict,
    measure,
    survey,
)
from tests.browser import serving
from tests.browser.scanned import (
    Scanned,
    button,
    card,
    chip,
    expect_chosen,
    expect_reviewed,
    expect_saved,
    open_drawer,
    open_filter,
    rest,
)
from tests.browser.seen import expect_calm

METRES = 0.25  # a pixel of the demo scene


def test_keys_and_buttons_decide_and_every_verdict_outlives_page_and_server(
    review: Page, context: BrowserContext, scanned: Scanned
) -> None:
    total = len(scanned.finds)
    expect_reviewed(review, 0, total)
    review.keyboard.press("h")
    expect_chosen(review, 2)
    review.get_by_role("button", name=re.compile("^Natural N$")).click()
    expect_chosen(review, 3)
    expect_reviewed(review, 2, total)
    for key, rank in (("a", 4), ("q", 5), ("ArrowLeft", 4), ("ArrowRight", 5), ("ArrowLeft", 4)):
        review.keyboard.press(key)
        expect_chosen(review, rank)
    expect(review.locator(".opinions")).to_have_text("ann: unsure")
    expect_saved(review)
    wanted = dict(enumerate((Verdict.HARDWARE, Verdict.NATURAL, Verdict.ARTEFACT), start=1))
    wanted[4] = Verdict.UNSURE
    assert scanned.verdicts == wanted
    review.keyboard.press("u")
    expect(review.locator(".said")).to_have_text("Undone: place 4: unsure")
    expect_reviewed(review, 3, total)
    review.keyboard.press("ArrowLeft")
    review.keyboard.press("o")  # the next that is open, from here on
    expect_chosen(review, 4)
    del wanted[4]
    assert scanned.verdicts == wanted
    review.reload()
    expect_chosen(review, 4)
    expect_reviewed(review, 3, total)
    expect(card(review, 1)).to_have_accessible_name(re.compile("hardware"))
    review.close()
    folder = scanned.home.parent
    with serving.dashboard(scanned.home, folder / "again.log") as address:
        again = context.new_page()
        again.goto(scanned.url().replace(scanned.address, address))
        expect_reviewed(again, 3, total)


def test_a_second_press_changes_nothing_and_backspace_takes_the_verdict_off(
    review: Page, scanned: Scanned
) -> None:
    total = len(scanned.finds)
    for _ in range(2):
        review.keyboard.press("h")
        expect_reviewed(review, 1, total)
        review.keyboard.press("Home")
        expect_chosen(review, 1)
    assert scanned.verdicts == {1: Verdict.HARDWARE}
    assert len(scanned.history) == 1
    review.keyboard.press("Backspace")
    expect_reviewed(review, 0, total)
    expect_chosen(review, 1)
    review.keyboard.press("z")
    expect_reviewed(review, 1, total)


def test_what_is_clicked_is_what_the_keys_judge(review: Page, scanned: Scanned) -> None:
    card(review, 5).click()
    review.keyboard.press("ArrowRight")
    expect_chosen(review, 6)
    review.keyboard.press("h")
    expect_chosen(review, 7)
    expect_saved(review)
    assert scanned.verdicts == {6: Verdict.HARDWARE}


def test_a_name_and_a_note_are_kept_and_their_letters_decide_nothing(
    review: Page, context: BrowserContext, scanned: Scanned
) -> None:
    total = len(scanned.finds)
    words = "a hut, unseen on Z"  # every key of a verdict
    for label in ("Name of this place", "Note"):
        field = review.get_by_role("textbox", name=label)
        field.click()
        review.keyboard.type(f"{label}: {words}")
        review.keyboard.press("Enter")
        expect(field).to_have_value(f"{label}: {words}")
    expect_chosen(review, 1)
    expect_reviewed(review, 0, total)
    (decision,) = scanned.decisions.values()
    assert decision.said == (Verdict.UNREVIEWED, f"Note: {words}", f"Name of this place: {words}")
    expect(card(review, 1)).to_have_accessible_name(re.compile(f"Name of this place: {words}"))
    review.keyboard.press("n")  # Enter has left the field: a key is a verdict again
    expect_chosen(review, 2)
    expect(field).to_have_value("")
    field.click()
    review.keyboard.type("no, nothing")
    review.keyboard.press("Escape")
    expect(field).to_have_value("")
    expect_reviewed(review, 1, total)
    other = scanned.open(context.new_page(), find=f"{scanned.finds[0].x:g},{scanned.finds[0].y:g}")
    expect(other.get_by_role("textbox", name="Note")).to_have_value(f"Note: {words}")


def test_many_are_chosen_decided_and_taken_back_at_once(review: Page, scanned: Scanned) -> None:
    total = len(scanned.finds)
    card(review, 2).click()
    card(review, 6).click(modifiers=["Shift"])
    expect(review.locator(".said")).to_have_text("5 chosen")
    review.keyboard.press("Shift+N")
    expect_reviewed(review, 5, total)
    assert scanned.verdicts == dict.fromkeys(range(2, 7), Verdict.NATURAL)
    expect_chosen(review, 7)
    review.keyboard.press("Home")
    review.keyboard.press("Shift+Space")  # all that are open, in sight
    review.keyboard.press("Shift+A")
    expect_saved(review)
    more = len(scanned.verdicts) - 5
    assert more > 0
    assert scanned.verdicts[1] is Verdict.ARTEFACT
    review.keyboard.press("u")
    expect(review.locator(".said")).to_have_text(f"Undone: {more} places: artefact")
    expect_reviewed(review, 5, total)
    review.keyboard.press("u")
    expect_reviewed(review, 0, total)
    assert len({one.action for one in scanned.history}) == 2


def test_x_rejects_all_that_is_in_sight_and_undo_takes_it_back_in_one_step(
    review: Page, scanned: Scanned
) -> None:
    total = len(scanned.finds)
    review.keyboard.press("h")
    expect_chosen(review, 2)
    review.keyboard.press("x")
    expect(review.locator(".said")).to_have_text(re.compile(r"^\d+ places: natural$"))
    expect_saved(review)
    rejected = len(scanned.verdicts) - 1
    assert rejected >= 8
    wanted = dict.fromkeys(range(2, rejected + 2), Verdict.NATURAL)
    assert scanned.verdicts == {1: Verdict.HARDWARE} | wanted
    expect_chosen(review, rejected + 2)
    expect(card(review, rejected + 4)).to_be_in_viewport()
    review.keyboard.press("u")
    expect_reviewed(review, 1, total)
    assert scanned.verdicts == {1: Verdict.HARDWARE}


def test_it_says_how_many_objects_may_stand_below_what_was_judged(
    review: Page, scanned: Scanned
) -> None:
    line, total = review.locator(".stop"), len(scanned.finds)
    for _ in range(9):
        review.keyboard.press("n")
    expect_reviewed(review, 9, total)
    expect(line).to_be_hidden()
    review.keyboard.press("n")
    expect(line).to_have_text(
        re.compile("^The last 10 from the top are no hardware. .* stood below 10")
    )
    review.keyboard.press("h")
    expect(line).to_be_hidden()
    review.keyboard.press("u")
    expect(line).to_be_visible()
    expect_saved(review)


def test_sheet_and_keys_go_through_the_verdicts_that_are_shown(
    review: Page, scanned: Scanned
) -> None:
    total = len(scanned.finds)
    review.keyboard.press("n")
    expect_chosen(review, 2)
    chip(review, "open").click()
    expect(card(review, 1)).to_have_count(0)
    expect_chosen(review, 2)
    assert "verdict=open" in review.url
    review.keyboard.press("h")
    expect_chosen(review, 3)
    expect(card(review, 2)).to_be_visible()  # nothing jumps while one judges
    chip(review, "hardware").click()
    expect_chosen(review, 2)
    expect(review.get_by_role("option")).to_have_count(1)
    chip(review, "").click()
    expect_reviewed(review, 2, total)


def test_a_filter_decides_what_sheet_map_and_keys_go_through(
    review: Page, scanned: Scanned
) -> None:
    total = len(scanned.finds)
    open_filter(review)
    slider = review.get_by_role("slider", name="Sigma").first
    slider.focus()
    for _ in range(4):
        slider.press("ArrowRight")
    expect(review.get_by_text(f" of {total} places pass the filter.")).to_be_visible()
    rest(review)
    least = float(slider.input_value())
    kept = sum(one.sigma >= least for one in scanned.finds)
    assert kept < total
    expect(review.get_by_text(f"{kept} of {total} places pass the filter.")).to_be_visible()
    expect(chip(review, "")).to_have_text(f"All {kept}")
    button(review, "Clear").click()
    expect(chip(review, "")).to_have_text(f"All {total}")
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
    ground = survey(scanned.scene)
    rough = Roughness.of(scanned.store.scores(), ground)
    counts = []
    for number, name in enumerate(ROUGHNESS, start=1):
        review.get_by_role("button", name=name.capitalize(), exact=True).click()
        chosen = [one for one in kept if rough.word(one.row, one.col) in ROUGHNESS[:number]]
        counts.append(len(chosen))
        words = review.get_by_text(f"{len(chosen)} of {total} places pass the filter.")
        expect(words).to_be_visible()
        rest(review)
    assert 0 < counts[0] < counts[-1] == len(kept)


def test_why_shows_zooms_profile_and_the_scores_around(review: Page, scanned: Scanned) -> None:
    known = review.locator(".known")
    expect(known).to_contain_text(re.compile(r"\d+\.\d x \d+\.\d m"))
    expect(known).to_contain_text(re.compile(r"\d+% (brighter|darker)"))
    expected = review.locator(".expected")
    expect(expected).to_have_js_property("naturalWidth", 2 * 128 + 4)
    review.keyboard.press("w")
    expect(review.get_by_text("did not see the 12 px (3 m) around a point")).to_be_visible()
    charts = review.locator(".st-key-why .js-plotly-plot")
    expect(charts).to_have_count(2)
    expect(charts.first.locator(".scatterlayer .trace")).to_have_count(2)  # expected and there
    expect(charts.last.locator(".heatmaplayer image")).to_have_count(1)
    zooms = review.locator(".st-key-why .stImage img").first
    for side in ("naturalWidth", "naturalHeight"):
        expect(zooms).to_have_js_property(side, 3 * 128 + 2 * 4)  # three pictures in three sizes
    review.keyboard.press("ArrowRight")
    expect(review.get_by_role("heading", name="Why place 2")).to_be_visible()
    review.keyboard.press("Escape")
    expect(review.get_by_role("heading", name="Why place 2")).to_be_hidden()


def test_an_address_opens_scan_threshold_and_place_for_a_colleague(
    review: Page, context: BrowserContext, scanned: Scanned
) -> None:
    open_drawer(review)
    review.get_by_role("slider", name="Threshold").press("ArrowRight")
    few = len([one for one in scanned.finds if one.sigma > 5.1])
    expect(chip(review, "")).to_have_text(f"All {few}")
    rest(review)
    review.keyboard.press("Escape")
    for _ in range(25):
        review.keyboard.press("ArrowRight")
    expect_chosen(review, 26)
    found = scanned.finds[25]
    expect(review).to_have_url(re.compile(f"find={found.x:g}(%2C|,){found.y:g}"))
    for part in (f"scan={scanned.store.key}", "sigma=5.1", f"rule={DEFAULT_RULE}"):
        assert part in review.url
    other = context.new_page()
    other.goto(review.url)
    expect_chosen(other, 26)
    expect(chip(other, "open")).to_have_text(f"Open {few}")


def test_each_rule_shows_places_of_its_own_and_all_are_compared(review: Page) -> None:
    open_drawer(review)
    review.get_by_text("Compare the rules").click()
    cells = review.locator(".needle-rules span")
    expect(cells).to_have_count(3 * (1 + len(RULES)))
    rest(review)
    words = cells.all_inner_texts()
    lines = dict(zip(words[3::3], words[4::3], strict=True))
    assert len(set(lines.values())) > 1
    for name, places in lines.items():
        review.get_by_role("radio", name=name).click()
        expect(review.locator(".needle-big")).to_have_text(f"{places} places")
        expect(chip(review, "")).to_have_text(f"All {places}")
        rest(review)
    expect_calm(review)
