"""Routes of a place: what looks like it, in its own scene and in others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from dashboard.detector import (
    DEFAULT_RULE,
    By,
    Change,
    Model,
    ScanStore,
    Scene,
    Subject,
    Verdict,
    Verdicts,
    sigma_map,
)
from dashboard.viewer import addresses
from tests.dashboard.client import Client
from tests.detector import rasters
from tests.detector.scans import finish_scan
from tests.models import area_model

Scenes = Callable[..., Scene]


def test_what_looks_alike_elsewhere_comes_with_its_scene_verdict_and_threshold(
    scene_of: Scenes, judged: Model
) -> None:
    ground = rasters.ground(600, 800)
    store = finish_scan(scene_of(ground), judged)
    other = finish_scan(scene_of(np.roll(ground, 40, axis=1), name="shifted.tif"), judged)
    (first, *_) = sigma_map(store.scores(), DEFAULT_RULE).find(1.0)
    address = f"{addresses.places_of(store)}/{first.row}/{first.col}"
    found = Client().get(f"{address}/elsewhere").json["found"]
    assert all(line["sigma"] > 0 for line in found), "no threshold lists another"
    best = found[0]
    assert (best["scan"], best["name"], best["verdict"]) == (other.key, "shifted.tif", "")
    listed = sigma_map(other.scores(), DEFAULT_RULE).find(best["sigma"] - 0.01)
    assert (best["x"], best["y"]) in {found.place for found in listed}, "a link would find it"
    Verdicts().decide(
        Subject.of(other),
        [((best["x"] + 3, best["y"]), Change(Verdict.HARDWARE))],
        By("ann", "a window"),
    )
    again = Client().get(f"{address}/elsewhere").json
    assert again["known"]
    assert again["found"][0] == best | {"verdict": "hardware"}
    here = Client().get(f"{address}/like").json
    assert (here["row"][0], here["col"][0]) == (first.row, first.col)


def test_nothing_is_alike_where_no_place_was_looked_at(scene_of: Scenes, tmp_path: Path) -> None:
    alone = Model.load(area_model(tmp_path / "alone.onnx"), "cpu")
    store: ScanStore = finish_scan(scene_of(), alone)
    address = f"{addresses.places_of(store)}/3/4"
    assert Client().get(f"{address}/elsewhere").json == {"known": False, "found": []}
    assert Client().get(f"{address}/like").json == {"row": [], "col": [], "alike": []}
    assert Client().get(f"{addresses.places_of(store)}/9999/4/elsewhere").json["known"] is False
    assert Client().get(f"{addresses.places()}/nothere/3/4/elsewhere").status == 404
