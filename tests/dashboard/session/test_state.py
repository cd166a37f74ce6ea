"""A scan that nobody looks at leaves memory, and is there again when it is asked for."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

from dashboard.detector import Model, ScanSettings, ScanStore, Scene, scan
from dashboard.session import state


def test_a_scan_that_is_let_go_is_forgotten_and_found_again(
    scene_of: Callable[..., Scene], model: Model
) -> None:
    scene = scene_of()
    store = ScanStore.for_scan(scene, model, 16)
    for _ in scan(store, scene, model):
        pass
    settings = ScanSettings(str(model.path), sigma=1.0, rule="mean")
    opened = state.of_store(store)
    places = opened.by(settings).detections
    gone = weakref.ref(opened)
    del opened
    assert gone()  # the next page finds it
    state.let_scans_go()
    gc.collect()
    assert not gone()
    assert state.of_store(store).by(settings).detections == places != []
