"""Measures: the size and the brightness of what was put there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dashboard.background.uploads import DEMO
from dashboard.detector import Box, Detection, Scene, ingest, measure
from tests.detector import rasters

Scenes = Callable[..., Scene]


def detection(box: Box) -> Detection:
    x, y = box.centre
    return Detection(1, 9.0, 1.0, x, y, box, 0, 0, 1)


def plain(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(100, 2, (300, 400)).astype(np.float32)


@pytest.mark.parametrize(("dn", "brightness"), [(160, 0.6), (40, -0.6)])
def test_a_bar_is_measured_along_and_across(scene_of: Scenes, dn: int, brightness: float) -> None:
    pixels = plain()
    pixels[100:106, 200:218] = dn
    found = measure(scene_of(pixels), detection(Box(185, 80, 233, 128)))
    assert found is not None
    assert (found.length, found.width, found.area) == pytest.approx((18, 6, 108), abs=0.5)
    assert found.brightness == pytest.approx(brightness, abs=0.02)
    assert found.box == Box(200, 100, 218, 106)
    assert found.metres(0.25) == (0.25 * found.length, 0.25 * found.width)


def test_a_slanted_bar_is_as_long_as_an_upright_one(scene_of: Scenes) -> None:
    pixels = plain()
    rows, cols = np.mgrid[:300, :400]
    along, across = (cols - 210 + rows - 104) / np.sqrt(2), (cols - 210 - rows + 104) / np.sqrt(2)
    pixels[(abs(along) <= 10) & (abs(across) <= 3)] = 170
    found = measure(scene_of(pixels), detection(Box(186, 80, 234, 128)))
    assert found is not None
    assert found.length == pytest.approx(21, abs=1.5)
    assert found.width == pytest.approx(7, abs=1.5)


@pytest.mark.parametrize("shade", [70, 30])
def test_a_light_thing_and_its_shadow_are_one_and_it_is_light(scene_of: Scenes, shade: int) -> None:
    pixels = plain()
    pixels[100:106, 200:206], pixels[100:106, 206:212] = 140, shade
    found = measure(scene_of(pixels), detection(Box(185, 80, 233, 128)))
    assert found is not None
    assert (found.length, found.width) == pytest.approx((12, 6), abs=0.5)
    assert (found.brighter, found.darker) == pytest.approx((0.4, shade / 100 - 1), abs=0.05)
    assert found.brightness == found.brighter  # however dark its shadow is
    assert found.shadow == pytest.approx((6, 0), abs=0.2)


def test_ordinary_ground_has_nothing_to_measure(scene_of: Scenes) -> None:
    pixels = np.full((300, 400), 100, np.float32)
    pixels[::2] = 101
    assert measure(scene_of(pixels), detection(Box(185, 80, 233, 128))) is None


@pytest.mark.parametrize("radius", [3, 5, 8, 12, 18, 26, 34])
@pytest.mark.parametrize("lighter", [30, -30])
def test_a_disc_on_dunes_is_as_wide_as_it_is(scene_of: Scenes, radius: int, lighter: int) -> None:
    rows, cols = np.mgrid[:300, :400]
    noise = np.random.default_rng(1).normal(0, 1, (300, 400))
    dunes = 300 + 0.1 * cols + 6 * np.sin(cols / 4) + noise
    disc = np.hypot(rows - 150, cols - 200) <= radius
    dunes[disc] = 320 + lighter + noise[disc]
    scene = scene_of(dunes.astype(np.float32))
    for dx, dy in ((0, 0), (min(radius, 6), 0), (0, -min(radius, 6))):
        left, top = 200 + dx - 14, 150 + dy - 14
        found = measure(scene, detection(Box(left, top, left + 28, top + 28)))
        assert found is not None
        for side in (found.length, found.width):
            assert side == pytest.approx(2 * radius + 1, abs=max(2, 0.15 * radius))
        assert np.sign(found.brightness) == np.sign(lighter)


@pytest.mark.parametrize(
    ("x", "y", "wanted"),
    [
        (1996, 2000, (1991, 1993, 2009, 2011)),  # hub of the parachute, at a crater with dunes
        (1888, 2012, (1854, 2006, 1921, 2070)),  # its canopy, larger than what was scored
        (564, 580, (553, 569, 571, 585)),  # heat shield, on polygons
        (1164, 2152, (1159, 2148, 1165, 2153)),  # a spot
    ],
)
def test_the_hardware_of_the_demo_scene_is_measured_as_it_was_put_there(
    demo: Scene, x: int, y: int, wanted: tuple[int, int, int, int]
) -> None:
    found = measure(demo, detection(Box(x - 14, y - 14, x + 14, y + 14)))
    assert found is not None
    assert found.box == pytest.approx(wanted, abs=2)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return ingest(DEMO, tmp_path_factory.mktemp("demo"))


def test_what_lies_beside_the_box_is_not_its_object(scene_of: Scenes) -> None:
    pixels = plain()
    pixels[100:104, 200:204] = 150
    pixels[90:120, 240:270] = 250
    found = measure(scene_of(pixels), detection(Box(185, 80, 233, 128)))
    assert found is not None
    assert found.box == Box(200, 100, 204, 104)


def test_what_lies_in_the_middle_is_its_object_whatever_is_stronger_beside_it(
    scene_of: Scenes,
) -> None:
    pixels = plain()
    pixels[100:108, 204:216] = 130  # reaches into the middle of the box, which is 197:221
    pixels[82:90, 187:195] = 10
    found = measure(scene_of(pixels), detection(Box(185, 80, 233, 128)))
    assert found is not None
    assert found.box == Box(204, 100, 216, 108)
    assert found.brightness > 0


def test_a_box_at_the_border_can_be_measured(scene_of: Scenes) -> None:
    pixels = rasters.ground(300, 400)
    pixels[0:6, 0:6] = 250
    found = measure(scene_of(pixels), detection(Box(-14, -14, 14, 14)))
    assert found is not None
    assert found.box.holds(3, 3)
