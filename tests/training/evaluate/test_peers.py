"""The peers: each finds what obviously does not belong, on the networks' own grid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dashboard.detector import Box, Scene, SceneTooLarge, find
from tests.detector import rasters
from training.evaluate import peers
from training.evaluate.peers import Ground, Peer

SceneOf = Callable[..., Scene]


def rough(height: int = 420, width: int = 520) -> np.ndarray:
    """Grainy, streaky ground, DN about 100."""
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 6, (height, width))
    streaks = np.repeat(rng.normal(0, 12, (height, 1)), width, axis=1)
    return np.clip(110 + grain + streaks, 1, 255).astype(np.uint8)


@pytest.mark.parametrize("name", peers.PEERS)
def test_each_finds_a_bright_thing_and_the_same_twice(
    name: str, scene_of: SceneOf, tmp_path: Path
) -> None:
    pixels = rough()
    pixels[200:216, 300:316] = 240
    scene = scene_of(pixels)
    peer = Peer(name, peers.PEERS[name])
    scored = peer.score(scene, tmp_path)
    strongest = find(scored.scores, top=1)[0]
    assert Box(300, 200, 316, 216).grow(8).holds(strongest.x, strongest.y)
    again = peer.score(scene, tmp_path)
    assert np.array_equal(again.scores.values, scored.scores.values, equal_nan=True)


def test_a_patch_lies_around_its_position(scene_of: SceneOf) -> None:
    row = np.arange(400, dtype=np.float32)
    scene = scene_of((10 + np.add.outer(row, 2 * row)).astype("uint16"), "ramp.tif")
    ground = Ground.of(scene)
    windows = peers._patches(ground.light)
    assert windows.shape[:2] == ground.chosen.shape
    middles = ground.sampled(ground.light)
    # On a ramp the mean of a patch is the ramp at the patch's middle: one halved pixel off at most.
    step = float(np.abs(np.diff(ground.light, axis=1)).max())
    assert np.abs(windows.mean((2, 3)) - middles).max() < 2 * step


def test_positions_without_ground_are_not_scored(scene_of: SceneOf, tmp_path: Path) -> None:
    pixels = rough()
    pixels[:, :200] = 0
    scene = scene_of(pixels)
    scores = Peer("local RX", peers.local_rx).score(scene, tmp_path).scores
    given = np.isfinite(scores.values)
    assert given.any()
    for row, col in np.argwhere(given)[::97]:
        assert scores.grid.at(int(row), int(col)).read.x_min >= 198
    cols = np.flatnonzero(given.any(axis=0))
    assert scores.grid.at(0, int(cols[0])).read.x_min < 204, "nor are those beside it left out"


def test_a_scene_beyond_memory_is_refused_in_one_line(
    scene_of: SceneOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "LARGEST", 1000)
    with pytest.raises(SceneTooLarge, match="leave out --peers"):
        Peer("local RX", peers.local_rx).score(scene_of(rasters.ground()), tmp_path)
