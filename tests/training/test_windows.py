"""Training windows: reproducible, on ground only, never on a left-out object."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from dashboard.detector import Box, NeedleError, NoGround, Patch, Scene, SceneNotFound
from tests.detector import rasters
from training.windows import Shard, Source, Windows, gather, mirrored, turn_square


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two scenes, one with a truth and a nodata border, and a chip smaller than a window."""
    known = rasters.ground(500, 700, "uint16") * 4
    known[:, :200] = 0
    known[200:220, 400:420] = 1000
    rasters.write(tmp_path / "known.tif", known)
    objects = [{"name": "one", "kind": "lander", "box": [400, 200, 420, 220]}]
    truth = {"scene": "known.tif", "objects": objects}
    (tmp_path / "known.truth.json").write_text(json.dumps(truth))
    rasters.write(tmp_path / "plain.png", rasters.ground(300, 300, seed=1))
    chips = tmp_path / "chips"
    chips.mkdir()
    for number in range(3):
        rasters.write(chips / f"{number}.png", rasters.ground(227, 200, seed=number))
    (chips / "notes.txt").write_text("no picture")
    return tmp_path


def arguments(folder: Path) -> list[Path]:
    return [folder / "known.tif", folder / "plain.png", folder / "chips"]


def test_windows_repeat_whatever_the_order_they_are_asked_in(folder: Path) -> None:
    sources = gather(arguments(folder), polluted=False)
    one, other = (Windows(sources, seed=3, turns=True) for _ in range(2))
    forward = [one[i] for i in range(20)]
    backward = [other[i] for i in reversed(range(20))][::-1]
    for ours, theirs in zip(forward, backward, strict=True):
        assert torch.equal(ours[0], theirs[0])
        assert ours[1:] == theirs[1:]
    assert not torch.equal(one[0][0], Windows(sources, seed=4, turns=True)[0][0])


def test_windows_are_whole_tiles_with_their_scenes_centre_and_scale(folder: Path) -> None:
    sources = gather(arguments(folder), polluted=False)
    pairs = {(scene.centre, scene.scale) for source in sources for scene in source.scenes}
    windows = Windows(sources, seed=0, turns=True)
    drawn = [windows[i] for i in range(40)]
    assert {dn.shape for dn, _, _ in drawn} == {(1, 256, 256)}
    assert {(centre, scale) for _, centre, scale in drawn} <= pairs
    assert len({centre for _, centre, _ in drawn}) > 1


def test_known_objects_and_nodata_are_never_shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Box] = []
    read = Scene.read
    monkeypatch.setattr(Scene, "read", lambda self, box: seen.append(box) or read(self, box))
    sources = gather([folder / "known.tif"], polluted=False)
    windows = Windows(sources, seed=0, turns=False)
    for i in range(30):
        dn, _, _ = windows[i]
        assert float((dn == 1000).sum()) == 0
    assert not any(box.overlaps(Box(400, 200, 420, 220)) for box in seen)


def test_polluted_training_does_show_them(folder: Path) -> None:
    windows = Windows(gather([folder / "known.tif"], polluted=True), seed=0, turns=False)
    assert any(float((windows[i][0] == 1000).sum()) == 400 for i in range(30))


def test_chips_enter_whole_and_mirrored(folder: Path) -> None:
    (source,) = gather([folder / "chips"], polluted=False)
    assert len(source.scenes) == 3
    windows = Windows([source], seed=0, turns=False)
    dn = windows[0][0][0].numpy()
    chips = [scene.read(Box(0, 0, 200, 227)).dn for scene in source.scenes]
    middle = dn[14 : 14 + 227, 28 : 28 + 200]
    assert any(np.array_equal(middle, chip) for chip in chips)
    np.testing.assert_array_equal(dn[:14], dn[14:28][::-1])


def test_mirroring_leaves_a_large_patch_alone() -> None:
    patch = Patch(np.zeros((256, 300), np.float32), *(np.ones((256, 300), bool),) * 2)
    assert mirrored(patch, 256) is patch


def test_the_eight_attitudes_are_eight() -> None:
    dn = np.arange(9.0).reshape(3, 3)
    assert len({turn_square(dn, turn).tobytes() for turn in range(8)}) == 8


def test_shards_together_are_the_whole_epoch_in_step() -> None:
    whole = list(Shard(range(2, 5), batch=6))
    parts = [list(Shard(range(2, 5), 6, rank, 3)) for rank in range(3)]
    assert sorted(number for part in parts for number in part) == whole == list(range(12, 30))
    for step in range(3):
        together = {number for part in parts for number in part[2 * step : 2 * step + 2]}
        assert together == set(whole[6 * step : 6 * step + 6])


def test_a_scene_without_ground_is_refused_alone_and_skipped_in_a_folder(tmp_path: Path) -> None:
    empty = rasters.write(tmp_path / "a.tif", np.zeros((300, 300), np.uint8))
    with pytest.raises(NoGround):
        gather([empty], polluted=False)
    rasters.write(tmp_path / "b.tif", rasters.ground(300, 300))
    (source,) = gather([tmp_path], polluted=False)
    assert [scene.name for scene in source.scenes] == ["b.tif"]


def test_nothing_to_train_on_is_said(tmp_path: Path) -> None:
    with pytest.raises(SceneNotFound, match="no such picture or folder"):
        gather([tmp_path / "nothing"], polluted=False)
    with pytest.raises(SceneNotFound, match="holds no PNG"):
        gather([tmp_path], polluted=False)
    with pytest.raises(SceneNotFound, match="nothing to train on"):
        Windows([Source("empty", (), ())], seed=0, turns=True)


def test_a_scene_full_of_objects_says_so_instead_of_searching_for_ever(
    scene_of: Callable[..., Scene],
) -> None:
    scene = scene_of()
    windows = Windows([Source("full", (scene,), ((Box(0, 0, 800, 600),),))], 0, True)
    with pytest.raises(NeedleError, match="no window"):
        windows[0]
