"""One look at each place: the very place, stored with the scan, the same however the scan went."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from dashboard.detector import (
    Finished,
    Model,
    ModelError,
    Region,
    ScanSettings,
    ScanStore,
    Scene,
    StoreError,
    list_scans,
    read_card,
    run,
    scan,
)
from dashboard.detector.models.devices import start
from dashboard.detector.models.judge import AGAIN, ASIDE, BATCH, Judge
from dashboard.detector.scanning.place_table import PlaceTable
from tests.detector import rasters
from tests.detector.scans import finish_scan
from tests.models import area_model, judge_model

Scenes = Callable[..., Scene]


@pytest.fixture
def busy(scene_of: Scenes) -> Scene:
    """Ground with more places than a few batches hold."""
    return scene_of(rasters.ground(900, 1500))


def table_of(store: ScanStore) -> PlaceTable:
    table = store.places()
    assert table is not None
    return table


def test_a_model_of_two_files_is_a_finder_and_its_judge(judged: Model, tmp_path: Path) -> None:
    assert judged.judge is not None
    assert (judged.name, judged.path.name) == ("places", "guarded.onnx")
    assert judged.judge.path.name == "places.onnx"
    assert judged.card.kind == "guarded"
    assert read_card(judged.judge.path).kind == "places"
    alone = Model.load(tmp_path / "guarded.onnx", "cpu")
    assert (alone.sha256, alone.judge) == (judged.sha256, None)


def test_a_finder_of_other_windows_is_refused(tmp_path: Path) -> None:
    path = judge_model(tmp_path / "places.onnx")
    area_model(tmp_path / "guarded.onnx", tile=64)
    with pytest.raises(ModelError, match=r"does not find places for places\.onnx"):
        Model.load(path, "cpu")


def test_a_judge_whose_card_says_otherwise_is_refused(tmp_path: Path) -> None:
    path = judge_model(tmp_path / "places.onnx", scores="areas")
    with pytest.raises(ModelError, match="graph and card disagree"):
        Model.load(path, "cpu")
    with pytest.raises(ModelError, match="does not judge places"):
        Judge.load(area_model(tmp_path / "areas.onnx"), "cpu")


def test_every_place_is_judged_by_the_ground_around_it(busy: Scene, judged: Model) -> None:
    store = finish_scan(busy, judged)
    table = table_of(store)
    assert len(table) > 2 * BATCH
    twice = 0
    for row, col, logit, description in zip(
        table.rows, table.cols, table.logits, table.descriptions, strict=True
    ):
        box = store.record.grid.at(int(row), int(col)).read
        dn, aside = (busy.read_around(box.moved(by, by)) for by in (0, -ASIDE))
        says, again = (one[56:72, 56:72].mean() - one.mean() for one in (dn, aside))
        assert logit == pytest.approx((says + again) / 2 if says > AGAIN else says, abs=1e-3)
        twice += says > AGAIN
        np.testing.assert_allclose(
            description[:8], dn[:16].reshape(16, 8, 16).mean((0, 2)), rtol=1e-3
        )
    assert 0 < twice < len(table)
    np.testing.assert_array_equal(table.residuals, store.values()[table.rows, table.cols])


def test_the_scores_are_those_of_the_finder_alone(busy: Scene, judged: Model) -> None:
    alone = finish_scan(busy, replace(judged, judge=None))
    both = finish_scan(busy, judged)
    assert alone.key != both.key
    assert alone.places() is None
    np.testing.assert_array_equal(both.values(), alone.values())


@pytest.mark.parametrize("batches", [1, 2, 3])
def test_a_scan_cut_off_between_looks_ends_in_the_same_bytes(
    busy: Scene, judged: Model, batches: int
) -> None:
    store = finish_scan(busy, judged)
    undisturbed = (store.folder / "places.npy").read_bytes()
    shutil.rmtree(store.folder)
    store = ScanStore.for_scan(busy, judged)
    for _ in scan(store, busy, judged):
        if store.record.looked == batches * BATCH:
            break
    reopened = ScanStore.for_scan(busy, judged)
    assert reopened.record.looked == batches * BATCH < len(table_of(reopened))
    rest = list(scan(reopened, busy, judged))
    assert rest[-1].fraction == 1.0
    assert reopened.finished
    assert (reopened.folder / "places.npy").read_bytes() == undisturbed


def test_a_scan_cut_off_before_places_are_chosen_goes_on_with_choosing(
    busy: Scene, judged: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ScanStore.for_scan(busy, judged)
    with monkeypatch.context() as failing:
        failing.setattr(
            ScanStore, "choose_places", lambda _: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            list(scan(store, busy, judged))
    reopened = ScanStore.for_scan(busy, judged)
    assert reopened.scored
    assert not reopened.finished
    monkeypatch.setattr(Model, "score", lambda *_: pytest.fail("scored again"))
    list(scan(reopened, busy, judged))
    assert np.isfinite(table_of(reopened).logits).all()


def test_several_sessions_say_what_one_does(busy: Scene, judged: Model) -> None:
    assert judged.judge is not None
    alone = replace(judged, judge=replace(judged.judge, parallel_sessions=()))
    first = finish_scan(busy, alone)
    expected = (first.folder / "places.npy").read_bytes()
    shutil.rmtree(first.folder)
    more = tuple(start(judged.judge.path.read_bytes(), "cpu")[0] for _ in range(3))
    together = finish_scan(
        busy, replace(judged, judge=replace(judged.judge, parallel_sessions=more))
    )
    assert (together.folder / "places.npy").read_bytes() == expected


def test_progress_rises_to_the_end_over_both_stages(busy: Scene, judged: Model) -> None:
    steps = list(scan(ScanStore.for_scan(busy, judged), busy, judged))
    assert [step.done for step in steps] == sorted({step.done for step in steps})
    assert steps[-1].fraction == 1.0
    assert sum(step.done > len(ScanStore.for_scan(busy, judged).record.grid) for step in steps) > 2


def test_places_of_an_area_lie_in_it(busy: Scene, judged: Model) -> None:
    region = Region.of("300,200,900,700", busy)
    table = table_of(finish_scan(busy, judged, region))
    x, y = (4 * one + 64 for one in (table.cols, table.rows))
    assert len(table)
    assert ((x >= 300) & (x <= 900) & (y >= 200) & (y <= 700)).all()


def test_a_small_scene_has_places_too(scene_of: Scenes, judged: Model) -> None:
    store = finish_scan(scene_of(rasters.ground(150, 160)), judged)
    assert len(table_of(store)) == 1
    assert np.isfinite(table_of(store).logits).all()


def test_a_store_takes_no_looks_of_another_judge(
    busy: Scene, judged: Model, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    another = Model.load(judge_model(other / "places.onnx", title="another"), "cpu")
    assert another.sha256 == judged.sha256
    assert len({judged.checksums, another.checksums, replace(judged, judge=None).checksums}) == 3
    store = ScanStore.for_scan(busy, judged)
    with pytest.raises(StoreError, match="another scene or model"):
        next(scan(store, busy, another))
    assert ScanStore.for_scan(busy, another).key != store.key


def test_a_table_of_another_version_is_not_read(busy: Scene, judged: Model) -> None:
    store = finish_scan(busy, judged)
    record = json.loads((store.folder / "scan.json").read_text())
    (store.folder / "scan.json").write_text(json.dumps(record | {"table": 99}))
    assert list_scans() == []
    with pytest.raises(StoreError, match="another version"):
        ScanStore.open(store.folder)


def test_detections_come_with_their_descriptions(busy: Scene, judged: Model) -> None:
    store = finish_scan(busy, judged)
    finished = Finished(store, busy, store.scores(), ScanSettings(sigma=1.0, rule="mean"))
    found = finished.descriptions
    assert found.shape == (len(finished.detections), 64)
    told = np.isfinite(found).all(axis=1)
    assert told.any()
    for one, description in zip(finished.detections, found, strict=True):
        if np.isfinite(description).all():
            dn = busy.read(store.record.grid.at(one.row, one.col).read).dn
            np.testing.assert_allclose(description[0], dn[:16, :16].mean(), rtol=1e-3)
    alone = replace(finished, store=finish_scan(busy, replace(judged, judge=None)))
    alone = replace(alone, scores=alone.store.scores())
    assert alone.descriptions.shape == (len(finished.detections), 0)


def test_a_run_records_both_files(busy: Scene, judged: Model, tmp_path: Path) -> None:
    assert judged.judge is not None
    settings = ScanSettings(str(judged.judge.path), device="cpu", rule="mean")
    picture = tmp_path / "scene.tif"
    finished = run(picture, tmp_path / "out", settings)
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["model"]["name"] == "places"
    assert record["model"]["sha256"] == judged.sha256
    assert record["judge"]["sha256"] == judged.judge.sha256
    assert record["judge"]["card"]["kind"] == "places"
    table = {"found": len(table_of(finished.store)), "table": PlaceTable.version}
    assert record["looked_at"] == table
    alone = run(picture, tmp_path / "alone", replace(settings, model=str(judged.path)))
    record = json.loads((tmp_path / "alone" / "run.json").read_text())
    assert alone.store.model_name == "guarded"
    assert (record["judge"], record["looked_at"]) == (None, None)


def test_a_stopped_scan_goes_on_with_the_judge(busy: Scene, judged: Model) -> None:
    store = ScanStore.for_scan(busy, judged)
    list(islice(scan(store, busy, judged), 1))
    again = Model.load(ScanStore.open(store.folder).record.file, "cpu")
    assert again.judge is not None
    assert ScanStore.for_scan(busy, again).key == store.key
