"""Networks that score areas: every position once, the same numbers however they are cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboard.detector import (
    Box,
    Finished,
    Model,
    ScanSettings,
    ScanStore,
    Scene,
    estimate,
    find,
    list_scans,
    scan,
    triptychs,
)
from dashboard.detector.models.devices import start
from dashboard.detector.scanning import store as stores
from tests.detector import rasters
from tests.detector.scans import finish_scan, forget_scans
from tests.models import AREA_CARD, area_model

Scenes = Callable[..., Scene]


@pytest.fixture
def areas(tmp_path: Path) -> Model:
    return Model.load(area_model(tmp_path / "areas.onnx"), "cpu")


def expected(pixels: np.ndarray, scene: Scene) -> np.ndarray:
    """The plain model's scores, position by position, worked out by numpy on the whole scene."""
    rim = (AREA_CARD.tile - 4) // 2
    rows, cols = ((length - AREA_CARD.tile) // 4 + 1 for length in pixels.shape)
    inner = pixels[rim : rim + 4 * rows, rim : rim + 4 * cols].astype(np.float32)
    residual = np.abs(inner - scene.centre) / scene.scale
    return np.asarray(residual.reshape(rows, 4, cols, 4).mean(axis=(1, 3)))


@pytest.mark.parametrize("side", [16, 40, 256])
@pytest.mark.parametrize("shape", [(300, 400), (301, 402), (64, 64), (64, 303)])
def test_every_position_has_the_score_of_its_own_ground(
    scene_of: Scenes,
    areas: Model,
    side: int,
    shape: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stores, "SIDE", side)
    pixels = rasters.ground(*shape)
    scene = scene_of(pixels)
    scores = finish_scan(scene, areas).scores()
    np.testing.assert_allclose(scores.values, expected(pixels, scene), rtol=1e-5)


def test_an_object_is_found_where_it_is(scene_of: Scenes, areas: Model) -> None:
    scene = scene_of()  # an object of 20 px at (400, 300)
    (strongest,) = find(finish_scan(scene, areas).scores(), top=1, scene=scene)
    assert abs(strongest.x - 400) <= 10
    assert abs(strongest.y - 300) <= 10
    assert (strongest.box.width, strongest.box.height) == (12, 12)


def test_a_scan_cut_off_between_areas_ends_in_the_same_numbers(
    scene_of: Scenes, areas: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "SIDE", 40)
    scene = scene_of(rasters.ground(400, 500))
    undisturbed = finish_scan(scene, areas).values().copy()
    forget_scans()
    store = ScanStore.for_scan(scene, areas)
    seen = list(islice(scan(store, scene, areas), 4))
    reopened = ScanStore.for_scan(scene, areas)
    assert 0 < reopened.done == seen[-1].done < reopened.total
    list(scan(reopened, scene, areas))
    assert reopened.finished
    np.testing.assert_array_equal(reopened.values(), undisturbed)


def test_a_scan_begun_with_other_areas_goes_on_with_them(
    scene_of: Scenes, areas: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "SIDE", 40)
    scene = scene_of(rasters.ground(400, 500))
    begun = ScanStore.for_scan(scene, areas)
    list(islice(scan(begun, scene, areas), 3))
    monkeypatch.setattr(stores, "SIDE", 64)
    reopened = ScanStore.for_scan(scene, areas)
    assert (reopened.key, reopened.done, reopened.record.batch) == (begun.key, begun.done, 40)
    list(scan(reopened, scene, areas))
    pixels = scene.read(Box(0, 0, 500, 400)).dn
    np.testing.assert_allclose(reopened.values(), expected(pixels, scene), rtol=1e-5)


def test_several_sessions_score_what_one_does(
    scene_of: Scenes, areas: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "SIDE", 24)
    scene = scene_of(rasters.ground(400, 500))
    alone = finish_scan(scene, replace(areas, parallel_sessions=())).values().copy()
    forget_scans()
    more, another = (start(areas.path.read_bytes(), "cpu")[0] for _ in range(2))
    together = replace(areas, parallel_sessions=(areas.session, more, another))
    used: list[int] = []
    score = Model.score

    def noted(self: Model, *given: Any) -> Any:
        used.append(id(self.session))
        return score(self, *given)

    monkeypatch.setattr(Model, "score", noted)
    store = ScanStore.for_scan(scene, together)
    seen = [step.done for step in islice(scan(store, scene, together), 5)]
    store = ScanStore.for_scan(scene, together)
    assert store.done == seen[-1]  # what was under way when it was cut off is scored again
    seen += [step.done for step in scan(store, scene, together)]
    assert seen == sorted(seen)
    assert Counter(used).keys() == {id(shard.session) for shard in together.shards}
    assert min(Counter(used).values()) > 3
    np.testing.assert_array_equal(store.values(), alone)


def test_a_failing_session_stops_the_scan(
    scene_of: Scenes, areas: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "SIDE", 24)
    scene = scene_of(rasters.ground(400, 500))
    more, _, _ = start(areas.path.read_bytes(), "cpu")
    together = replace(areas, parallel_sessions=(areas.session, more))
    score = Model.score

    def broken(self: Model, *given: Any) -> Any:
        if self.session is more:
            raise MemoryError("the second GPU is full")
        return score(self, *given)

    monkeypatch.setattr(Model, "score", broken)
    store = ScanStore.for_scan(scene, together)
    with pytest.raises(MemoryError, match="second GPU"):
        list(scan(store, scene, together))
    assert store.done == 24 * 24


def test_positions_with_too_little_ground_have_no_score(scene_of: Scenes, areas: Model) -> None:
    pixels = rasters.ground(300, 400)
    pixels[:, :120] = 0
    scene = scene_of(pixels)
    scores = finish_scan(scene, areas).scores()
    for tile in scores.grid:
        share = scene.read(tile.read).valid.mean()
        assert np.isfinite(scores.values[tile.row, tile.col]) == (share >= 0.99), tile


def test_what_was_mostly_filled_in_is_not_scored(scene_of: Scenes, areas: Model) -> None:
    pixels = rasters.ground(300, 400)
    pixels[150:160, 200:210] = 0
    scores = finish_scan(scene_of(pixels), areas).scores()
    for row, col in np.argwhere(~np.isfinite(scores.values)).tolist():
        assert scores.scored_box(row, col).overlaps(Box(200, 150, 210, 160))
    assert 0 < np.isnan(scores.values).sum() < 20


def test_a_triptych_is_the_ground_at_full_resolution(scene_of: Scenes, areas: Model) -> None:
    scene = scene_of()
    boxes = [Box(368, 268, 432, 332), Box(0, 0, 64, 64)]
    first, corner = triptychs(scene, areas, boxes)
    np.testing.assert_array_equal(first.query, scene.read(boxes[0]).dn)
    np.testing.assert_allclose(first.completion, scene.centre, rtol=1e-6)
    np.testing.assert_allclose(first.difference, first.query - first.completion)
    assert first.scored == Box(26, 26, 38, 38)
    assert corner.query.shape == corner.completion.shape == (64, 64)


def test_there_is_one_picture_a_place(scene_of: Scenes, areas: Model) -> None:
    scene = scene_of()
    store = finish_scan(scene, areas)
    finished = Finished(store, scene, store.scores(), ScanSettings("areas", 4, sigma=3.0))
    assert len(finished.flagged) > len(finished.detections) > 0
    assert [tile.sigma for tile in finished.pictured] == [
        found.sigma for found in finished.detections
    ]
    assert all(tile.box.width == AREA_CARD.tile for tile in finished.pictured)


def test_an_estimate_is_positive_and_scores_nothing(scene_of: Scenes, areas: Model) -> None:
    assert estimate(scene_of(), areas) > 0
    assert list_scans() == []
