"""Where else something was seen: the same window in another scene, whichever the scans."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dashboard.detector import Model, ScanStore, Scene, list_scans, similar_places
from dashboard.detector.review.similar_places import MOST
from tests.detector import rasters
from tests.detector.scans import finish_scan
from tests.models import area_model

Scenes = Callable[..., Scene]
SHIFT = 40  # px from one scene to the other


@pytest.fixture
def scans(scene_of: Scenes, judged: Model) -> tuple[ScanStore, ScanStore]:
    """Scans of a plain, and of the same plain further to the right."""
    ground = rasters.ground(600, 800)
    shifted = scene_of(np.roll(ground, SHIFT, axis=1), name="shifted.tif")
    return finish_scan(scene_of(ground), judged), finish_scan(shifted, judged)


def strongest(store: ScanStore) -> tuple[int, int]:
    """The position of a place well inside the scene."""
    table = store.places()
    assert table is not None
    inner = np.flatnonzero((table.cols > 20) & (table.cols < 120))
    line = inner[np.argmax(table.residuals[inner])]
    return int(table.rows[line]), int(table.cols[line])


def test_the_same_ground_in_another_scene_is_the_most_alike(
    scans: tuple[ScanStore, ScanStore],
) -> None:
    store, other = scans
    row, col = strongest(store)
    found = similar_places(store, row, col, list_scans())
    assert found
    assert len(found) == MOST
    best = found[0]
    assert best.store.key == other.key, "never the scene itself"
    assert (best.row, best.col) == (row, col + SHIFT // store.stride)
    assert best.alike == pytest.approx(1, abs=0.01)
    assert [one.alike for one in found] == sorted((one.alike for one in found), reverse=True)


def test_scans_by_other_models_and_unfinished_ones_are_not_searched(
    scans: tuple[ScanStore, ScanStore], scene_of: Scenes, judged: Model, tmp_path: Path
) -> None:
    store, other = scans
    row, col = strongest(store)
    third = scene_of(rasters.ground(500, 700)[::-1], name="third.tif")
    finish_scan(third, Model.load(area_model(tmp_path / "alone.onnx"), "cpu"))
    ScanStore.for_scan(third, judged)  # not begun
    found = similar_places(store, row, col, list_scans())
    assert found
    assert {one.store.key for one in found} == {other.key}
    assert similar_places(store, row, col, [store]) == []
    assert similar_places(store, row + 1, col, list_scans()) is None, "not looked at"
