"""Measures: the size and the brightness of what was put there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dashboard.detector import Box, Detection, Scene, measure
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


def test_a_light_thing_and_its_shadow_are_one(scene_of: Scenes) -> None:
    pixels = plain()
    pixels[100:106, 200:206], pixels[100:106, 206:212] = 140, 70
    found = measure(scene_of(pixels), detection(Box(185, 80, 233, 128)))
    assert found is not None
    assert (found.length, found.width) == pytest.approx((12, 6), abs=0.5)
    assert (found.brighter, found.darker) == pytest.approx((0.4, -0.3), abs=0.02)
    assert found.brightness == found.brighter


def test_ordinary_ground_has_nothing_to_measure(scene_of: Scenes) -> None:
    pixels = np.full((300, 400), 100, np.float32)
    pixels[::2] = 101
    assert measure(scene_of(pixels), detection(Box(185, 80, 233, 128))) is None


def test_what_lies_beside_the_box_is_not_its_object(scene_of: Scenes) -> None:
    pixels = plain()
    pixels[100:104, 200:204] = 150
    pixels[90:120, 240:270] = 250
    found = measure(scene_of(pixels), detection(Box(185, 80, 233, 128)))
    assert found is not None
    assert found.box == Box(200, 100, 204, 104)


def test_a_box_at_the_border_can_be_measured(scene_of: Scenes) -> None:
    pixels = rasters.ground(300, 400)
    pixels[0:6, 0:6] = 250
    found = measure(scene_of(pixels), detection(Box(-14, -14, 14, 14)))
    assert found is not None
    assert found.box.holds(3, 3)
