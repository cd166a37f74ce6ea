"""What a second look saw of places: kept piece by piece, found whole, the same however it went."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from dashboard.detector import Model, ScanStore, Scene, StoreError, scan
from dashboard.detector.scanning import store as stores
from dashboard.detector.scanning.place_features import CELL, FILE, Seen
from tests.detector.scans import whole
from tests.models import SECOND_LOOK_CARD, critic_model, second_look_model

Scenes = Callable[..., Scene]


@pytest.fixture
def again(tmp_path: Path) -> Model:
    """Tells of local maxima of its score that, and the opposite."""
    return Model.load(second_look_model(tmp_path / "again.onnx"), "cpu")


def test_places_are_found_again_whatever_the_pieces_they_came_in(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    features = np.zeros((3, 50, 61), np.float32)
    rows, cols = np.mgrid[2:50:CELL, 3:61:CELL].reshape(2, -1)
    features[:, rows, cols] = rng.normal(0, 9, (3, len(rows)))
    found = []
    for name, step in (("whole", 99), ("pieces", 16)):
        Seen.blank(tmp_path / name, (50, 61), 3)
        seen = Seen.open(tmp_path / name, "r+")
        assert len(seen.places()[0]) == 0
        for row in range(0, 50, step):
            for col in range(0, 61, step):
                seen.keep(row, col, features[:, row : row + step, col : col + step])
        seen.flush()
        found.append(Seen.open(tmp_path / name).places())
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
    down, right, told = found[0]
    assert sorted(zip(down.tolist(), right.tolist(), strict=True)) == sorted(
        zip(rows.tolist(), cols.tolist(), strict=True)
    )
    np.testing.assert_allclose(told, features[:, down, right].T, rtol=1e-3, atol=1e-3)


def test_a_scan_keeps_what_was_seen_of_its_places(scene_of: Scenes, again: Model) -> None:
    assert again.features == 2
    store = whole(scene_of(), again)
    scores = store.scores()
    assert scores.seen is not None
    rows, cols, features = scores.seen.places()
    values = scores.values[rows, cols]
    highest = ndimage.maximum_filter(scores.values, 13) == scores.values
    inner = slice(6, -6)  # at the rim the graph takes ground beyond the map for higher
    there = np.zeros_like(highest)
    there[rows, cols] = True
    assert (there <= highest)[inner, inner].all()
    near = ndimage.maximum_filter(there, 13)  # of several that are equally high, one is kept
    assert near[inner, inner][highest[inner, inner]].all()
    assert there[inner, inner].sum() > 20
    np.testing.assert_allclose(features, np.stack([values, -values], axis=1), rtol=2e-3)


@pytest.mark.parametrize("after", [1, 3])
def test_a_scan_that_was_cut_off_ends_in_the_same_places(
    scene_of: Scenes, again: Model, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "SIDE", 32)
    scene = scene_of()
    undisturbed = whole(scene, again)
    expected = undisturbed.scores().seen
    assert expected is not None
    cells = np.array(expected.cells)
    undisturbed.delete()
    store = ScanStore.for_scan(scene, again)
    for _ in islice(scan(store, scene, again), after):
        pass
    assert not ScanStore.open(store.folder).finished
    resumed = whole(scene, again).scores().seen
    assert resumed is not None
    np.testing.assert_array_equal(resumed.cells, cells)
    assert cells[..., 0].any()


def test_a_network_that_looks_once_keeps_no_places(scene_of: Scenes, tmp_path: Path) -> None:
    critic = Model.load(critic_model(tmp_path / "critic.onnx"), "cpu")
    store = whole(scene_of(), critic)
    assert critic.features == store.record.features == 0
    assert store.scores().seen is None
    assert not (store.folder / FILE).exists()


def test_a_scan_without_its_places_is_damaged(scene_of: Scenes, again: Model) -> None:
    store = whole(scene_of(), again)
    (store.folder / FILE).unlink()
    with pytest.raises(StoreError, match="no stored scan that can be read"):
        ScanStore.open(store.folder)
    assert again.card == SECOND_LOOK_CARD
    assert whole(store.scene(), again).scores().seen is not None, "it is scanned anew"
