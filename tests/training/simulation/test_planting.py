"""Planted scenes: repeatable, truthful, on ground only; and the demo scene that is shipped."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio import Affine
from rasterio.errors import NotGeoreferencedWarning
from scipy import ndimage

from dashboard.background.uploads import DEMO
from dashboard.detector import Box, NoGround, Scene, ingest
from tests.detector import rasters
from training.simulation import planting
from training.simulation.camera import noise_of
from training.simulation.hardware import ARTICLE, KINDS
from training.simulation.planting import demo_scene, plant, plant_scene
from training.simulation.site import Site, sun_of
from training.simulation.terrain import Sun, cast_shadow, shade, terrain


@pytest.fixture(scope="module")
def ground() -> np.ndarray:
    return 400 + 80 * shade(terrain(900, 1000, 0), Sun())


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return demo_scene(tmp_path_factory.mktemp("demo"), seed=3, shape=(1100, 1200))


def test_the_same_seed_makes_the_same_scene_and_another_makes_another(
    demo: list[Path], tmp_path: Path
) -> None:
    again = demo_scene(tmp_path / "again", seed=3, shape=(1100, 1200))
    other = demo_scene(tmp_path / "other", seed=4, shape=(1100, 1200))
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in demo]
    assert other[0].read_bytes() != demo[0].read_bytes()


@pytest.mark.parametrize("seed", range(3))
def test_objects_lie_on_ground_apart_and_change_it_where_the_truth_says(
    ground: np.ndarray, seed: int
) -> None:
    valid = np.ones(ground.shape, bool)
    valid[:, :120] = False
    planted, objects = plant(Site.of(ground, valid), seed)
    assert [one.kind for one in objects] == list(ARTICLE)
    assert len({one.name for one in objects}) == len(ARTICLE)
    changed = np.abs(planted - ground)
    scale = 1.4826 * np.median(np.abs(ground - np.median(ground)))
    for number, one in enumerate(objects):
        x_min, y_min, x_max, y_max = one.box
        assert valid[y_min:y_max, x_min:x_max].all()
        assert changed[y_min:y_max, x_min:x_max].max() > 2 * scale, one.name
        assert not any(one.box.overlaps(other.box) for other in objects[number + 1 :])
    far = np.ones(ground.shape, bool)
    for one in objects:
        x_min, y_min, x_max, y_max = one.box.grow(160)
        far[max(0, y_min) : y_max, max(0, x_min) : x_max] = False
    assert changed[far].max() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_boxes_are_as_large_as_the_real_things(kind: str) -> None:
    sizes = {  # m: the longer side of what is solid, at least and at most
        "parachute": (14, 48),
        "heat shield": (4, 5.5),
        "crash site": (3, 20),
        "rover": (2.5, 5),
        "spot": (0.5, 2.5),
    }
    for seed in range(3):
        stamp = KINDS[kind](np.random.default_rng(seed), Sun(), 1.0)
        longest = 0.25 * max(stamp.box[2] - stamp.box[0], stamp.box[3] - stamp.box[1])
        assert sizes[kind][0] <= longest <= sizes[kind][1]
        x_min, y_min, x_max, y_max = stamp.box
        assert 0 <= x_min < x_max <= stamp.alpha.shape[1]
        assert 0 <= y_min < y_max <= stamp.alpha.shape[0]


def test_shadows_fall_away_from_the_sun() -> None:
    height = np.zeros((60, 60), np.float32)
    height[28:32, 28:32] = 2.0
    for azimuth, (dy, dx) in {0: (1, 0), 90: (0, -1), 180: (-1, 0), 270: (0, 1)}.items():
        shadow = cast_shadow(height, Sun(azimuth, 45))
        assert shadow[30 + 5 * dy, 30 + 5 * dx] == 1
        assert shadow[30 - 5 * dy, 30 - 5 * dx] == 0


def test_the_axis_of_the_light_is_found_from_the_shading() -> None:
    land = terrain(400, 400, 5)
    for azimuth in (40.0, 120.0, 200.0, 290.0):
        found = sun_of(shade(land, Sun(azimuth)), np.ones((400, 400), bool))
        off = (found.azimuth - azimuth + 90) % 180 - 90
        assert abs(off) < 15, (azimuth, found.azimuth)
        assert 180 <= found.azimuth <= 360, "without shadows, the afternoon's sun"


@pytest.mark.parametrize("azimuth", [60.0, 250.0])
def test_shadows_tell_the_side_of_the_sun(azimuth: float) -> None:
    rng = np.random.default_rng(0)
    rocks = np.zeros((300, 300), np.float32)
    rocks[rng.integers(8, 292, 200), rng.integers(8, 292, 200)] = 1
    away = (np.cos(np.deg2rad(azimuth)), -np.sin(np.deg2rad(azimuth)))  # down, right
    lit = ndimage.gaussian_filter(rocks, 1.5)
    picture = lit - ndimage.shift(lit, [3 * step for step in away], order=1)
    found = sun_of(picture.astype(np.float32), np.ones(rocks.shape, bool))
    assert abs((found.azimuth - azimuth + 180) % 360 - 180) < 25


def test_noise_is_measured_on_smooth_ground() -> None:
    rng = np.random.default_rng(0)
    smooth = rasters.ground(400, 400, "float32", seed=2) * 0 + np.linspace(0, 50, 400)
    assert noise_of((smooth + rng.normal(0, 2, smooth.shape)).astype(np.float32)) == pytest.approx(
        2, rel=0.25
    )


def test_the_demo_scene_is_like_a_hirise_product(demo: list[Path]) -> None:
    picture, truth = demo
    with rasterio.open(picture) as source:
        assert source.driver == "JP2OpenJPEG"
        assert source.dtypes == ("uint16",)
        assert source.tags(1, ns="IMAGE_STRUCTURE")["NBITS"] == "10"
        assert source.nodata is None
        assert "Mars" in source.crs.to_wkt()
    scene = ingest(picture)
    assert scene.nodata == 0
    assert 0.6 < scene.valid_fraction < 0.97
    record = json.loads(truth.read_text())
    assert record["scene"] == picture.name
    assert sorted(one["kind"] for one in record["objects"]) == sorted(ARTICLE)


def test_the_shipped_demo_scene_is_what_it_promises() -> None:
    assert DEMO.stat().st_size < 3_000_000
    scene = ingest(DEMO)
    assert min(scene.width, scene.height) >= 3072
    assert (scene.bits, scene.nodata) == (10, 0)
    lon, lat = scene.lonlat(scene.width / 2, scene.height / 2) or (0, 0)
    assert 137 < lon < 138
    assert -5 < lat < -4
    truth = json.loads(DEMO.with_name("landing-site.truth.json").read_text())
    for one in truth["objects"]:
        assert scene.read(Box(*one["box"])).valid.all(), one["name"]


@pytest.mark.parametrize(("dtype", "suffix"), [("uint8", ".png"), ("uint16", ".jp2")])
def test_a_real_picture_keeps_its_depth_and_place(
    tmp_path: Path, dtype: str, suffix: str, scene_of: Callable[..., Scene]
) -> None:
    pixels = rasters.ground(900, 900, dtype) * (1 if dtype == "uint8" else 4)
    pixels[:60] = 0
    place = Affine(0.25, 0, 1000, 0, -0.25, 2000)
    source = rasters.write(tmp_path / "real.tif", pixels, crs=rasters.MARS, transform=place)
    picture, truth = plant_scene(source, 7, tmp_path / "out")
    assert picture.suffix == suffix
    assert truth.name == f"{picture.stem}.truth.json"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # PNG carries no map
        planted = rasterio.open(picture)
    with planted:
        assert planted.dtypes == (dtype,)
        assert (planted.read(1)[:60] == 0).all()
        if dtype == "uint16":
            assert planted.transform == place


def test_a_picture_too_small_for_the_hardware_says_so(tmp_path: Path) -> None:
    source = rasters.write(tmp_path / "small.png", rasters.ground(300, 300))
    with pytest.raises(NoGround, match="no room"):
        plant_scene(source, 0, tmp_path)


def test_every_object_lies_where_every_model_can_score_it(ground: np.ndarray) -> None:
    valid = np.ones(ground.shape, bool)
    valid[:, :120] = False
    site = Site.of(ground, valid)
    for seed in range(6):
        _, objects = plant(site, seed, ("spot", "rover"))
        for one in objects:
            x, y = (int(value) for value in one.box.centre)
            assert valid[y - 128 : y + 128, x - 128 : x + 128].shape == (256, 256)
            assert valid[y - 128 : y + 128, x - 128 : x + 128].all()


def test_half_of_the_objects_look_for_rugged_ground() -> None:
    rng = np.random.default_rng(0)
    dn = rng.normal(100, 1, (1600, 1600)).astype(np.float32)
    dn[:, 1200:] += rng.normal(0, 20, (1600, 400))
    site = Site.of(dn, np.ones(dn.shape, bool))
    placed = [plant(site, seed, ("spot",))[1][0].box.x_min > 1100 for seed in range(40)]
    assert 0.4 < np.mean(placed) < 0.8, "a quarter of the ground, and half of the objects"


def test_a_series_varies_size_and_contrast_and_the_real_thing_does_not(
    ground: np.ndarray,
) -> None:
    site = Site.of(ground, np.ones(ground.shape, bool))
    _, fixed = plant(site, 0, ("spot",) * 4)
    assert {(one.size, one.contrast) for one in fixed} == {(1.0, 1.0)}
    _, varied = plant(site, 0, ("spot",) * 4, vary=True)
    assert len({one.size for one in varied}) == len({one.contrast for one in varied}) == 4
    assert all(0.6 <= one.size <= 1.4 and 0.4 <= one.contrast <= 1.2 for one in varied)


@pytest.mark.parametrize("kind", KINDS)
def test_half_the_size_is_half_as_large(kind: str) -> None:
    whole, half = (KINDS[kind](np.random.default_rng(1), Sun(), size) for size in (1.0, 0.5))
    for low, high in ((0, 2), (1, 3)):
        large, small = (stamp.box[high] - stamp.box[low] for stamp in (whole, half))
        assert abs(small - large / 2) <= 2


def test_contrast_fades_an_object_but_never_its_shadow(ground: np.ndarray) -> None:
    site = Site.of(np.full_like(ground, 400) + 5 * (ground % 2), np.ones(ground.shape, bool))
    bright, dark = [], []
    for factor in (1.0, 0.4):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(planting, "varied", lambda _, factor=factor: (1.0, factor))
            planted, (one,) = plant(site, 3, ("rover",), vary=True)
        box = one.box.grow(8)
        part = planted[box.y_min : box.y_max, box.x_min : box.x_max]
        bright.append(part.max() - site.level)
        dark.append(site.level - part.min())
    assert bright[1] < 0.6 * bright[0]
    assert dark[1] == pytest.approx(dark[0], rel=0.3)
