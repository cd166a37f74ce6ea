"""Many scenes: a folder each, one that fails stops no other, where Dask lacks it is said."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest

from dashboard.__main__ import main
from dashboard.batch import batch, folders
from dashboard.detector import DeviceError, OptionError, ScanSettings
from tests.detector import rasters
from tests.models import plain_model


@pytest.fixture
def settings(tmp_path: Path) -> ScanSettings:
    return ScanSettings(str(plain_model(tmp_path / "plain.onnx")), 48, device="cpu")


@pytest.fixture
def scenes(tmp_path: Path) -> list[str]:
    """Two pictures of one name, and between them one that is broken."""
    (tmp_path / "other").mkdir()
    good = [
        rasters.write(tmp_path / folder / "mars.png", rasters.ground(300, 400, seed=seed))
        for seed, folder in enumerate((".", "other"))
    ]
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")
    return [str(good[0]), str(broken), str(good[1])]


def test_each_scene_has_its_folder_and_one_that_fails_stops_no_other(
    scenes: list[str], settings: ScanSettings, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    model, stride = settings.model, str(settings.stride)
    code = main(["batch", *scenes, "--out", str(out), "--model", model, "--stride", stride])
    said = capfd.readouterr()
    assert code == 2
    assert said.err == "needle: 1 of 3 scenes failed; summary.csv says why\n"
    assert len(said.out.splitlines()) == 4
    for name in ("mars", "mars-2"):
        assert (out / name / "run.json").exists()
    rows = list(csv.DictReader((out / "summary.csv").read_text().splitlines()))
    assert [row["scene"] for row in rows] == scenes
    assert [bool(row["error"]) for row in rows] == [False, True, False]
    assert "not a PNG, JPEG, TIFF or JPEG 2000" in rows[1]["error"]
    for row, name in ((rows[0], "mars"), (rows[2], "mars-2")):
        found = (out / name / "detections.csv").read_text().splitlines()
        assert int(row["detections"]) == len(found) - 1


def test_a_worker_that_dies_takes_no_other_scene_with_it(
    scenes: list[str],
    settings: ScanSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dashboard.batch.scan_one", _dies)
    died, good = batch([scenes[1], scenes[0]], tmp_path / "out", settings)
    assert "its process ended" in died.error
    assert (good.scene, good.error) == (scenes[0], "")


def _dies(scene: str, folder: str, settings: ScanSettings) -> object:
    import os

    from dashboard.batch import Outcome

    if "broken" in scene:
        os._exit(9)
    return Outcome(scene, folder, 0)


def test_folders_are_named_after_scenes_and_never_shared(tmp_path: Path) -> None:
    found = folders(["a/x.png", "b/x.jp2", "y.tif", "/"], tmp_path)
    assert [folder.name for folder in found] == ["x", "x-2", "y", "scene"]


@pytest.mark.parametrize(
    ("scenes", "names"),
    [
        (["a.tif", "d/a.tif", "a-2.tif"], ["a", "a-3", "a-2"]),
        (["a-2.tif", "a.tif", "d/a.tif"], ["a-2", "a", "a-3"]),
        (["a.tif", "d/A.png", "a-2.tif", "e/a-2.tif"], ["a", "A-3", "a-2", "a-2-2"]),
        (["a.tif", "a.tif", "a.tif"], ["a", "a-2", "a-3"]),
    ],
)
def test_a_number_never_leads_to_the_folder_of_another(
    scenes: list[str], names: list[str], tmp_path: Path
) -> None:
    assert [folder.name for folder in folders(scenes, tmp_path)] == names


def test_a_batch_that_is_stopped_says_what_is_done_and_what_is_not(
    scenes: list[str], settings: ScanSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.batch.scan_one", _dies)
    ended = batch([scenes[0], scenes[2]], tmp_path / "out", settings)
    assert next(ended).scene == scenes[0]
    with pytest.raises(KeyboardInterrupt):
        ended.throw(KeyboardInterrupt)
    rows = list(csv.DictReader((tmp_path / "out" / "summary.csv").read_text().splitlines()))
    assert [(row["scene"], row["detections"]) for row in rows] == [
        (scenes[0], "0"),
        (scenes[2], ""),
    ]
    assert "stopped before it was done" in rows[1]["error"]


def test_bad_options_are_refused(settings: ScanSettings, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no executor"):
        next(batch(["a.png"], tmp_path, settings, "slurm"))
    with pytest.raises(OptionError, match="needs --executor dask"):
        next(batch(["a.png"], tmp_path, settings, scheduler="tcp://host:8786"))


def test_without_dask_one_line_says_how_to_install_it(
    scenes: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name in ("dask", "dask.distributed", "distributed"):
        monkeypatch.setitem(sys.modules, name, None)
    assert main(["batch", *scenes, "--out", str(tmp_path / "o"), "--executor", "dask"]) == 2
    said = capfd.readouterr().err
    assert "python -m pip install" in said
    assert said.count("\n") == 1


def test_a_dask_cluster_does_the_same(
    scenes: list[str], settings: ScanSettings, tmp_path: Path
) -> None:
    distributed = pytest.importorskip("distributed", reason="needs Dask: pip install distributed")
    here = {o.scene: o for o in batch(scenes, tmp_path / "here", settings)}
    with distributed.LocalCluster(1, threads_per_worker=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        there = {o.scene: o for o in batch(scenes, tmp_path / "there", settings, "dask", address)}
    assert there.keys() == here.keys()
    for scene, outcome in there.items():
        assert (outcome.detections, outcome.error) == (here[scene].detections, here[scene].error)


def test_a_scheduler_that_is_not_there_is_said(settings: ScanSettings, tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="needs Dask: pip install distributed")
    with pytest.raises(DeviceError, match="no Dask scheduler answers"):
        next(batch(["a.png"], tmp_path, settings, "dask", "tcp://127.0.0.1:1"))
