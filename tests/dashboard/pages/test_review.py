"""The review page without a browser: verdicts, filter, paging, address, and trouble."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from rasterio import Affine
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import TextInput

from dashboard.detector import (
    DEFAULT_RULE,
    Box,
    Change,
    Detection,
    Measure,
    Model,
    ScanStore,
    Scene,
    Subject,
    Verdict,
    Verdicts,
    measure,
    roughness_of,
    scan,
    sigma_map,
    survey,
)
from dashboard.detector.ground.kinds import kinds_of_ground
from dashboard.pages import explain
from dashboard.session import desk as desks
from tests.dashboard.pages.test_pages import page, text
from tests.detector import rasters
from tests.models import area_model, critic_model, second_look_model

Scenes = Callable[..., Scene]
SPOTS = 60


@pytest.fixture
def store(scene_of: Scenes, tmp_path: Path) -> ScanStore:
    """A finished scan, of every position, of a plain with many bright spots of several sizes."""
    pixels = np.random.default_rng(0).normal(100, 2, (700, 900)).astype(np.float32)
    for number in range(SPOTS):
        row, col = 50 + 65 * (number // 10), 50 + 85 * (number % 10)
        pixels[row : row + 5 + number // 10, col : col + 5] = 130 + 2 * number
    place = Affine(0.25, 0, 8_146_000, 0, -0.25, -272_000)
    scene = scene_of(pixels, crs=rasters.MARS, transform=place)
    model = Model.load(area_model(tmp_path / "area.onnx"), "cpu")
    store = ScanStore.for_scan(scene, model)
    for _ in scan(store, scene, model):
        pass
    return store


def listed(store: ScanStore, sigma: float = 3.0) -> list[Detection]:
    """What the page lists."""
    return sigma_map(store.scores(), DEFAULT_RULE, survey(store.scene())).find(sigma)


def subject(store: ScanStore) -> Subject:
    return Subject(store.record.scene_sha256, store.record.model_sha256)


def shown(app: AppTest) -> str:
    """Where in the ranks the chosen find is, as the page says it."""
    return text(app).split('needle-rank"><b>')[1].split("<")[0]


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception
    assert not app.error
    return app


def field(app: AppTest, label: str) -> TextInput:
    (found,) = (one for one in app.text_input if one.label == label)
    return found


def test_a_verdict_is_filed_and_the_next_open_place_shown(store: ScanStore) -> None:
    total = len(listed(store))
    assert total > 2 * desks.ON_A_PAGE
    app = page("review")
    assert f"0 of {total} reviewed" in text(app)
    press(app, "verdict-hardware")
    press(app, "verdict-natural")
    assert f"2 of {total} reviewed" in text(app)
    assert shown(app) == "3"
    said = [one.verdict for one in Verdicts().history(subject(store))]
    assert said == [Verdict.HARDWARE, Verdict.NATURAL]
    press(app, "undo")
    assert (shown(app), f"1 of {total} reviewed" in text(app)) == ("2", True)
    press(app, "step-1")
    assert "Hardware, " in text(app)  # who said so
    press(app, "verdict-hardware")  # again: the place is open again
    assert f"0 of {total} reviewed" in text(app)
    assert shown(app) == "1"


def test_name_and_note_are_kept_and_shown_again(store: ScanStore) -> None:
    app = page("review")
    field(app, "Name").set_value("the lander").run()
    field(app, "Note").set_value("sun from the left").run()
    (decision,) = Verdicts().current(subject(store)).values()
    assert decision.said == (Verdict.UNREVIEWED, "sun from the left", "the lander")
    again = page("review")
    assert field(again, "Name").value == "the lander"
    assert field(again, "Note").value == "sun from the left"


def test_verdicts_are_signed(store: ScanStore) -> None:
    app = page("review")
    app.text_input(key="reviewer_field").set_value("ann").run()
    press(app, "verdict-unsure")
    (decision,) = Verdicts().current(subject(store)).values()
    assert decision.reviewer == "ann"


def test_what_another_reviewer_says_is_seen(store: ScanStore) -> None:
    app = page("review")
    places = [desks.spot(found) for found in listed(store)]
    Verdicts().decide(
        subject(store), [(place, Change(Verdict.NATURAL)) for place in places[:5]], "bob"
    )
    press(app, "next_open")
    assert shown(app) == "2"  # pressed on what the page knew then
    assert f"5 of {len(places)} reviewed" in text(app)
    press(app, "next_open")
    assert shown(app) == "6"


def test_many_are_decided_at_once_and_taken_back_at_once(store: ScanStore) -> None:
    app = page("review")
    assert app.button(key="bulk-natural").disabled
    press(app, "select_page")
    assert f"{desks.ON_A_PAGE} selected" in text(app)
    press(app, "bulk-natural")
    assert len(Verdicts().current(subject(store))) == desks.ON_A_PAGE
    assert f"{desks.ON_A_PAGE} of" in text(app)
    press(app, "undo")
    assert Verdicts().current(subject(store)) == {}


def test_the_filter_goes_by_verdict_sigma_size_and_brightness(store: ScanStore) -> None:
    found = listed(store)
    first = [(desks.spot(one), Change(Verdict.NATURAL)) for one in found[:7]]
    Verdicts().decide(subject(store), first, "ann")
    script = page("review")
    script.session_state[desks.FILTER] = desks.Filter(verdicts=(Verdict.NATURAL,))
    assert "of 7<" in text(script.run()).replace("</div>", "<")
    for wanted, passes in (
        (desks.Filter(sigma=(found[9].sigma, found[3].sigma)), lambda one: 3 <= one.rank - 1 <= 9),
        (desks.Filter(size=(0, 6.5)), lambda one: measured(store, one).length <= 6.5),
        (desks.Filter(brightness=(0.9, 9.0)), lambda one: measured(store, one).brightness >= 0.9),
    ):
        script.session_state[desks.FILTER] = wanted
        script.run()
        assert not script.exception
        count = sum(map(passes, found))
        assert 0 < count < len(found)
        assert f"</b> of {count}<" in text(script)
    script.session_state[desks.FILTER] = desks.Filter(sigma=(98, 99))
    assert "Nothing passes the filter" in text(script.run())


def test_the_filter_goes_by_the_roughness_of_the_ground(store: ScanStore) -> None:
    found = listed(store)
    kinds = kinds_of_ground(store.scores(), survey(store.scene()))
    app = page("review")
    counts = []
    for wanted in (("smooth",), ("fairly smooth", "fairly rough", "rough")):
        app.session_state[desks.FILTER] = desks.Filter(ground=wanted)
        app.run()
        assert not app.exception
        counts.append(sum(roughness_of(kinds, one.row, one.col) in wanted for one in found))
        if counts[-1]:
            assert f"</b> of {counts[-1]}<" in text(app)
        else:
            assert "Nothing passes the filter" in text(app)
    assert sum(counts) == len(found)


def test_another_stretch_reaches_every_picture_and_no_product(store: ScanStore) -> None:
    scene = store.scene()
    app = page("review")
    (slider,) = (one for one in app.slider if one.label.startswith("Black and white"))
    assert slider.value == scene.stretch
    before = shown_stretch(app)
    slider.set_range(90.0, 110.0).run()
    assert not app.exception
    assert shown_stretch(app) == {"90,110"} != before
    assert store.scene().stretch == scene.stretch
    press(app, "stretch_reset")
    assert shown_stretch(app) == before


def shown_stretch(app: AppTest) -> set[str]:
    """The stretches that map and gallery ask their pictures for."""
    parts = app.get("bidi_component")
    said = {json.loads(part.proto.json)["stretch"] for part in parts}
    assert len(parts) == 2
    return said


def measured(store: ScanStore, one: Detection) -> Measure:
    found = measure(store.scene(), one)
    assert found is not None
    return found


def test_the_address_leads_to_scan_threshold_find_and_page(store: ScanStore) -> None:
    found = listed(store, 4.0)
    wanted = found[30]

    def script() -> None:
        from dashboard.pages import review

        review.page()

    app = AppTest.from_function(script, default_timeout=60)
    app.query_params["scan"] = store.key
    app.query_params["sigma"] = "4"
    app.query_params["find"] = f"{wanted.x:g},{wanted.y:g}"
    app.query_params["page"] = "2"
    app.run()
    assert not app.exception
    assert shown(app) == "31"
    assert dict(app.query_params) == {
        "scene": store.scene_name,
        "model": store.model_name,
        "scan": store.key,
        "sigma": "4",
        "rule": DEFAULT_RULE,
        "find": f"{wanted.x:g},{wanted.y:g}",
        "page": "2",
    }


def test_the_address_names_the_filter_and_keeps_it(store: ScanStore) -> None:
    found = listed(store)
    Verdicts().decide(subject(store), [(found[2].place, Change(Verdict.NATURAL))], "ann")
    kinds = kinds_of_ground(store.scores(), survey(store.scene()))
    sizes = [measured(store, one).length for one in found]
    asked = {
        "verdict": "open",
        "sigmas": f"{found[-5].sigma},{found[1].sigma}",
        "ground": "smooth,fairly smooth",
        "size": f"{min(sizes)},{sorted(sizes)[-2]}",
        "brightness": "0.1,99.0",
    }
    app = addressed("review", scan=store.key, **asked)
    assert not app.exception
    kept = [
        one
        for one, size in zip(found, sizes, strict=True)
        if one is not found[2]
        and found[-5].sigma <= one.sigma <= found[1].sigma
        and roughness_of(kinds, one.row, one.col) in asked["ground"].split(",")
        and size <= sorted(sizes)[-2]
        and measured(store, one).brightness >= 0.1
    ]
    assert 0 < len(kept) < len(found)
    assert f"</b> of {len(kept)}<" in text(app)
    assert asked.items() <= dict(app.query_params).items()
    app.session_state[desks.FILTER] = desks.Filter()
    app.run()
    assert not asked.keys() & dict(app.query_params).keys()


def test_a_filter_without_sense_shows_all(store: ScanStore) -> None:
    senseless = {"verdict": "good,,HARDWARE", "ground": "wet", "sigmas": "nan,2", "size": "1"}
    app = addressed("review", scan=store.key, brightness="a,b", **senseless)
    assert not app.exception
    assert f"</b> of {len(listed(store))}<" in text(app)
    assert not senseless.keys() & dict(app.query_params).keys()


def test_the_address_of_results_says_that_only_confirmed_ones_are_shown(store: ScanStore) -> None:
    place = listed(store)[0].place
    Verdicts().decide(subject(store), [(place, Change(Verdict.HARDWARE))], "ann")
    app = addressed("results", scan=store.key, confirmed="only", artefacts="hidden")
    assert not app.exception
    assert "1 confirmed place beyond" in text(app)
    assert dict(app.query_params)["artefacts"] == "hidden"
    app.toggle(key="confirmed_switch").set_value(False).run()
    assert "confirmed" not in dict(app.query_params)
    assert not app.session_state["artefacts"]


@pytest.mark.parametrize("broken", ["", "none", "1", "a,b", "1,2,3"])
def test_an_address_without_sense_shows_the_strongest(store: ScanStore, broken: str) -> None:
    def script() -> None:
        from dashboard.pages import review

        review.page()

    app = AppTest.from_function(script, default_timeout=60)
    app.query_params["find"] = broken
    app.query_params["page"] = broken
    app.run()
    assert not app.exception
    assert shown(app) == "1"


@pytest.mark.parametrize("name", ["review", "results"])
def test_an_address_names_scene_and_model_in_words(
    store: ScanStore, scene_of: Scenes, tmp_path: Path, name: str
) -> None:
    other = Model.load(area_model(tmp_path / "other.onnx", title="other"), "cpu")
    newer = ScanStore.for_scan(store.scene(), other)
    for _ in scan(newer, store.scene(), other):
        pass
    for asked, opened in (("area", store), ("other", newer)):
        app = addressed(name, scene=store.scene_name, model=asked)
        assert not strangers(app)
        assert dict(app.query_params)["scan"] == opened.key


@pytest.mark.parametrize(
    "named", [{"model": "nobodys"}, {"scene": "a.png", "model": "b"}, {"scan": "../x"}]
)
def test_an_address_that_names_no_scan_says_so_and_what_is_shown(
    store: ScanStore, named: dict[str, str]
) -> None:
    for name in ("review", "results"):
        app = addressed(name, **named)
        assert not app.exception
        (warning,) = strangers(app)
        assert " with ".join(named.values()) in warning
        assert f"Shown is {store.scene_name}" in warning
        app.run()
        assert strangers(app), "said until another scan is opened"


def test_a_scene_that_was_thrown_away_is_said(store: ScanStore) -> None:
    Path(store.record.scene_path).unlink()
    for name in ("review", "results"):
        app = page(name)
        assert not app.exception
        assert store.scene_name in app.error[0].value
        assert "verdicts are kept" in text(app)
        assert [button.label for button in app.button] == ["Go to Scan"]


def strangers(app: AppTest) -> list[str]:
    """What a page says of an address that names no scan."""
    return [one.value for one in app.warning if "not here" in one.value]


def addressed(name: str, **asked: str) -> AppTest:
    """One of the pages, opened by its address."""

    def script(name: str) -> None:
        from dashboard.pages import results, review

        {"review": review, "results": results}[name].page()

    app = AppTest.from_function(script, args=(name,), default_timeout=60)
    for key, value in asked.items():
        app.query_params[key] = value
    return app.run()


def test_why_says_what_hole_window_and_sigma(store: ScanStore) -> None:
    app = page("review")
    app.session_state["explain"] = "Why"
    app.run()
    assert not app.exception
    assert not app.error
    words = text(app)
    assert "12 px (3 m)" in words
    assert "the threshold is 3 σ" in words


def test_why_says_what_a_critic_saw(store: ScanStore, tmp_path: Path) -> None:
    assert "The critic" not in text(page("review", explain="Why"))
    critic = Model.load(critic_model(tmp_path / "critic.onnx"), "cpu")
    for _ in scan(ScanStore.for_scan(store.scene(), critic), store.scene(), critic):
        pass
    words = text(page("review", explain="Why"))
    assert "The critic saw something bright, " in words
    assert "of all there, 1.0% were" in words


def test_why_says_what_a_second_look_did(
    store: ScanStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.detector.rules.novelty.FEWEST", 20)
    again = Model.load(second_look_model(tmp_path / "again.onnx"), "cpu")
    looked = ScanStore.for_scan(store.scene(), again)
    for _ in scan(looked, store.scene(), again):
        pass
    words = text(page("review", scan=looked.key, explain="Why"))
    assert "The critic saw something bright, " in words
    assert re.search(r"takes [\d.]+ off the critic's score: it looks more natural", unescape(words))
    assert "as unlike all others" in words


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        (1.26, "adds 1.3 to the critic's score: it looks less natural than what usually"),
        (-0.05, "takes 0.1 off the critic's score: it looks more natural than what usually"),
        (0.049, "leaves the critic's score as it is"),
    ],
)
def test_what_a_second_look_did_is_said(gain: float, said: str) -> None:
    assert said in explain.looked_again(gain)


@pytest.mark.parametrize(
    ("part", "said"),
    [(0.5, "50% are as"), (0.0123, "1.2% are as"), (1e-5, "less than 0.1% are as")],
)
def test_how_unlike_others_a_place_is_is_said(part: float, said: str) -> None:
    assert f"from this scene, {said} unlike all others" in explain.unlike(part)


def test_what_a_critic_saw_is_said_with_polarity_shape_and_frequency() -> None:
    dark = Measure(12.0, 6.0, 50, 0.02, -0.4, Box(0, 0, 12, 6))
    said = explain.judged(2.0, 0.009, dark, 0.25)
    assert "something dark, 3.0 x 1.5 m, and gives it a logit of 2.0" in said
    assert "88% were part of something planted; of all there, 0.9% were" in said
    said = explain.judged(-6.0, 0.009, None, None)
    assert "something, no clear outline, and gives it a logit of -6.0" in said
    assert "less than 1% were" in said
    assert "more than 99% were" in explain.judged(9.8, 0.009, None, None)


def test_verdicts_that_cannot_be_read_are_said_and_the_page_stands(store: ScanStore) -> None:
    Verdicts().path.write_text("This is no base. " * 99)
    app = page("review")
    assert not app.exception
    assert "move the file away" in app.error[0].value
    assert "places" in text(app)
