"""Scores that stand out from what is around: looked at once, the same however it is cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from dashboard.detector import Box, Model, ModelError, Region, ScanStore, Scene, scan
from dashboard.detector.models.devices import start
from dashboard.detector.scanning import pieces
from dashboard.detector.scanning import store as stores
from dashboard.detector.scanning.pieces import minus_local_mean
from tests.detector import rasters
from tests.detector.scans import finish_scan, forget_scans
from tests.models import AROUND_CARD, area_model, around_model

Scenes = Callable[..., Scene]
RIM = (AROUND_CARD.tile - 4) // 2  # px from a scene's border to the first position
REACH = AROUND_CARD.around // 2  # positions


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model.load(around_model(tmp_path / "around.onnx"), "cpu")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of what the network is shown, as it is shown."""
    seen: list[tuple[int, ...]] = []
    surprise = Model.raw_scores

    def noted(self: Model, dn: np.ndarray, *given: Any) -> Any:
        seen.append(dn.shape)
        return surprise(self, dn, *given)

    monkeypatch.setattr(Model, "raw_scores", noted)
    return seen


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of 24 positions a side, so that a scene of a few hundred px has many."""
    monkeypatch.setattr(stores, "SIDE", 24)


def expected(pixels: np.ndarray, scene: Scene) -> np.ndarray:
    """The plain model's scores, worked out by numpy on the whole scene, its border drawn on."""
    rows, cols = ((length - AROUND_CARD.tile) // 4 + 1 for length in pixels.shape)
    more = 4 * REACH
    inner = pixels[RIM - more : RIM + 4 * rows + more, RIM - more : RIM + 4 * cols + more]
    residual = np.abs(inner.astype(np.float32) - scene.centre) / scene.scale
    surprise = residual.reshape(rows + 2 * REACH, 4, cols + 2 * REACH, 4).mean(axis=(1, 3))
    windows = np.lib.stride_tricks.sliding_window_view(surprise, (AROUND_CARD.around,) * 2)
    return np.asarray(surprise[REACH:-REACH, REACH:-REACH] - windows.mean(axis=(2, 3)))


@pytest.mark.parametrize("side", [16, 40, 256])
@pytest.mark.parametrize("shape", [(300, 400), (301, 402), (64, 64), (64, 303)])
def test_every_position_stands_out_from_its_own_surroundings(
    scene_of: Scenes,
    model: Model,
    side: int,
    shape: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stores, "SIDE", side)
    pixels = rasters.ground(*shape)
    scene = scene_of(pixels)
    scores = finish_scan(scene, model).scores()
    np.testing.assert_allclose(scores.values, expected(pixels, scene), rtol=1e-4, atol=1e-4)


def test_what_a_caller_takes_off_is_what_the_network_would(scene_of: Scenes, model: Model) -> None:
    scene = scene_of()
    box = Box(200, 100, 264, 164)
    less, more = (
        scene.read_around(box.grow(rim))[None, None] for rim in (model.card.sees, model.card.margin)
    )
    score = model.score(more, scene.centre, scene.scale)[0]
    surprise = model.raw_scores(more, scene.centre, scene.scale)[0]
    np.testing.assert_allclose(minus_local_mean(surprise, AROUND_CARD.around), score, atol=1e-5)
    inner = model.raw_scores(less, scene.centre, scene.scale)[0]
    np.testing.assert_allclose(inner, surprise[REACH:-REACH, REACH:-REACH], atol=1e-6)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("sessions", [1, 2])
def test_a_resumed_scan_looks_at_nothing_twice_and_ends_in_the_same_numbers(
    scene_of: Scenes,
    model: Model,
    looks: list[tuple[int, ...]],
    sessions: int,
) -> None:
    """Of several sessions those are cut off that have not come to an end: they begin anew."""
    beside = [start(model.path.read_bytes(), "cpu")[0] for _ in range(sessions)]
    model = replace(model, parallel_sessions=tuple(beside) if sessions > 1 else ())
    scene = scene_of(rasters.ground(400, 500))
    undisturbed = finish_scan(scene, model).values().copy()
    count = len(looks)
    looks.clear()
    forget_scans()
    cuts = (1, 4, 7)
    for cut in cuts:
        store = ScanStore.for_scan(scene, model)
        list(islice(scan(store, scene, model), cut))
    store = ScanStore.for_scan(scene, model)
    assert 0 < store.done < store.total
    list(scan(store, scene, model))
    assert count <= len(looks) <= count + len(cuts) * (sessions + 1) * (sessions > 1)
    np.testing.assert_array_equal(store.values(), undisturbed)


@pytest.mark.usefixtures("small_pieces")
def test_surprise_is_kept_as_long_as_it_is_needed(scene_of: Scenes, model: Model) -> None:
    scene = scene_of(rasters.ground(400, 500))
    store = ScanStore.for_scan(scene, model)
    list(islice(scan(store, scene, model), 3))
    kept = store.folder / stores.SURPRISE
    assert kept.stat().st_size > 4 * store.total
    list(scan(store, scene, model))
    assert not kept.exists()
    assert ScanStore.open(store.folder).finished


@pytest.mark.usefixtures("small_pieces")
def test_a_scan_that_lost_its_surprise_begins_anew(scene_of: Scenes, model: Model) -> None:
    scene = scene_of(rasters.ground(400, 500))
    store = ScanStore.for_scan(scene, model)
    list(islice(scan(store, scene, model), 3))
    (store.folder / stores.SURPRISE).unlink()
    assert ScanStore.for_scan(scene, model).done == 0


@pytest.mark.usefixtures("small_pieces")
def test_an_area_of_interest_has_the_scores_of_the_whole_and_costs_less(
    scene_of: Scenes,
    model: Model,
    looks: list[tuple[int, ...]],
) -> None:
    scene = scene_of(rasters.ground(400, 500))
    everything = finish_scan(scene, model).values().copy()
    all_looks = len(looks)
    looks.clear()
    part = finish_scan(scene, model, Region.of("150,150,260,250", scene)).values()
    there = np.isfinite(part)
    assert 0 < there.sum() < there.size / 4
    assert 0 < len(looks) < all_looks / 2
    np.testing.assert_array_equal(part[there], everything[there])


def test_the_shipped_network_scores_pieces_of_a_few_positions_as_it_does_large_ones(
    scene_of: Scenes, looks: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded = Model.load("guarded", "cpu")
    scene = scene_of(rasters.ground(260, 308))  # 34 x 46 positions
    large = finish_scan(scene, guarded).values().copy()
    forget_scans()
    looks.clear()
    monkeypatch.setattr(stores, "SIDE", 96)
    small = finish_scan(scene, guarded).values()
    assert len(looks) == 4
    np.testing.assert_allclose(small, large, atol=1e-3)


@pytest.mark.usefixtures("small_pieces")
def test_nobody_looks_at_what_holds_no_ground(
    scene_of: Scenes,
    model: Model,
    looks: list[tuple[int, ...]],
) -> None:
    pixels = rasters.ground(400, 500)
    pixels[:, :300] = 0
    scores = finish_scan(scene_of(pixels), model).scores()
    assert np.isfinite(scores.values).any()
    assert len(looks) < 0.7 * (scores.grid.rows / 24) * (scores.grid.cols / 24)


def test_a_network_without_the_surprise_its_card_speaks_of_is_refused(tmp_path: Path) -> None:
    path = area_model(tmp_path / "areas.onnx", around=5)
    assert "surprise" not in {out.name for out in onnx.load(path).graph.output}
    with pytest.raises(ModelError, match="gives no surprise"):
        Model.load(path, "cpu")


@pytest.mark.parametrize("side", [16, 24, 70])
def test_ground_that_no_score_depends_on_is_not_looked_at(
    scene_of: Scenes,
    model: Model,
    looks: list[tuple[int, ...]],
    side: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stores, "SIDE", side)
    pixels = rasters.ground(500, 450)
    pixels[np.add.outer(np.arange(500), -np.arange(450)) > 260] = 0
    pixels[:, 380:] = 0
    scene = scene_of(pixels)
    trimmed = finish_scan(scene, model).values().copy()
    some = sum(int(np.prod(shape)) for shape in looks)
    forget_scans()
    looks.clear()
    monkeypatch.setattr(pieces, "_needed", lambda record, piece, enough: piece.fresh)
    np.testing.assert_allclose(trimmed, finish_scan(scene, model).values(), atol=1e-6)
    assert 0 < np.isfinite(trimmed).sum() < trimmed.size
    assert some < 0.95 * sum(int(np.prod(shape)) for shape in looks)


def test_the_same_pixels_have_the_same_scores_in_every_format(
    scene_of: Scenes, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "SIDE", 40)
    pixels = rasters.ground(700, 450, "uint16") * 3
    pixels[:, 400:] = 0
    pixels[300:302] = 0  # lost lines
    names = ("scene.png", "scene.tif", "scene.jp2")
    png, *others = (finish_scan(scene_of(pixels, name), model).values() for name in names)
    assert np.isfinite(png).any()
    for other in others:
        np.testing.assert_array_equal(other, png)
