"""A square of ground on which things are drawn, finer than a picture, and how its shapes vary."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.networks import BLOCK
from training.simulation.terrain import Sun

FINE = 3  # canvas positions in a pixel, each way
DUSTED = 0.25  # odds of a thing of which dust hides some

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Rng = np.random.Generator


@dataclass
class Sheet:
    """A square of ground, `FINE` times as fine as the picture, and what is drawn on it.

    The picture becomes `lerp(ground + stain, level + value, alpha)`, in units of roughness.
    """

    x: Floats  # px from the middle
    y: Floats
    stain: Floats
    value: Floats
    alpha: Floats
    changed: Floats  # 1 where ground that was only stained counts as the object
    sun: Sun

    @classmethod
    def blank(cls, side: int, sun: Sun) -> Sheet:
        """An empty sheet of `side` px, a whole number of blocks."""
        axis = ((np.arange(side * FINE) + 0.5) / FINE - side / 2).astype(np.float32)
        x, y = np.meshgrid(axis, axis)
        stain, value, alpha, changed = (np.zeros_like(x) for _ in range(4))
        return cls(x, y, stain, value, alpha, changed, sun)

    def cover(self, inside: Mask, value: Floats | float) -> None:
        """Covers the ground where `inside`."""
        self.alpha[inside] = 1.0
        self.value = np.where(inside, value, self.value).astype(np.float32)

    def shadow(self, inside: Mask, length: float, depth: float) -> None:
        """Darkens the ground away from the sun, `length` px long."""
        dx, dy = self.sun.toward
        dark = np.zeros_like(inside)
        for way in np.linspace(0, length * FINE, max(2, min(12, round(length * FINE)))):
            dark |= _moved(inside, round(-dy * way), round(-dx * way))
        self.stain[dark & ~inside] -= depth


def side_of(pixels: float) -> int:
    """A sheet's side in px: whole blocks, with room for the blur."""
    return int(-(-(pixels + 8) // BLOCK) * BLOCK)


def lobed(angle: Floats, waves: tuple[int, ...], depth: float, rng: Rng) -> Floats:
    """A factor around 1 that varies with the angle."""
    bumps = (
        rng.uniform(0, depth) / n * np.cos(n * angle + rng.uniform(0, 2 * math.pi)) for n in waves
    )
    return np.asarray(1 + sum(bumps), np.float32)


def roughness(shape: tuple[int, ...], spread: float, rng: Rng) -> Floats:
    """Smooth noise of standard deviation 1."""
    step = max(1, int(spread))
    small = rng.standard_normal([-(-side // step) + 3 for side in shape]).astype(np.float32)
    fine = ndimage.zoom(small, step, order=1)[: shape[0], : shape[1]] if step > 1 else small
    fine = fine[: shape[0], : shape[1]]
    return np.asarray(fine / max(float(fine.std()), 1e-6), np.float32)


def dust(sheet: Sheet, size: float, rng: Rng) -> None:
    """Has dust hide parts of some things, `size` px across."""
    if rng.random() < DUSTED:
        thin = roughness(sheet.alpha.shape, FINE * max(0.7, size / rng.uniform(3, 10)), rng)
        sheet.alpha *= np.clip(0.9 + 0.6 * thin, 0.15, 1.0)


def even_in_logarithm(ends: tuple[float, float], rng: Rng) -> float:
    """A number between two ends, whose logarithm is anywhere there alike."""
    return float(np.exp(rng.uniform(math.log(ends[0]), math.log(ends[1]))))


def _moved(mask: Mask, down: int, right: int) -> Mask:
    """A mask moved by whole positions; False comes in."""
    moved = np.zeros_like(mask)
    height, width = mask.shape
    if abs(down) < height and abs(right) < width:
        moved[max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)] = mask[
            max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)
        ]
    return moved
