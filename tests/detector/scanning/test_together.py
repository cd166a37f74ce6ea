"""Two who scan the same scene with the same model in one home share one scan."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboard.detector import Model, Scene, StoreError, list_scans, scan
from dashboard.detector.scanning import scan as scanning
from dashboard.detector.scanning.store import ScanStore
from tests.detector import rasters
from tests.models import area_model
from tests.slowed import slowed

Scenes = Callable[..., Scene]
ROOT = Path(__file__).resolve().parents[3]
SLOW = slowed(0.01)


def test_the_second_waits_and_scores_nothing_again(
    scene_of: Scenes, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "SETTLE_SECONDS", 0.0)
    scene, looked = scene_of(), []
    look = scanning.infer

    def noted(reading: Any, *how: Any) -> Any:
        looked.append(reading.piece)
        return look(reading, *how)

    monkeypatch.setattr(scanning, "infer", noted)
    first, second = (ScanStore.for_scan(scene, model, 16) for _ in range(2))
    steps, waited = scan(first, scene, model), scan(second, scene, model)
    next(steps)
    seen = [next(waited)]
    next(steps)
    seen.append(next(waited))
    assert [step.rate for step in seen] == [0.0, 0.0]
    assert 0 < seen[0].done < seen[1].done < first.total  # how far the other is
    for _ in steps:
        pass
    for _ in waited:
        pass
    assert second.finished
    assert len(looked) == len(set(looked)) == len(scanning.Pieces(first.record))
    assert ScanStore.open(first.folder).finished


def test_the_second_goes_on_where_the_first_was_stopped(scene_of: Scenes, model: Model) -> None:
    scene = scene_of()
    first, second = (ScanStore.for_scan(scene, model, 16) for _ in range(2))
    steps, waited = scan(first, scene, model), scan(second, scene, model)
    next(steps)
    next(waited)
    steps.close()
    kept = first.done
    left = [step.done for step in waited]
    assert 0 < kept <= min(left) < second.total
    assert second.finished


def test_what_is_done_never_goes_back(scene_of: Scenes, model: Model) -> None:
    scene = scene_of()
    stale = ScanStore.for_scan(scene, model, 16)
    for _ in scan(ScanStore.for_scan(scene, model, 16), scene, model):
        pass
    assert stale.done == 0
    assert list(scan(stale, replace(scene, name="later.tif"), model)) == []
    assert stale.finished
    assert ScanStore.open(stale.folder).finished


def test_a_scan_that_another_has_just_made_is_not_made_again(
    scene_of: Scenes, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = scene_of()
    made = ScanStore.for_scan(scene, model, 16)
    steps = scan(made, scene, model)
    next(steps)
    steps.close()
    find, calls = ScanStore.open, []

    def too_early(folder: Path) -> Any:
        calls.append(folder)
        if len(calls) == 1:
            raise StoreError("not there yet")
        return find(folder)

    monkeypatch.setattr(ScanStore, "open", too_early)
    assert ScanStore.for_scan(scene, model, 16).done == made.done > 0


def test_threads_of_one_process_share_a_scan_too(scene_of: Scenes, model: Model) -> None:
    scene, stores = scene_of(), []

    def work() -> None:
        store = ScanStore.for_scan(scene, model, 16)
        stores.append(store)
        for _ in scan(store, scene, model):
            time.sleep(0.001)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.finished for store in stores] == [True] * 3
    assert len(list_scans()) == 1
    left = [path.name for path in stores[0].folder.parent.iterdir()]
    assert left == [stores[0].key]  # no lock


def test_two_processes_find_the_same_and_leave_a_whole_scan(tmp_path: Path) -> None:
    pixels = rasters.ground(500, 700)
    pixels[290:310, 390:410] = 250
    path = rasters.write(tmp_path / "scene.tif", pixels)
    model = area_model(tmp_path / "model.onnx")
    environment = os.environ | {"NEEDLE_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}
    how = [str(path), "--model", str(model), "--device", "cpu", "--sigma", "2", "--out"]
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", SLOW, "scan", *how, str(tmp_path / out)],
            cwd=ROOT,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for out in ("one", "two")
    ]
    said = [run.communicate()[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    for name in ("detections.csv", "scores.tif", "tiles.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    (store,) = list_scans(tmp_path / "home")
    assert store.finished
    assert np.isfinite(store.scores().values).any()
