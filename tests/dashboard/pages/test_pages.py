"""The pages without a browser: what they say with nothing, with a scan, and with trouble."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from rasterio import Affine
from streamlit.testing.v1 import AppTest

from dashboard.detector import (
    DEFAULT_RULE,
    PRODUCTS,
    RULES,
    RUN_RECORD,
    Model,
    ScanStore,
    Scene,
    list_scans,
    scan,
    sigma_map,
)
from dashboard.detector.models.model import EXPORTED
from dashboard.detector.places import suppression as ranking
from dashboard.detector.system.locks import in_use
from dashboard.pages import frame
from dashboard.session import state
from tests.detector import rasters
from tests.detector.scans import finish_scan
from tests.models import area_model

Scenes = Callable[..., Scene]
APP = Path(__file__).resolve().parents[3] / "dashboard" / "app.py"
SECONDS = 60
scanning = sys.modules["dashboard.detector.scanning.scan"]


@pytest.fixture
def store(scene_of: Scenes, model: Model) -> ScanStore:
    """A finished scan of a scene with one bright object."""
    scene = scene_of(crs=rasters.MARS, transform=Affine(0.25, 0, 8_146_000, 0, -0.25, -272_000))
    return finish_scan(scene, model, stride=16)


def page(name: str, **chosen: str) -> AppTest:
    """One of the pages, run once, with what was chosen on it before."""

    def script(name: str) -> None:
        from dashboard.pages import frame, models, results, review, scan

        frame.header()
        {"scan": scan, "review": review, "results": results, "models": models}[name].page()

    app = AppTest.from_function(script, args=(name,), default_timeout=SECONDS)
    for key, value in chosen.items():
        app.session_state[key] = value
    return app.run()


def text(app: AppTest) -> str:
    """All that the page says."""
    parts = [*app.get("html"), *app.subheader, *app.markdown, *app.error, *app.warning]
    return " ".join(str(part.proto.body if hasattr(part, "proto") else part) for part in parts)


def test_a_page_that_is_wanted_is_turned_to_again_where_a_timer_came_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pages: dict[str, Any] = {"scan": object(), "review": object()}
    session: dict[str, Any] = {}
    turned: list[Any] = []
    monkeypatch.setattr(st, "session_state", session)
    monkeypatch.setattr(st, "switch_page", turned.append)
    frame.set_pages(pages)
    frame.finish_turning(pages["scan"])
    assert turned == [], "nothing is wanted"
    frame.go_to("review")
    frame.finish_turning(pages["scan"])  # the run that a timer of Scan has asked for
    assert turned == [pages["review"]] * 2
    frame.finish_turning(pages["review"])
    frame.finish_turning(pages["scan"])  # by a link, later
    assert len(turned) == 2
    frame.go_to("review")
    session[frame.TURNING] = "review", time.monotonic() - 2 * frame.TURNED_BY
    frame.finish_turning(pages["scan"])
    assert len(turned) == 3, "not for ever"


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


def test_the_scene_of_an_open_session_stays_until_another_is_opened(
    scene_of: Scenes, model: Model
) -> None:
    stores = []
    for seed in range(2):
        pixels = rasters.ground(300, 400, seed=seed)
        stores.append(ScanStore.for_scan(scene_of(pixels, f"{seed}.tif"), model, 16))
        for _ in scan(stores[-1], stores[-1].scene(), model):
            pass
    first, second = (store.scene().path for store in stores)
    app = page("review", scan=stores[0].key)
    assert not app.exception
    assert (in_use(first), in_use(second)) == (True, False)
    app.session_state["scan"] = stores[1].key
    app.run()
    assert (in_use(first), in_use(second)) == (False, True)


@pytest.mark.parametrize(
    ("name", "start"), [("guarded", r" --start completion\.onnx"), ("article", "")]
)
def test_the_recipe_of_a_model_names_what_it_began_with(name: str, start: str) -> None:
    app = page("models")
    app.segmented_control(key="card").set_value(name).run()
    assert not app.exception
    (recipe,) = (code.value for code in app.code)
    assert re.search(rf"--epochs \d+{start} \\\n", recipe)
    assert ("h, after the training of completion" in text(app)) == bool(start)
    assert recipe.endswith(f"exported/{name}.onnx")


def test_the_default_has_the_cards_of_both_its_files() -> None:
    app = page("models")
    app.segmented_control(key="card").set_value("places").run()
    assert not app.exception
    shown, recipes = text(app), [code.value for code in app.code]
    presets = {"places": "places", "guarded": "reader"}
    for (name, preset), recipe in zip(presets.items(), recipes, strict=True):
        digest = hashlib.sha256((EXPORTED / f"{name}.onnx").read_bytes()).hexdigest()
        assert digest[:24] in shown
        assert f"--preset {preset} " in recipe
        assert recipe.endswith(f"exported/{name}.onnx")
    assert "moon_nac" in shown, "what the judge learned from"


def test_the_app_itself_starts_with_the_scan_page() -> None:
    app = AppTest.from_file(str(APP), default_timeout=SECONDS).run()
    assert not app.exception
    assert "no scan open" in text(app)
    assert "Scene" in [one.value for one in app.subheader]


def test_moving_the_threshold_changes_what_is_flagged_and_scores_nothing(
    store: ScanStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = page("review")
    monkeypatch.setattr(scanning, "score_pieces", lambda *_: pytest.fail("scored again"))
    shown = []
    measured = sigma_map(store.scores(), DEFAULT_RULE)
    for sigma in (0.5, 3.0):
        app.slider[0].set_value(sigma).run()
        assert not app.exception
        assert f"{measured.count_above(sigma):,} flagged tile" in text(app)
        assert f"beyond {measured.measure.limit(sigma):.3f}" in text(app)
        shown.append(measured.count_above(sigma))
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


@pytest.mark.parametrize("most", [2_000_000, 200])
def test_what_each_rule_flags_stands_side_by_side(
    store: ScanStore, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(ranking, "MOST", most)
    app = page("review")
    app.toggle(key="compare_rules").set_value(True)
    app.slider[0].set_value(app.slider[0].min).run()
    assert not app.exception
    sigma, (head, *lines) = app.slider[0].value, compared(app)
    assert head == ["rule", "places beyond", "false alarms expected"]
    maps = [sigma_map(store.scores(), rule) for rule in RULES]
    known = [max(sigma, one.floor) for one in maps]
    counts = [len(one.find(at)) for one, at in zip(maps, known, strict=True)]
    over = ["over " if at > sigma else "" for at in known]
    assert ("over " in over) == (most == 200), "more positions than are ranked"
    assert [line[1] for line in lines] == [f"{a}{b:,}" for a, b in zip(over, counts, strict=True)]
    assert places(app) == counts[list(RULES).index(DEFAULT_RULE)], "this rule is the one chosen"
    assert len(set(counts)) > 1, "rules flag places of their own"
    app.segmented_control[0].set_value("robust").run()
    assert not app.exception
    assert "in this scene" in text(app)
    robust = compared(app)[1 + list(RULES).index("robust")]
    assert robust[0] == "robust"
    assert f"Expect about {robust[2]} false alarms" in text(app)


def compared(app: AppTest) -> list[list[str]]:
    """The lines of the comparison of the rules."""
    (table,) = re.findall(r'<div class="needle-rules">(.*?)</div>', text(app))
    cells = re.findall("<span>(.*?)</span>", table)
    return [cells[start : start + 3] for start in range(0, len(cells), 3)]


def test_likely_artefacts_are_counted_and_can_be_hidden(scene_of: Scenes, model: Model) -> None:
    pixels = rasters.ground(600, 800)
    pixels[290:310, 390:410] = 255
    pixels[100:140, 600:640] = 250
    clipped = scene_of(pixels)
    finish_scan(clipped, model, stride=16)
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


def plain(height: int = 600, width: int = 800) -> np.ndarray:
    """Ground on which differences are as large as real scores: by chance alone, with a tail."""
    rng = np.random.default_rng(0)
    cells = rng.laplace(0, 300, (height // 4, width // 4))
    return np.kron(8000 + cells, np.ones((4, 4))) + rng.normal(0, 60, (height, width))


def seams() -> np.ndarray:
    """Four detectors side by side, each brighter towards its right."""
    return plain() + 20 * (np.arange(800) % 200 - 100)


def stripes() -> np.ndarray:
    """Columns of another gain."""
    pixels = plain()
    pixels[:, 100::200] += 9000
    return pixels


def clipped() -> np.ndarray:
    """Bright patches beyond what the camera can tell."""
    pixels = plain()
    for x in range(100, 720, 60):
        pixels[120:150, x : x + 30] = pixels[420:450, x : x + 30] = 2**14 - 1
    return pixels


def boulders() -> np.ndarray:
    """Many things as bright as each other, and nothing between them and the ground."""
    pixels = plain()
    for y in range(42, 580, 60):
        for x in range(42, 780, 60):
            pixels[y : y + 6, x : x + 6] = 13_000
    return pixels


def one_sided() -> np.ndarray:
    """Ground of which one part is rougher than the rest."""
    pixels = plain()
    pixels[:300, :300] += 2 * (pixels[:300, :300] - 8000)
    return pixels


@pytest.mark.parametrize(
    ("pixels", "doubt"),
    [
        (plain(), ""),
        (seams(), "strongest places lie on seams or clipped ground"),
        (stripes(), "strongest places lie on seams or clipped ground"),
        (clipped(), "strongest places lie on seams or clipped ground"),
        (boulders(), "the tail does not fit the strongest places"),
        (one_sided(), "one half of the ground does not foretell the other"),
        (plain(132, 140), "places to learn from"),
    ],
    ids=["clean", "seams", "stripes", "clipped", "boulders", "one-sided", "few"],
)
def test_a_tail_that_is_not_that_of_the_ground_is_not_to_be_relied_on(
    scene_of: Scenes, tmp_path: Path, pixels: np.ndarray, doubt: str
) -> None:
    scene = scene_of(pixels.clip(1, 2**14 - 1).astype("uint16"))
    areas = Model.load(area_model(tmp_path / "area.onnx"), "cpu")
    for _ in scan(ScanStore.for_scan(scene, areas), scene, areas):
        pass
    app = page("review")
    app.segmented_control[0].set_value("mean").run()
    assert not app.exception
    assert "in this scene at this threshold" in text(app)
    warned = [one.value for one in app.warning]
    assert len(warned) == bool(doubt)
    assert all(one.startswith("Do not rely on this number: ") and doubt in one for one in warned)


def test_nothing_beyond_the_threshold_is_said(store: ScanStore) -> None:
    app = page("review")
    app.slider[0].set_value(app.slider[0].max).run()
    assert not app.exception
    assert "0 places" in text(app)
    (sheet,) = app.get("bidi_component")
    assert "Nothing lies beyond this threshold" in sheet.proto.json


def test_a_model_that_is_gone_is_said_and_the_scores_stay(store: ScanStore, model: Model) -> None:
    Path(store.record.model_path).unlink()
    (sheet,) = page("review").get("bidi_component")
    shown = json.loads(sheet.proto.json)
    app = page("review", review_why=(shown["x"][0], shown["y"][0]))
    assert not app.exception
    assert len(app.error) >= 1
    assert "flagged tile" in text(app)


def test_a_stopped_scan_says_how_far_it_came(scene_of: Scenes, model: Model) -> None:
    scene = scene_of()
    store = ScanStore.for_scan(scene, model, 16)
    next(iter(scan(store, scene, model)))
    for name in ("review", "results"):
        app = page(name)
        assert not app.exception
        assert "This scan stopped at" in app.warning[0].value


def test_one_card_is_shown_and_its_address_kept(store: ScanStore) -> None:
    names = state.model_names()
    for asked, shown in ((names[-1], names[-1]), ("nobodys", names[0]), (None, names[0])):

        def script() -> None:
            from dashboard.pages import models

            models.page()

        app = AppTest.from_function(script, default_timeout=SECONDS)
        if asked:
            app.query_params["card"] = asked
        app.run()
        assert not app.exception
        assert app.subheader[0].value == shown
        assert dict(app.query_params)["card"] == shown
        assert dict(app.query_params)["scan"] == store.key
    app.segmented_control[0].set_value(names[1]).run()
    assert not app.exception
    assert app.subheader[0].value == dict(app.query_params)["card"] == names[1]


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


def page_of_a_scene(scene_of: Scenes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The Scan page with the one picture of a folder, read and ready to be scanned."""
    scene_of()  # writes scene.tif
    folder = tmp_path / "scenes"
    folder.mkdir()
    (tmp_path / "scene.tif").rename(folder / "scene.tif")
    monkeypatch.setenv("NEEDLE_SCENES", str(folder))

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
    return app


def test_the_time_of_a_scan_is_that_of_the_model_chosen(
    scene_of: Scenes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default and `guarded` have one finder: what they share must not stand for both."""
    timed = {"places": 600.0, "guarded": 60.0}
    monkeypatch.setattr("dashboard.pages.plan.estimate", lambda _, model, *__: timed[model.name])
    app = page_of_a_scene(scene_of, tmp_path, monkeypatch)
    for name, seconds in timed.items():
        app.selectbox(key="model").set_value(name).run()
        assert not app.exception
        assert f"about {frame.duration(seconds)} " in text(app)


def test_an_area_of_interest_is_typed_drawn_and_scanned(
    scene_of: Scenes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.pages.plan.estimate", lambda *_: 1.0)
    app = page_of_a_scene(scene_of, tmp_path, monkeypatch)
    app.text_input(key="area").set_value("/etc/passwd").run()
    assert "no box" in app.error[0].value
    assert "scan_button" not in [button.key for button in app.button]
    app.text_input(key="area").set_value("250,150,550,450").run()
    assert not app.error
    app.button(key="scan_button").click().run()
    until = time.monotonic() + SECONDS
    while not list_scans() or not list_scans()[0].finished:
        assert time.monotonic() < until
        time.sleep(0.1)
    (store,) = list_scans()
    assert store.record.region
    assert 0 < store.scores().scored < store.total
