"""How large a place's object is, and how bright against the ground around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dashboard.detector.detections import Detection
from dashboard.detector.scene import Scene
from dashboard.detector.tiling import Box

STANDS_OUT = 4.0  # robust deviations of the ground around; one pixel in ten thousand does by chance
TO_SIGMA = 1.4826  # of a MAD, for normal noise
CONNECTED = np.ones((3, 3), bool)  # a lander's light side touches its shadow at a corner, too


@dataclass(frozen=True, slots=True)
class Measure:
    """What of a place stands out from its ground; lengths in px of the scene."""

    length: float
    width: float
    area: int  # px
    brighter: float  # the brightest DN less the ground's, as a part of it: 0.62 is 62 % brighter
    darker: float  # the same of the darkest; below 0 where there is a shadow
    box: Box

    @property
    def brightness(self) -> float:
        """What differs most from the ground: above 0 a light thing, below 0 a dark one."""
        return self.brighter if self.brighter >= -self.darker else self.darker

    def metres(self, pixel_size: float) -> tuple[float, float]:
        """Length and width in metres."""
        return self.length * pixel_size, self.width * pixel_size


def measure(scene: Scene, found: Detection) -> Measure | None:
    """The largest thing in a detection's box that stands out; None where nothing does.

    The ground is what surrounds the box, a box's width each way: its median, and its MAD as what is
    ordinary there. Of the pixels that stand out, those that hang together and differ most in sum
    are the object; a shadow that touches it is a part of it.
    """
    near = _within(found.box.grow(found.box.width), scene)
    patch = scene.read(near)
    inner = _within(found.box, scene)
    part = (
        slice(inner.y_min - near.y_min, inner.y_max - near.y_min),
        slice(inner.x_min - near.x_min, inner.x_max - near.x_min),
    )
    around = patch.valid.copy()
    around[part] = False
    if not around.any():
        return None
    ground = float(np.median(patch.dn[around]))
    ordinary = TO_SIGMA * float(np.median(np.abs(patch.dn[around] - ground)))
    above = np.where(patch.valid, patch.dn - ground, 0.0)
    labels, count = ndimage.label(np.abs(above) > STANDS_OUT * max(ordinary, 0.5), CONNECTED)
    sums = np.bincount(labels[part].ravel(), np.abs(above[part]).ravel(), count + 1)
    sums[0] = 0.0
    if not sums.any():
        return None
    rows, cols = np.nonzero(labels == int(sums.argmax()))
    length, width = _extent(rows, cols)
    parts = above[rows, cols] / (abs(ground) or 1.0)
    box = Box(int(cols.min()), int(rows.min()), int(cols.max()) + 1, int(rows.max()) + 1)
    ends = (max(0.0, float(parts.max())), min(0.0, float(parts.min())))
    return Measure(length, width, len(rows), *ends, _moved(box, near.x_min, near.y_min))


def _extent(rows: NDArray[np.intp], cols: NDArray[np.intp]) -> tuple[float, float]:
    """Length and width of pixels along their principal axes, each pixel one wide."""
    points = np.stack([cols, rows]).astype(np.float64)
    points -= points.mean(axis=1, keepdims=True)
    _, axes = np.linalg.eigh(points @ points.T)
    along = np.ptp(axes.T @ points, axis=1) + 1.0
    return float(along.max()), float(along.min())


def _within(box: Box, scene: Scene) -> Box:
    return Box(
        max(0, box.x_min),
        max(0, box.y_min),
        min(scene.width, box.x_max),
        min(scene.height, box.y_max),
    )


def _moved(box: Box, x: int, y: int) -> Box:
    return Box(box.x_min + x, box.y_min + y, box.x_max + x, box.y_max + y)
