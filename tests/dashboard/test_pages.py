"""The pages without a browser: what they say with nothing, with a scan, and with trouble."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from rasterio import Affine
from streamlit.delta_generator import DeltaGenerator
from streamlit.testing.v1 import AppTest

from dashboard import state
from dashboard.detector import (
    PRODUCTS,
    RUN_RECORD,
    DamagedScene,
    Looks,
    Model,
    ScanStore,
    Scene,
    list_scans,
    looks,
    scan,
)
from tests.detector import rasters

Scenes = Callable[..., Scene]
APP = Path(__file__).resolve().parents[2] / "dashboard" / "app.py"
SECONDS = 60
scanning = sys.modules["dashboard.detector.scan"]


@pytest.fixture
def store(scene_of: Scenes, model: Model) -> ScanStore:
    """A finished scan of a scene with one bright object."""
    scene = scene_of(crs=rasters.MARS, transform=Affine(0.25, 0, 8_146_000, 0, -0.25, -272_000))
    store = ScanStore.for_scan(scene, model, 16)
    for _ in scan(store, scene, model):
        pass
    return store


def page(name: str) -> AppTest:
    """One of the pages, run once."""

    def script(name: str) -> None:
        from dashboard.pages import frame, models, results, review, scan

        frame.header()
        {"scan": scan, "review": review, "results": results, "models": models}[name].page()

    return AppTest.from_function(script, args=(name,), default_timeout=SECONDS).run()


def text(app: AppTest) -> str:
    """All that the page says."""
    parts = [*app.get("html"), *app.subheader, *app.markdown, *app.error, *app.warning]
    return " ".join(str(part.proto.body if hasattr(part, "proto") else part) for part in parts)


def places(app: AppTest) -> int:
    """How many places the page says there are."""
    found = re.search(r">([\d,]+) places?<", text(app))
    assert found
    return int(found[1].replace(",", ""))


@pytest.mark.parametrize("name", ["review", "results"])
def test_pages_that_need_a_scan_lead_to_one(name: str) -> None:
    app = page(name)
    assert not app.exception
    assert "Nothing scanned yet" in text(app)
    assert [button.label for button in app.button] == ["Go to Scan"]


@pytest.mark.parametrize("name", ["scan", "review", "results", "models"])
def test_every_page_shows_the_open_scan_without_a_fault(name: str, store: ScanStore) -> None:
    app = page(name)
    assert not app.exception
    assert not app.error
    assert store.scene_name in text(app)


def test_the_app_itself_starts_with_the_scan_page() -> None:
    app = AppTest.from_file(str(APP), default_timeout=SECONDS).run()
    assert not app.exception
    assert "no scan open" in text(app)
    assert "Scene" in [one.value for one in app.subheader]


def test_moving_the_threshold_changes_what_is_flagged_and_scores_nothing(
    store: ScanStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = page("review")
    monkeypatch.setattr(scanning, "looked", lambda *_: pytest.fail("scored again"))
    shown = []
    for sigma in (0.5, 3.0):
        app.slider[0].set_value(sigma).run()
        assert not app.exception
        scores = store.scores()
        assert f"{scores.count_above(sigma):,} flagged tile" in text(app)
        assert f"beyond {scores.at(sigma):.3f}" in text(app)
        shown.append(scores.count_above(sigma))
    assert shown[0] > shown[1] > 0


def test_a_promise_of_false_alarms_sets_the_threshold(store: ScanStore) -> None:
    app = page("review")
    app.button("promise-10").click().run()
    assert not app.exception
    low = app.slider[0].value
    assert "Expect about" in text(app) or "Expect fewer" in text(app)
    app.button("promise-1").click().run()
    assert app.slider[0].value > low


def test_the_rule_is_kept_for_the_results(store: ScanStore) -> None:
    app = page("review")
    app.segmented_control[0].set_value("robust").run()
    assert not app.exception
    assert "1.4826 MAD" in text(app)
    app.toggle(key="show_fit").set_value(True).run()
    assert not app.exception
    assert "generalised Pareto" in text(app)
    assert app.session_state["rule"] == "robust"


def test_likely_artefacts_are_counted_and_can_be_hidden(scene_of: Scenes, model: Model) -> None:
    pixels = rasters.ground(600, 800)
    pixels[290:310, 390:410] = 255
    pixels[100:140, 600:640] = 250
    clipped = scene_of(pixels)
    store = ScanStore.for_scan(clipped, model, 16)
    for _ in scan(store, clipped, model):
        pass
    app = page("review")
    table = page("results").dataframe[0].value
    assert "saturated" in " ".join(table["may be"])
    assert table["false, %"].between(0, 100).all()
    toggle = app.toggle(key="show_artefacts")
    assert re.fullmatch(r"Show \d+ likely artefacts?", toggle.label)
    assert "saturated" in toggle.help
    every = places(app)
    toggle.set_value(False).run()
    assert not app.exception
    assert 0 < places(app) < every
    assert app.toggle(key="show_artefacts").label == toggle.label, "hidden, and still counted"


def test_a_tail_that_clipped_ground_makes_is_not_to_be_relied_on(
    scene_of: Scenes, model: Model
) -> None:
    clean, spoilt = rasters.ground(600, 800), rasters.ground(600, 800)
    clean[290:310, 390:410] = 230
    for x in range(120, 700, 90):
        spoilt[120:150, x : x + 30] = spoilt[420:450, x : x + 30] = 255
    said = []
    for pixels, name in ((clean, "clean.tif"), (spoilt, "spoilt.tif")):
        scene = scene_of(pixels, name=name)
        store = ScanStore.for_scan(scene, model, 16)
        for _ in scan(store, scene, model):
            pass
        st.cache_resource.clear()
        said.append(text(page("review")))
    assert "lie on seams or clipped ground" not in said[0]
    assert "strongest places lie on seams or clipped ground" in said[1]


@pytest.mark.parametrize(
    ("rule", "said", "kept"),
    [("ground", "eight kinds of ground", "survey"), ("alike", "looks alike", "looks")],
)
def test_ground_is_judged_by_its_kind_or_look(
    rule: str, said: str, kept: str, store: ScanStore
) -> None:
    app = page("review")
    app.segmented_control[0].set_value(rule).run()
    assert not app.exception
    assert said in text(app)
    assert "is flagged beyond" in text(app)
    assert "inf" not in re.findall(r"is flagged beyond [^,]*", text(app))[0]
    assert (store.folder / f"{kept}.npz").exists()


def test_a_bar_shows_how_far_the_search_for_look_alikes_is(
    store: ScanStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    seen = threading.Event()

    def bar(self: DeltaGenerator, part: float, words: str) -> None:
        shown.append(words)
        seen.set()

    def slow(scene: Scene, folder: Path, watch: Callable[[float], None]) -> Looks:
        watch(0.375)
        assert seen.wait(SECONDS), "no bar was shown"
        return looks(scene, folder, watch)

    monkeypatch.setattr(state, "looks", slow)
    monkeypatch.setattr(DeltaGenerator, "progress", bar)
    app = page("review")
    assert shown == []
    app.segmented_control[0].set_value("alike").run()
    assert not app.exception
    assert shown[0] == "Looking for look-alikes: 38%"
    assert "looks alike" in text(app)


def test_a_search_for_look_alikes_that_failed_is_begun_anew(
    store: ScanStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(scene: Scene, folder: Path, watch: Callable[[float], None]) -> Looks:
        raise DamagedScene("gone")

    scan = state.Opened(store, store.scene(), store.scores())
    with monkeypatch.context() as patch:
        patch.setattr(state, "looks", broken)
        with pytest.raises(DamagedScene):
            scan.measured("alike")
    assert scan.measured("alike").measure.rule == "alike"


def test_nothing_beyond_the_threshold_is_said(store: ScanStore) -> None:
    app = page("review")
    app.slider[0].set_value(app.slider[0].max).run()
    assert not app.exception
    assert "0 places" in text(app)
    assert "Nothing beyond this threshold" in text(app)


def test_a_model_that_is_gone_is_said_and_the_scores_stay(store: ScanStore, model: Model) -> None:
    Path(store.record.model_path).unlink()
    app = page("review")
    assert not app.exception
    assert len(app.error) >= 1
    assert "flagged tile" in text(app)


def test_a_stopped_scan_says_how_far_it_came(scene_of: Scenes, model: Model) -> None:
    scene = scene_of()
    store = ScanStore.for_scan(scene, model, 16)
    next(iter(scan(store, scene, model)))
    app = page("review")
    assert not app.exception
    assert "This scan stopped at" in app.warning[0].value


def test_results_offer_every_product(store: ScanStore) -> None:
    app = page("results")
    assert not app.exception
    for product in (*PRODUCTS, RUN_RECORD):
        assert f"**{product.title}**" in text(app)


def test_a_folder_that_is_none_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEEDLE_SCENES", str(tmp_path / "absent"))
    app = page("scan")
    assert not app.exception
    assert "NEEDLE_SCENES" in app.error[0].value


def test_an_area_of_interest_is_typed_drawn_and_scanned(
    scene_of: Scenes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene_of()  # writes scene.tif
    folder = tmp_path / "scenes"
    folder.mkdir()
    (tmp_path / "scene.tif").rename(folder / "scene.tif")
    monkeypatch.setenv("NEEDLE_SCENES", str(folder))
    monkeypatch.setattr("dashboard.pages.plan.estimate", lambda *_: 1.0)

    def script() -> None:
        from dashboard.pages import scan

        scan.page()

    app = AppTest.from_function(script, default_timeout=SECONDS)
    app.session_state["source"] = "Folder"
    app.run()
    until = time.monotonic() + SECONDS
    while "area" not in [one.key for one in app.text_input]:
        assert time.monotonic() < until
        time.sleep(0.1)
        app.run()
    app.text_input(key="area").set_value("/etc/passwd").run()
    assert "no box" in app.error[0].value
    assert "scan_button" not in [button.key for button in app.button]
    app.text_input(key="area").set_value("250,150,550,450").run()
    assert not app.error
    app.button(key="scan_button").click().run()
    while not list_scans() or not list_scans()[0].finished:
        assert time.monotonic() < until
        time.sleep(0.1)
    (store,) = list_scans()
    assert store.record.region
    assert 0 < store.scores().scored < store.total
