"""How large a place's object is, and how bright against the ground around it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dashboard.detector.arrays import Floats, Mask
from dashboard.detector.places.detections import Detection
from dashboard.detector.scenes.scene import Scene
from dashboard.detector.tiling import Box

STANDS_OUT = 4.0  # robust deviations of the ground around; one pixel in ten thousand does by chance
TO_SIGMA = 1.4826  # of a MAD, for normal noise
CONNECTED = np.ones((3, 3), bool)  # a lander's light side touches its shadow at a corner, too
REACHES = (1, 2)  # widths of the box, each way, that are looked at around it
SPECK = 4  # px; what is smaller may be noise
LARGE = 256  # px, beyond which more does not make an outline more telling
LEVELS = 12  # of DN, between the ground around and the strongest in the middle
OUTSIDE = 3  # px, as far as it is looked at outside of an outline
STEP = 3.0  # robust deviations of what lies just outside an outline, at least, across it
OVER = 2.0  # robust deviations of all around, likewise


@dataclass(frozen=True, slots=True)
class Measure:
    """The outline of what stands out at a place, measured; lengths in px of the scene."""

    length: float
    width: float
    area: int  # px
    brighter: float  # the brightest DN less the ground's, as a part of it: 0.62 is 62 % brighter
    darker: float  # the same of the darkest; below 0 where there is a shadow
    box: Box
    shadow: tuple[float, float] | None = None  # px, x and y, from a light part to a dark beside it

    @property
    def brightness(self) -> float:
        """How a thing differs from the ground: above 0 a light thing, below 0 a dark one.

        A light thing with a shadow is light, however dark the shadow is.
        """
        light = self.shadow is not None or self.brighter >= -self.darker
        return self.brighter if light else self.darker

    def metres(self, pixel_size: float) -> tuple[float, float]:
        """Length and width in metres."""
        return self.length * pixel_size, self.width * pixel_size


@dataclass(frozen=True)
class _Around:
    """A detection's box and the ground around it."""

    read: Box  # what was read
    dn: Floats  # [H, W], the ground's level where there is none
    part: tuple[slice, slice]  # the detection's box
    level: float  # DN, the median of the ground around the box
    ordinary: float  # DN, its deviation from its median, as ordinary there

    @property
    def middle(self) -> tuple[slice, slice]:
        """The inner half of the detection's box each way, where its object lies or begins."""
        rows, cols = (
            slice((3 * side.start + side.stop) // 4, (side.start + 3 * side.stop) // 4)
            for side in self.part
        )
        return rows, cols


def measure(scene: Scene, found: Detection) -> Measure | None:
    """The largest thing in the middle of a detection's box that stands out; None without one.

    The ground is what surrounds the box, a box's width each way: its median, and its MAD as what is
    ordinary there. Of the pixels that stand out, those that hang together and differ most in sum
    are the object; a shadow that touches it is a part of it. Where that gives nothing whole, since
    the ground is rough or the object fills it, the object is what has the sharpest outline.
    """
    near = _around(scene, found, REACHES[0])
    if near is None:
        return None
    plain = _strongest_part(near)
    if plain is not None and np.count_nonzero(plain) >= SPECK and not _reaches_border(plain):
        return _measure_mask(near, plain, near.level)
    for reach in REACHES:
        around = _around(scene, found, reach)
        outlined = around and _sharpest_outline(around)
        if around and outlined:
            return _measure_mask(around, *outlined)
    return None if plain is None else _measure_mask(near, plain, near.level)


def _around(scene: Scene, found: Detection, reach: int) -> _Around | None:
    """The surroundings of a detection, so many widths of its box each way; None without ground."""
    read = _within(found.box.grow(reach * found.box.width), scene)
    patch = scene.read(read)
    part = _slices(_within(found.box, scene), read)
    around = patch.valid.copy()
    around[part] = False
    if not around.any():
        return None
    level = float(np.median(patch.dn[around]))
    ordinary = TO_SIGMA * float(np.median(np.abs(patch.dn[around] - level)))
    dn = np.where(patch.valid, patch.dn, np.float32(level))
    return _Around(read, dn, part, level, max(ordinary, 0.5))


def _strongest_part(around: _Around) -> Mask | None:
    """The pixels `[H, W]` of what stands out most in sum in the middle; None where nothing does."""
    above = around.dn - around.level
    labels, count = ndimage.label(np.abs(above) > STANDS_OUT * around.ordinary, CONNECTED)
    middle = around.middle
    sums = np.bincount(labels[middle].ravel(), np.abs(above[middle]).ravel(), count + 1)
    sums[0] = 0.0
    return np.asarray(labels == int(sums.argmax())) if sums.any() else None


def _sharpest_outline(around: _Around) -> tuple[Mask, float] | None:
    """The pixels `[H, W]` within the sharpest outline about the middle, and the DN outside of it.

    Of all that lies beyond a level of DN, lighter or darker, at every level: what hangs together.
    Its outline is sharp where the DN fall from its rim to what lies two and three px outside.
    """
    middle = around.middle
    best, sharpest = None, 0.0
    for sign in (1, -1):
        above = sign * (around.dn - around.level)
        top = float(np.quantile(above[middle], 0.995))
        for level in np.linspace(0.0, top, LEVELS, endpoint=False)[1:] if top > 0 else ():
            labels, _ = ndimage.label(above > level, CONNECTED)
            counts = np.bincount(labels[middle].ravel())[1:]
            if not counts.any():
                continue
            thing = labels == int(counts.argmax()) + 1
            if np.count_nonzero(thing) < SPECK or _reaches_border(thing):
                continue
            near = _about(thing)
            mask = ndimage.binary_fill_holes(thing[near])
            area = int(np.count_nonzero(mask))
            step, outside = _step(above[near], mask, around.ordinary)
            sharp = step * math.pow(min(area, LARGE), 0.25)  # a speck's is sharp by chance
            if sharp > sharpest:
                whole = np.zeros(thing.shape, bool)
                whole[near] = mask
                best, sharpest = (whole, around.level + sign * outside), sharp
    return best


def _about(mask: Mask) -> tuple[slice, slice]:
    """The slices of a mask and of all that is looked at outside its outline."""
    (rows,), (cols,) = np.nonzero(mask.any(axis=1)), np.nonzero(mask.any(axis=0))
    return (
        slice(max(0, int(rows[0]) - OUTSIDE), int(rows[-1]) + 1 + OUTSIDE),
        slice(max(0, int(cols[0]) - OUTSIDE), int(cols[-1]) + 1 + OUTSIDE),
    )


def _step(above: Floats, mask: Mask, ordinary: float) -> tuple[float, float]:
    """By how much DN fall across an outline, and to what; 0 where it is no edge."""
    rim = mask & ~ndimage.binary_erosion(mask, CONNECTED)
    beside = ndimage.binary_dilation(mask, CONNECTED)
    outside = above[ndimage.binary_dilation(beside, CONNECTED, OUTSIDE - 1) & ~beside]
    middle = float(np.median(outside))
    noise = TO_SIGMA * float(np.median(np.abs(outside - middle)))
    step = float(above[rim].mean() - outside.mean())
    return (step if step >= max(STEP * max(noise, 0.5), OVER * ordinary) else 0.0), middle


def _reaches_border(mask: Mask) -> bool:
    """True where it goes on beyond what was read."""
    return bool(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())


def _measure_mask(around: _Around, mask: Mask, level: float) -> Measure:
    rows, cols = np.nonzero(mask)
    length, width = _extent(rows, cols)
    parts = (around.dn[rows, cols] - level) / (abs(level) or 1.0)
    ends = (max(0.0, float(parts.max())), min(0.0, float(parts.min())))
    left, top = around.read.x_min, around.read.y_min
    box = Box(
        left + int(cols.min()),
        top + int(rows.min()),
        left + int(cols.max()) + 1,
        top + int(rows.max()) + 1,
    )
    return Measure(length, width, len(rows), *ends, box, _shadow(around, mask, level))


def _shadow(around: _Around, mask: Mask, level: float) -> tuple[float, float] | None:
    """The way from the middle of what is light in a thing to that of what is dark, in px.

    None where there are not both, or where the one lies in the middle of the other.
    """
    beyond = STANDS_OUT * around.ordinary
    middles = []
    for part in (mask & (around.dn > level + beyond), mask & (around.dn < level - beyond)):
        rows, cols = np.nonzero(part)
        if len(rows) < SPECK:
            return None
        middles.append((float(cols.mean()), float(rows.mean())))
    (light_x, light_y), (dark_x, dark_y) = middles
    x, y = dark_x - light_x, dark_y - light_y
    return (x, y) if math.hypot(x, y) >= 1 else None


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


def _slices(box: Box, read: Box) -> tuple[slice, slice]:
    """Where a box is in what was read."""
    return (
        slice(box.y_min - read.y_min, box.y_max - read.y_min),
        slice(box.x_min - read.x_min, box.x_max - read.x_min),
    )
