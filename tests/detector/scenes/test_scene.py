"""Scenes: read by boxes, from threads, processes and pickles; overviews of the whole."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from rasterio import Affine

from dashboard.detector import Box, DamagedScene, Scene
from dashboard.detector.scenes.scene import HANDLES
from tests.detector import rasters

Scenes = Callable[..., Scene]
PLACES = [Box(x, y, x + 130, y + 90) for x in (0, 200, 670) for y in (0, 255, 510)]


@pytest.mark.parametrize("box", [*PLACES, Box(799, 599, 800, 600), Box(0, 0, 800, 600)])
def test_any_box_inside_can_be_read(scene_of: Scenes, box: Box) -> None:
    pixels = rasters.ground(600, 800)
    patch = scene_of(pixels).read(box)
    expected = pixels[box.y_min : box.y_max, box.x_min : box.x_max]
    np.testing.assert_array_equal(patch.dn, expected)
    assert patch.dn.dtype == np.float32
    assert patch.valid.all()
    assert not patch.hole.any()


@pytest.mark.parametrize(
    "box", [Box(-1, 0, 5, 5), Box(0, 0, 801, 5), Box(0, 596, 5, 601), Box(5, 5, 5, 9)]
)
def test_a_box_beyond_the_border_is_an_error(scene_of: Scenes, box: Box) -> None:
    with pytest.raises(ValueError, match="does not lie in the scene of 800 x 600 px"):
        scene_of().read(box)


def test_nodata_reads_as_the_centre(scene_of: Scenes) -> None:
    pixels = rasters.ground(600, 800)
    pixels[:300] = 0
    scene = scene_of(pixels)
    patch = scene.read(Box(0, 290, 800, 310))
    assert (patch.dn[:10] == scene.centre).all()
    assert not patch.valid[:10].any()
    assert patch.valid[10:].all()


def test_threads_read_what_one_reader_reads(scene_of: Scenes) -> None:
    scene = scene_of(rasters.ground(600, 800))
    alone = [scene.read(box).dn for box in PLACES]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda box: scene.read(box).dn, PLACES * 20))
    for index, dn in enumerate(together):
        np.testing.assert_array_equal(dn, alone[index % len(PLACES)])


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_read_it_too(scene_of: Scenes, method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system cannot {method} processes")
    scene = scene_of(rasters.ground(600, 800))
    alone = [scene.read(box) for box in PLACES]
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        together = list(pool.map(scene.read, PLACES))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.dn, other.dn)
    np.testing.assert_array_equal(scene.read(PLACES[0]).dn, alone[0].dn)


def test_a_scene_can_be_pickled(scene_of: Scenes) -> None:
    scene = scene_of()
    scene.read(PLACES[0])
    assert pickle.loads(pickle.dumps(scene)) == scene


def test_more_scenes_than_open_files_are_no_trouble(scene_of: Scenes) -> None:
    scenes = [
        scene_of(rasters.ground(256, 256, seed=seed), f"{seed}.png") for seed in range(HANDLES + 4)
    ]
    first = [scene.read(Box(0, 0, 9, 9)).dn for scene in scenes]
    again = [scene.read(Box(0, 0, 9, 9)).dn for scene in scenes]
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(("side", "shape"), [(200, (150, 200)), (9999, (600, 800)), (1, (1, 1))])
def test_overviews_keep_the_shape(scene_of: Scenes, side: int, shape: tuple[int, int]) -> None:
    scene = scene_of(rasters.ground(600, 800))
    small = scene.overview(side)
    assert small.dn.shape == shape
    assert small.dn.mean() == pytest.approx(scene.overview(9999).dn.mean(), abs=1.5)


def test_an_overview_shows_where_there_is_nodata(scene_of: Scenes) -> None:
    pixels = rasters.ground(600, 800)
    pixels[:, 400:] = 0
    valid = scene_of(pixels).overview(100).valid
    assert valid[:, :49].all()
    assert not valid[:, 51:].any()
    with pytest.raises(ValueError, match="1 px or more"):
        scene_of().overview(0)


def test_what_is_no_ingested_scene_is_refused(tmp_path: Path) -> None:
    plain = rasters.write(tmp_path / "plain.tif", rasters.ground(), transform=Affine.scale(2))
    for path in (plain, tmp_path / "absent.tif"):
        with pytest.raises(DamagedScene, match="no ingested copy can be read"):
            Scene.open(path)


def test_a_copy_that_vanished_is_said(scene_of: Scenes) -> None:
    scene = scene_of()
    scene.path.unlink()
    with pytest.raises(DamagedScene, match="ingest the picture again"):
        scene.read(PLACES[0])


def test_the_facts_are_plain_and_leave_out_the_path(scene_of: Scenes) -> None:
    facts = scene_of().facts()
    assert "path" not in facts
    assert (facts["width"], facts["height"], facts["name"]) == (800, 600, "scene.tif")
