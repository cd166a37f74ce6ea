"""Sites for hardware: the light and the camera that ground tells of, and where there is room."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from dashboard.detector.errors import NoGround
from dashboard.detector.tiling import Box
from training.simulation import camera as sensor
from training.simulation.hardware import Stamp
from training.simulation.terrain import Sun

APART = 60  # px between the objects, at least
SCORED = 128  # px around an object's middle that are ground, so that every model can score it
TRIES = 2_000
# Skewness of the brightness gradients along the light beyond which shadows tell its side:
# synthetic ground without rocks has up to 0.05, the real scenes 0.7 to 0.9.
SHADOWED = 0.2
DARKEST = 0.1  # percentile of the ground that counts as the dark of shadows
LEAST_LIGHT = 2.5  # robust sigma of the ground that level ground lies above that, at least
MAD_TO_SIGMA = 1.4826  # of a normal distribution
CELL = 32  # px of the cells that relief is told apart in
RUGGED = 75  # percentile of the relief from which a cell counts as rim, dune or rocks
SHARE = 0.5  # of the objects that are looked a place for among these

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Rng = np.random.Generator


@dataclass(frozen=True)
class Site:
    """Ground to plant in: `dn`, `valid`, `free`, all `[H, W]`, and what was estimated from them."""

    dn: Floats
    valid: Mask
    free: Mask  # where something may be planted
    sun: Sun
    dark: float  # DN of shadows
    level: float  # DN of level ground
    noise: float  # DN, standard deviation

    @classmethod
    def of(cls, dn: Floats, valid: Mask, sun: Sun | None = None) -> Site:
        """The site of some ground; the sun is estimated where none is given.

        Raises:
            NoGround: nothing of it is ground.
        """
        ground = dn[valid]
        if not ground.size:
            raise NoGround("every pixel is nodata; give a picture with ground in it")
        sample = ground[:: max(1, ground.size // 1_000_000)]
        level = float(np.median(sample))
        scale = float(MAD_TO_SIGMA * np.median(np.abs(sample - level))) or 1.0
        dark = min(float(np.percentile(sample, DARKEST)), level - LEAST_LIGHT * scale)
        noise = sensor.noise_of(dn)
        return cls(dn, valid, valid, sun or sun_of(dn, valid), dark, level, noise)

    def keeping(self, free: Mask) -> Site:
        """The same site, with less of it free to be planted in."""
        return replace(self, free=self.valid & free)

    def places(self, stamps: Sequence[Stamp], rng: Rng) -> list[tuple[int, int]]:
        """Upper left corners `(x, y)` for the stamps: on ground, apart, half of them rugged.

        Raises:
            NoGround: they do not fit.
        """
        height, width = self.free.shape
        missing = np.pad(np.cumsum(np.cumsum(~self.free, 0, dtype=np.int64), 1), ((1, 0), (1, 0)))
        rugged = self._rugged()
        taken: list[Box] = []
        for stamp in stamps:
            tall, wide = stamp.alpha.shape
            among_rugged = bool(rng.random() < SHARE)
            for attempt in range(TRIES):
                if among_rugged and attempt < TRIES // 2:
                    row, col = rugged[rng.integers(len(rugged))] * CELL
                    middle = col + int(rng.integers(CELL)), row + int(rng.integers(CELL))
                else:
                    middle = int(rng.integers(width)), int(rng.integers(height))
                x, y = middle[0] - wide // 2, middle[1] - tall // 2
                box = Box(int(x), int(y), int(x) + wide, int(y) + tall)
                if _free(box, _around(box, stamp), missing, taken):
                    taken.append(box)
                    break
            else:
                raise NoGround(
                    f"no room on {width} x {height} px for {len(stamps)} objects; "
                    "give a larger picture or one with less nodata"
                )
        return [(box.x_min, box.y_min) for box in taken]

    def _rugged(self) -> NDArray[np.int64]:
        """Row and column `[n, 2]` of the cells with the strongest relief."""
        rows, cols = (side // CELL for side in self.dn.shape)
        if not rows or not cols:
            raise NoGround(f"the ground is smaller than {CELL} px; give a larger picture")
        cut = np.s_[: rows * CELL, : cols * CELL]
        cells = self.dn[cut].reshape(rows, CELL, cols, CELL)
        relief = np.where(
            self.free[cut].reshape(rows, CELL, cols, CELL).all((1, 3)), cells.std((1, 3)), -1
        )
        known = relief[relief >= 0]
        least = np.percentile(known, RUGGED) if known.size else -1
        return np.argwhere(relief >= least)


def _around(box: Box, stamp: Stamp) -> Box:
    """The ground around an object's middle that a model must be able to read."""
    x, y = Box(*stamp.box).centre
    x, y = box.x_min + int(x), box.y_min + int(y)
    return Box(x - SCORED, y - SCORED, x + SCORED, y + SCORED)


def _free(box: Box, around: Box, missing: NDArray[np.int64], taken: Sequence[Box]) -> bool:
    height, width = (side - 1 for side in missing.shape)
    for part in (box, around):
        if part.x_min < 0 or part.y_min < 0 or part.x_max > width or part.y_max > height:
            return False
        high = missing[part.y_max, part.x_max] - missing[part.y_max, part.x_min]
        if high - missing[part.y_min, part.x_max] + missing[part.y_min, part.x_min]:
            return False
    return not any(box.grow(APART).overlaps(other) for other in taken)


def sun_of(dn: Floats, valid: Mask) -> Sun:
    """Where the light of a scene comes from, estimated from its shading.

    Slopes vary the brightness most along the light, so its axis is the principal direction of the
    gradients. On the way from the sun brightness falls steeply from a rock's lit face into its
    shadow, and rises gently elsewhere: the gradients' skewness is negative. Without shadows shading
    is symmetric, and the sun is taken to stand in the west, where HiRISE, which flies in the
    afternoon, finds it.
    """
    smooth = ndimage.gaussian_filter(dn, 1.0)
    down, right = np.gradient(smooth)
    inner = ndimage.binary_erosion(valid, iterations=4)
    gx, gy = right[inner].astype(np.float64), down[inner].astype(np.float64)
    if gx.size < 16 or not (gx.any() or gy.any()):
        return Sun()
    spread = np.cov(np.stack([gx, gy]))
    _, axes = np.linalg.eigh(spread)
    dx, dy = axes[:, -1]
    away = gx * dx + gy * dy
    skewness = float(stats.skew(away))
    if abs(skewness) < SHADOWED:
        toward = (dx, dy) if dx < 0 else (-dx, -dy)
    else:
        toward = (-dx, -dy) if skewness < 0 else (dx, dy)
    return Sun(azimuth=math.degrees(math.atan2(toward[0], -toward[1])) % 360)
