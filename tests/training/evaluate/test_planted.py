"""Series of planted scenes: repeatable, made on demand, clear of what really stands there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dashboard.detector import Box
from tests.detector import rasters
from tests.models import area_model
from training.__main__ import main
from training.evaluate import planted
from training.evaluate.planted import CLEAR, Planted, series
from training.truth import KnownObject, Truth


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Ground with a real object in it, and its truth."""
    path = rasters.write(tmp_path / "real.png", rasters.ground(1000, 1100))
    Truth("real.png", (KnownObject("lander", "lander", Box(500, 500, 520, 520)),)).write(path)
    return path


def test_the_same_seed_makes_the_same_scene(picture: Path, tmp_path: Path) -> None:
    made = []
    for place in ("one", "two"):
        with Planted(picture, 3).open(tmp_path / place) as (subject, scene, truth):
            made.append((scene.sha256, truth, subject))
    assert made[0] == made[1]
    with Planted(picture, 4).open(tmp_path / "three") as (_, scene, _):
        assert scene.sha256 != made[0][0]


def test_what_really_stands_there_is_ignored_and_kept_clear(picture: Path, tmp_path: Path) -> None:
    clear = Box(500, 500, 520, 520).grow(CLEAR)
    for seed in range(3):
        with Planted(picture, seed).open(tmp_path / str(seed)) as (subject, _, truth):
            assert truth.ignore == (clear,)
            assert len(truth.objects) == 6
            assert not any(one.box.overlaps(clear) for one in truth.objects)
            assert (subject.ground, subject.seed) == ("real.png", seed)


def test_a_series_without_pictures_is_on_real_ground_where_it_lies_else_synthetic(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planted, "REAL", tmp_path / "absent")
    assert [(one.picture, one.seed) for one in series(2, ())] == [(None, 0), (None, 1)]
    monkeypatch.setattr(planted, "REAL", tmp_path)
    assert [one.picture for one in series(1, ())] == [picture]
    assert series(1, [picture]) == [Planted(picture, 0)]


def test_synthetic_ground_needs_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planted, "SYNTHETIC_SHAPE", (1000, 1000))
    with Planted(None, 1).open(tmp_path) as (subject, scene, truth):
        assert subject.ground == "synthetic ground"
        assert (scene.width, scene.bits) == (1000, 10)
        assert len(truth.objects) == 6


def test_a_changed_recipe_makes_stored_cases_stale(
    picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Planted(picture, 0).key
    assert Planted(picture, 0).key == before != Planted(picture, 1).key
    monkeypatch.setattr(planted, "recipe", lambda: "another")
    assert Planted(picture, 0).key != before


def test_the_command_plants_on_what_it_is_given_and_sums_it_up(
    picture: Path, tmp_path: Path
) -> None:
    model, out = area_model(tmp_path / "areas.onnx"), tmp_path / "out" / "report.json"
    command = ["evaluate", str(model), "--scenes", str(picture), "--planted", "2"]
    assert main([*command, "--out", str(out)]) == 0
    record = json.loads(out.read_text())
    assert [(row["scenes"], row["count"]) for row in record["rows"]] == [
        ("real.png", 1),
        ("planted on real.png, at the real contrast", 2),
        ("planted on real.png, hard", 2),
    ]
    hard = record["cases"][3:]
    costs = [case["review_cost_larger"] for case in hard]
    row = record["rows"][2]
    assert row["cost_larger"] == np.median(costs)
    assert row["cost_larger_high"] == pytest.approx(np.percentile(costs, 90))
    assert sum(pair["of"] for pair in row["found"].values()) == 12
    sizes = [
        [one["size"] for case in some for one in case["objects"]]
        for some in (record["cases"][1:3], hard)
    ]
    assert set(sizes[0]) == {1.0} != set(sizes[1])
    kept = [path.name for path in (out.parent / "report.parts").iterdir()]
    assert kept == ["cases"], "planted scenes are not kept"
