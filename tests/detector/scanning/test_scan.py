"""Scans: every tile once, the same numbers however often they are interrupted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from dashboard.detector import (
    Model,
    NoGround,
    OptionError,
    ScanStore,
    Scene,
    StoreError,
    estimate,
    find,
    list_scans,
    scan,
    sigma_map,
)
from dashboard.detector.scanning import scan as scanning
from tests.detector import rasters
from tests.detector.scans import finish_scan, forget_scans
from tests.models import plain_model

Scenes = Callable[..., Scene]


def test_every_score_is_that_of_its_own_tile(scene_of: Scenes, model: Model) -> None:
    scene = scene_of()
    scores = finish_scan(scene, model, stride=40).scores()
    assert scores.values.shape == (9, 14)
    for tile in scores.grid:
        expected = model.score(scene.read(tile.read).dn[None, None], scene.centre, scene.scale)
        assert scores.values[tile.row, tile.col] == pytest.approx(expected[0], rel=1e-5)


def test_the_object_is_the_strongest_detection(scene_of: Scenes, model: Model) -> None:
    scene = scene_of()
    strongest = find(finish_scan(scene, model, stride=16).scores(), scene=scene, top=1)[0]
    assert strongest.box.holds(400, 300)


@pytest.mark.parametrize("after", [1, 4, 7])
def test_a_scan_that_was_cut_off_goes_on_and_ends_in_the_same_numbers(
    scene_of: Scenes, model: Model, after: int
) -> None:
    scene = scene_of()
    undisturbed = finish_scan(scene, model, stride=16).values().copy()
    forget_scans()
    store = ScanStore.for_scan(scene, model, 16)
    seen = list(islice(scan(store, scene, model), after))
    reopened = ScanStore.for_scan(scene, model, 16)
    assert 0 < reopened.done == seen[-1].done < reopened.total
    rest = list(scan(reopened, scene, model))
    assert rest[0].done > seen[-1].done
    assert reopened.finished
    np.testing.assert_array_equal(reopened.values(), undisturbed)


def test_a_finished_scan_is_not_scored_again(scene_of: Scenes, model: Model) -> None:
    scene = scene_of()
    store = finish_scan(scene, model)
    assert list(scan(ScanStore.for_scan(scene, model), scene, model)) == []
    assert store.finished


def test_moving_the_threshold_never_rescores(
    scene_of: Scenes, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = finish_scan(scene_of(), model).scores()
    monkeypatch.setattr(Model, "score", lambda *_: pytest.fail("rescored"))
    counts = [len(sigma_map(scores).flagged(sigma)) for sigma in (0, 1, 2, 3, 5)]
    assert counts == sorted(counts, reverse=True)
    assert counts == [scores.count_above(sigma) for sigma in (0, 1, 2, 3, 5)]


def test_tiles_on_nodata_have_no_score(scene_of: Scenes, model: Model) -> None:
    pixels = rasters.ground(600, 800)
    pixels[:, :300] = 0
    scene = scene_of(pixels)
    scores = finish_scan(scene, model, stride=16).scores()
    for tile in scores.grid:
        share = scene.read(tile.read).valid.mean()
        assert np.isfinite(scores.values[tile.row, tile.col]) == (share >= 0.99)


def test_a_window_that_was_mostly_filled_in_has_no_score(scene_of: Scenes, model: Model) -> None:
    pixels = rasters.ground(256, 256)
    pixels[104:152, 104:152:2] = 0  # the left-out columns of the scored 48 x 48: half of it
    half = finish_scan(scene_of(pixels, "half.tif"), model).scores()
    assert half.scored == 1
    pixels[104:152, 105:109] = 0
    with pytest.raises(NoGround, match="no tile"):
        finish_scan(scene_of(pixels, "more.tif"), model)


def test_scans_are_listed_newest_first_and_by_what_decides_them(
    scene_of: Scenes, model: Model
) -> None:
    scene = scene_of()
    first, second = (ScanStore.for_scan(scene, model, stride) for stride in (48, 64))
    second.record = replace(second.record, created="2999-01-01T00:00:00+00:00")
    second.write_record()
    assert [store.key for store in list_scans()] == [second.key, first.key]
    assert ScanStore.for_scan(replace(scene, name="other.tif"), model, 48).key == first.key
    shutil.rmtree(first.folder)
    assert [store.key for store in list_scans()] == [second.key]


def test_a_damaged_store_is_started_afresh(scene_of: Scenes, model: Model) -> None:
    scene = scene_of()
    store = finish_scan(scene, model)
    (store.folder / "scan.json").write_text("{")
    assert list_scans() == []
    assert ScanStore.for_scan(scene, model).done == 0


def test_a_store_takes_no_scores_of_another_model(
    scene_of: Scenes, model: Model, tmp_path: Path
) -> None:
    scene = scene_of()
    other = Model.load(plain_model(tmp_path / "other.onnx", title="another"), "cpu")
    with pytest.raises(StoreError, match="another scene or model"):
        next(scan(ScanStore.for_scan(scene, model), scene, other))


@pytest.mark.parametrize("stride", [0, -1, 257])
def test_a_stride_that_makes_no_sense_is_refused(
    scene_of: Scenes, model: Model, stride: int
) -> None:
    with pytest.raises(OptionError, match="stride"):
        ScanStore.for_scan(scene_of(), model, stride)


def test_a_scene_smaller_than_a_tile_says_so(scene_of: Scenes, model: Model) -> None:
    with pytest.raises(NoGround, match=r"scene.tif: .*at least 256 x 256 px"):
        ScanStore.for_scan(scene_of(rasters.ground(200, 300)), model)


def test_the_estimate_grows_with_the_tiles(scene_of: Scenes, model: Model) -> None:
    scene = scene_of()
    coarse, fine = (estimate(scene, model, stride) for stride in (256, 8))
    assert 0 < coarse < fine


def test_progress_tells_rate_and_time_left(scene_of: Scenes, model: Model) -> None:
    scene = scene_of()
    steps = list(scan(ScanStore.for_scan(scene, model, 32), scene, model))
    assert [step.done for step in steps] == sorted({step.done for step in steps})
    assert steps[-1].fraction == 1.0
    assert steps[-1].left == 0.0
    assert steps[0].left is None  # one batch, which starts the network, tells nothing
    assert all(step.rate > 0 for step in steps[1:])


def test_time_left_follows_what_a_scan_does_of_late(
    scene_of: Scenes, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = scene_of()
    store = ScanStore.for_scan(scene, model, 16)
    clock = iter([0.0, 100.0, *(100.0 + 10.0 * n for n in range(1, 1000))])  # a slow start
    monkeypatch.setattr("dashboard.detector.scanning.scan.time.monotonic", lambda: next(clock))
    sitting = scanning._Sitting(store)
    batches = [sitting.progress(done=8 * n) for n in range(1, 8)]
    assert [step.rate for step in batches[1:]] == pytest.approx([0.8] * 6)


def test_time_left_of_a_resumed_scan_is_by_what_it_does_itself(
    scene_of: Scenes, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = scene_of()
    store = ScanStore.for_scan(scene, model, 16)
    half = store.total // 2
    store.record = replace(store.record, done=half, seconds=50_000.0)  # a slow sitting before
    clock = iter([10.0 * n for n in range(1000)])
    monkeypatch.setattr("dashboard.detector.scanning.scan.time.monotonic", lambda: next(clock))
    sitting = scanning._Sitting(store)
    batches = [sitting.progress(done=half + 8 * n) for n in range(1, 4)]
    assert batches[0].left is None
    assert [step.rate for step in batches[1:]] == pytest.approx([0.8] * 2)
    assert batches[-1].left == pytest.approx((store.total - half - 24) / 0.8)
