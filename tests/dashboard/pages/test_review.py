"""The review page without a browser: verdicts, filter, paging, address, and trouble."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio import Affine
from streamlit.testing.v1 import AppTest

from dashboard.detector import (
    DEFAULT_RULE,
    Box,
    Change,
    Detection,
    Measure,
    Model,
    Roughness,
    ScanStore,
    Scene,
    Subject,
    Verdict,
    Verdicts,
    measure,
    sigma_map,
    survey,
)
from dashboard.pages import explain
from dashboard.session import place_filter
from tests.dashboard.pages.test_pages import page, text
from tests.detector import rasters
from tests.detector.scans import finish_scan
from tests.models import area_model, judge_model

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
    return finish_scan(scene, model)


def listed(store: ScanStore, sigma: float = 3.0) -> list[Detection]:
    """The places that the page lists."""
    return sigma_map(store.scores(), DEFAULT_RULE).find(sigma)


def sheet(app: AppTest) -> dict[str, Any]:
    """The data that the page gives to the browser."""
    (part,) = app.get("bidi_component")
    found: dict[str, Any] = json.loads(part.proto.json)
    return found


def test_all_places_are_given_to_the_browser_strongest_first(store: ScanStore) -> None:
    found = listed(store)
    app = page("review")
    assert not app.exception
    shown = sheet(app)
    assert [*zip(shown["x"], shown["y"], strict=True)] == [one.place for one in found]
    assert shown["rank"] == list(range(1, len(found) + 1))
    assert shown["scan"] == store.key
    assert f"{len(found)} places" in shown["threshold"]


def test_the_filter_goes_by_sigma_size_and_brightness(store: ScanStore) -> None:
    found = listed(store)
    script = page("review")
    for wanted, passes in (
        (
            place_filter.Filter(sigma=(found[9].sigma, found[3].sigma)),
            lambda one: 3 <= one.rank - 1 <= 9,
        ),
        (place_filter.Filter(size=(0, 6.5)), lambda one: measured(store, one).length <= 6.5),
        (
            place_filter.Filter(brightness=(0.9, 9.0)),
            lambda one: measured(store, one).brightness >= 0.9,
        ),
    ):
        script.session_state[place_filter.FILTER] = wanted
        script.run()
        assert not script.exception
        ranks = [one.rank for one in found if passes(one)]
        assert 0 < len(ranks) < len(found)
        assert sheet(script)["rank"] == ranks
    script.session_state[place_filter.FILTER] = place_filter.Filter(sigma=(98, 99))
    assert sheet(script.run())["rank"] == []
    assert "Nothing passes the filter" in sheet(script)["nothing"]


def test_the_filter_goes_by_the_roughness_of_the_ground(store: ScanStore) -> None:
    found = listed(store)
    ground = Roughness.of(store.scores(), survey(store.scene()))
    app = page("review")
    counts = []
    for wanted in (("smooth",), ("fairly smooth", "fairly rough", "rough")):
        app.session_state[place_filter.FILTER] = place_filter.Filter(ground=wanted)
        app.run()
        assert not app.exception
        counts.append(sum(ground.word(one.row, one.col) in wanted for one in found))
        assert len(sheet(app)["x"]) == counts[-1]
    assert sum(counts) == len(found)


def test_another_stretch_reaches_every_picture_and_no_product(store: ScanStore) -> None:
    scene = store.scene()
    app = page("review")
    (slider,) = (one for one in app.slider if one.label.startswith("Black and white"))
    assert slider.value == scene.stretch
    before = sheet(app)["stretch"]
    slider.set_range(90.0, 110.0).run()
    assert not app.exception
    assert sheet(app)["stretch"] == "90,110" != before
    assert store.scene().stretch == scene.stretch
    app.button(key="stretch_reset").click().run()
    assert sheet(app)["stretch"] == before


def measured(store: ScanStore, one: Detection) -> Measure:
    found = measure(store.scene(), one)
    assert found is not None
    return found


def test_the_address_leads_to_scan_and_threshold_and_keeps_what_the_browser_says(
    store: ScanStore,
) -> None:
    wanted = listed(store, 4.0)[30]
    find = f"{wanted.x:g},{wanted.y:g}"
    app = addressed("review", scan=store.key, sigma="4", find=find, verdict="open")
    assert not app.exception
    assert len(sheet(app)["x"]) == len(listed(store, 4.0))
    assert dict(app.query_params) == {
        "scene": store.scene_name,
        "model": store.model_name,
        "scan": store.key,
        "sigma": "4",
        "rule": DEFAULT_RULE,
        "find": find,
        "verdict": "open",
    }


def test_the_address_names_the_filter_and_keeps_it(store: ScanStore) -> None:
    found = listed(store)
    ground = Roughness.of(store.scores(), survey(store.scene()))
    sizes = [measured(store, one).length for one in found]
    asked = {
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
        if found[-5].sigma <= one.sigma <= found[1].sigma
        and ground.word(one.row, one.col) in asked["ground"].split(",")
        and size <= sorted(sizes)[-2]
        and measured(store, one).brightness >= 0.1
    ]
    assert 0 < len(kept) < len(found)
    assert sheet(app)["rank"] == [one.rank for one in kept]
    assert asked.items() <= dict(app.query_params).items()
    app.session_state[place_filter.FILTER] = place_filter.Filter()
    app.run()
    assert not asked.keys() & dict(app.query_params).keys()


def test_a_filter_without_sense_shows_all(store: ScanStore) -> None:
    senseless = {"ground": "wet", "sigmas": "nan,2", "size": "1"}
    app = addressed("review", scan=store.key, brightness="a,b", **senseless)
    assert not app.exception
    assert len(sheet(app)["x"]) == len(listed(store))
    assert not senseless.keys() & dict(app.query_params).keys()


def test_the_address_of_results_says_that_only_confirmed_ones_are_shown(store: ScanStore) -> None:
    place = listed(store)[0].place
    Verdicts().decide(Subject.of(store), [(place, Change(Verdict.HARDWARE))], "ann")
    app = addressed("results", scan=store.key, confirmed="only", artefacts="hidden")
    assert not app.exception
    assert "1 confirmed place beyond" in text(app)
    assert dict(app.query_params)["artefacts"] == "hidden"
    app.toggle(key="confirmed_switch").set_value(False).run()
    assert "confirmed" not in dict(app.query_params)
    assert not app.session_state["artefacts"]


@pytest.mark.parametrize("name", ["review", "results"])
def test_an_address_names_scene_and_model_in_words(
    store: ScanStore, scene_of: Scenes, tmp_path: Path, name: str
) -> None:
    other = Model.load(area_model(tmp_path / "other.onnx", title="other"), "cpu")
    newer = finish_scan(store.scene(), other)
    for asked, opened in (("area", store), ("other", newer)):
        app = addressed(name, scene=store.scene_name, model=asked)
        assert not strangers(app)
        assert dict(app.query_params)["scan"] == opened.key


@pytest.mark.parametrize(
    "named", [{"model": "nobodys"}, {"scene": "a.png", "model": "b"}, {"scan": "../x"}]
)
def test_an_address_that_names_no_scan_says_so_and_opens_no_other(
    store: ScanStore, named: dict[str, str]
) -> None:
    for name in ("review", "results"):
        app = addressed(name, **named)
        assert not app.exception
        (warning,) = strangers(app)
        assert " with ".join(named.values()) in warning
        assert not app.get("bidi_component")
        app.run()
        assert strangers(app), "said until another scan is opened"
        app.button(key="open_newest").click().run()
        assert not strangers(app)
        assert dict(app.query_params)["scan"] == store.key


def test_a_scene_that_was_thrown_away_is_said(store: ScanStore) -> None:
    Path(store.record.scene_path).unlink()
    for name in ("review", "results"):
        app = page(name)
        assert not app.exception
        assert store.scene_name in app.error[0].value
        assert "verdicts are kept" in text(app)
        assert [button.label for button in app.button] == ["Go to Scan"]


def strangers(app: AppTest) -> list[str]:
    """The words of a page at an address that names no scan."""
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


def explained(store: ScanStore) -> AppTest:
    """The page with the strongest place explained."""
    return page("review", scan=store.key, review_why=tuple(strongest(store)))


def strongest(store: ScanStore) -> list[float]:
    """The first place that the page lists."""
    shown = sheet(page("review", scan=store.key))
    return [shown["x"][0], shown["y"][0]]


def test_why_says_what_hole_window_and_sigma(store: ScanStore) -> None:
    app = explained(store)
    assert not app.exception
    assert not app.error
    words = text(app)
    assert "12 px (3 m)" in words
    assert "the threshold is 3 σ" in words


def test_why_says_how_surprising_a_place_is(store: ScanStore, tmp_path: Path) -> None:
    assert "Of the places of this scene" not in text(explained(store))
    judged = Model.load(judge_model(tmp_path / "places.onnx"), "cpu")
    looked = finish_scan(store.scene(), judged)
    words = text(explained(looked))
    assert re.search(r"Of the places of this scene, \S+ differ as much from what was", words)
    assert "are as unlike all others." in words


def test_how_surprising_a_place_is_is_said() -> None:
    said = explain.surprising({"residual": 0.5, "logit": 0.0123, "novelty": 1e-5})
    assert "50% differ as much from what was expected, 1.2% look as little like ground" in said
    assert "fewer than 0.1% are as unlike all others" in said


@pytest.mark.parametrize(
    ("shadow", "said"), [((3.0, 0.0), "east"), ((-2.0, 2.0), "south-west"), ((0.0, -4.0), "north")]
)
def test_where_a_shadow_falls_is_said_by_the_compass_or_in_the_picture(
    store: ScanStore, scene_of: Scenes, shadow: tuple[float, float], said: str
) -> None:
    light = Measure(10.0, 8.0, 60, 0.3, -0.6, Box(100, 100, 110, 108), shadow)
    words = explain.looks(light, store.scene())
    assert words == f"bright, 2.5 x 2.0 m, shadow to the {said}"
    side = {"east": "right", "south-west": "bottom left", "north": "top"}[said]
    assert explain.looks(light, scene_of(name="nowhere.tif")).endswith(f"shadow to the {side}")
