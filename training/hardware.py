"""The hardware of a landing as HiRISE sees it from above: six kinds, drawn from a seed.

A piece is drawn on a canvas `OVER` times finer than the picture, in units that mean something on
any ground: brightness in robust standard deviations of the scene above its surroundings.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.ground import PIXEL, Sun

OVER = 4  # canvas pixels in a picture pixel, each way
FINE = PIXEL / OVER  # m
MARGIN = 6.0  # m of canvas beyond the outermost mark, for shadow and blur
SHADE = -2.6  # scale units, of a cast shadow

Floats = NDArray[np.float32]
Rng = np.random.Generator


@dataclass
class Stamp:
    """A piece of hardware: three layers `[h, w]` at the picture's resolution, and its own extent.

    The picture becomes `ground + scale * stain`, then `lerp(that, level + scale * value, alpha)`.
    """

    stain: Floats  # scale units added to the ground: blast, tracks, shadow
    value: Floats  # scale units above the local level: the object itself
    alpha: Floats  # 0 to 1: where the object covers the ground
    box: tuple[int, int, int, int]  # x_min, y_min, x_max, y_max in px of the stamp, half-open


class Canvas:
    """A square to draw on, `reach` metres from its middle each way."""

    def __init__(self, reach: float, sun: Sun) -> None:
        self.sun = sun
        side = 2 * math.ceil((reach + MARGIN) / PIXEL) * OVER
        axis = (np.arange(side, dtype=np.float32) + 0.5 - side / 2) * np.float32(FINE)
        self.x, self.y = axis[None, :], axis[:, None]  # m from the middle; y runs down
        self.stain = np.zeros((side, side), np.float32)
        self.value, self.alpha = np.zeros_like(self.stain), np.zeros_like(self.stain)
        self.extent = np.zeros((side, side), bool)

    def solid(self, inside: NDArray[np.bool_], value: Floats | float, height: float = 0.0) -> None:
        """Covers the ground with something `height` metres high, and casts its shadow."""
        if height > 0:
            self.shadow(inside, height)
        self.alpha[inside] = 1.0
        self.value = np.where(inside, value, self.value).astype(np.float32)
        self.extent |= inside

    def shadow(self, inside: NDArray[np.bool_], height: float) -> None:
        """Darkens the ground away from the sun, as far as something so high throws it."""
        length = height / math.tan(math.radians(self.sun.elevation)) / FINE
        dx, dy = self.sun.toward
        dark = np.zeros_like(inside)
        for step in range(1, max(1, round(length)) + 1):
            moved = ndimage.shift(
                inside.astype(np.uint8), (-dy * step, -dx * step), order=0, prefilter=False
            )
            dark |= moved.astype(bool)
        self.stain = np.where(dark & ~inside, np.minimum(self.stain, SHADE), self.stain)

    def stamp(self, marked: NDArray[np.bool_] | None = None) -> Stamp:
        """The layers at the picture's resolution; `marked` widens the extent."""
        extent = self.extent if marked is None else self.extent | marked
        rows, cols = (np.flatnonzero(extent.any(axis)) // OVER for axis in (1, 0))
        box = (int(cols[0]), int(rows[0]), int(cols[-1]) + 1, int(rows[-1]) + 1)
        alpha = _coarse(self.alpha)
        value = _coarse(self.value * self.alpha) / np.maximum(alpha, np.float32(1e-6))
        return Stamp(_coarse(self.stain), value.astype(np.float32), alpha, box)


def parachute(rng: Rng, sun: Sun) -> Stamp:
    """A canopy 16 m across with its gores, its lines, and the backshell at their end."""
    radius, reach = rng.uniform(7.2, 8.6), 34.0
    canvas = Canvas(reach, sun)
    away = rng.uniform(0, 2 * math.pi)
    cx, cy = -0.35 * reach * math.cos(away), -0.35 * reach * math.sin(away)
    x, y = canvas.x - cx, canvas.y - cy
    angle, r = np.arctan2(y, x), np.hypot(x, y)
    edge = radius * _uneven(angle, rng, (2, 3, 5, 9), 0.13)
    gores = np.cos(24 * angle) > 0.1
    folds = 0.7 * np.sin(3 * angle + rng.uniform(0, 6)) + 0.5 * np.sin(1.3 * r + 4 * angle)
    light = _slope_light(x, y, edge, sun)
    bright = rng.uniform(4.2, 6.0)
    value = bright + folds + 1.3 * light - 1.2 * gores * (r > 0.25 * radius)
    value = np.where(np.abs(r - 0.55 * edge) < 0.5, value - 1.4, value)
    bx, by = cx + 30 * math.cos(away), cy + 30 * math.sin(away)
    for spread in np.linspace(-0.34, 0.34, 5):
        start = (cx + radius * math.cos(away + spread), cy + radius * math.sin(away + spread))
        _line(canvas, start, (bx, by), 0.16, 1.3)
    canvas.solid(r < edge, value.astype(np.float32), height=0.5)
    shell = np.hypot(canvas.x - bx, canvas.y - by)
    dome = 3.4 + 2.2 * _slope_light(canvas.x - bx, canvas.y - by, 2.3, sun)
    canvas.solid(shell < 2.25, dome, height=1.5)
    canvas.solid(shell < 0.6, 1.0)
    return canvas.stamp()


def heat_shield(rng: Rng, sun: Sun) -> Stamp:
    """A dish 4.5 m across that shows its bright inside or dark outside, and where it bounced."""
    canvas = Canvas(16.0, sun)
    angle = rng.uniform(0, 2 * math.pi)
    bx, by = 10 * math.cos(angle), 10 * math.sin(angle)
    mark = np.hypot((canvas.x - bx) / 2.4, (canvas.y - by) / 1.5)
    canvas.stain -= (1.9 * np.exp(-(mark**2)) * _mottled(canvas, rng)).astype(np.float32)
    _fragments(canvas, rng, int(rng.integers(4, 9)), (bx, by), 5.0, 0.3)
    r = np.hypot(canvas.x, canvas.y * rng.uniform(1.0, 1.2))
    light = _slope_light(canvas.x, canvas.y, 2.3, sun)
    inside = rng.choice([4.6, 3.8]) - 3.0 * light * (r < 1.9)
    canvas.solid(r < 2.25, np.where(r > 1.9, 5.2, inside).astype(np.float32), height=0.9)
    return canvas.stamp()


def crash_site(rng: Rng, sun: Sun) -> Stamp:
    """Where the descent stage fell: a dark radial blast, a small pit, bright fragments."""
    reach = rng.uniform(17, 23)
    canvas = Canvas(reach, sun)
    angle, r = np.arctan2(canvas.y, canvas.x), np.hypot(canvas.x, canvas.y)
    heading = rng.uniform(0, 2 * math.pi)
    rays = 0.55 + 0.45 * np.cos(9 * angle + rng.uniform(0, 6)) * _uneven(angle, rng, (3, 5), 0.5)
    lobe = 0.45 + 0.55 * np.cos((angle - heading) / 2) ** 2
    blast = np.exp(-((r / (0.42 * reach * lobe)) ** 1.5)) * (0.7 + 0.3 * rays)
    canvas.stain -= (3.4 * blast * _mottled(canvas, rng)).astype(np.float32)
    canvas.solid(r < rng.uniform(0.7, 1.1), -3.6)
    _fragments(canvas, rng, int(rng.integers(9, 16)), (0, 0), 0.3 * reach, 0.45)
    return canvas.stamp(marked=blast > 0.55)


def rover(rng: Rng, sun: Sun) -> Stamp:
    """A rover 3 m long with deck and mast, its shadow, in ground swept by the landing engines."""
    canvas = Canvas(18.0, sun)
    turn = rng.uniform(0, math.pi)
    u = canvas.x * math.cos(turn) + canvas.y * math.sin(turn)
    v = canvas.y * math.cos(turn) - canvas.x * math.sin(turn)
    swept = _mottled(canvas, rng)
    for side in (-1, 1):
        lobe = np.hypot((u - 6.5 * side) / 6.0, v / 4.2)
        canvas.stain -= (1.7 * np.exp(-(lobe**2)) * swept).astype(np.float32)
    near = np.hypot(u / 5, v / 5)
    canvas.stain += (1.5 * np.exp(-(near**4)) * swept).astype(np.float32)
    body = (np.abs(u) < 1.5) & (np.abs(v) < 0.85)
    deck = 4.0 + 0.9 * np.sign(np.sin(u * 4)) * (v > 0)
    canvas.solid(body, deck.astype(np.float32), height=1.1)
    wheels = (np.abs(np.abs(u) - 1.2) < 0.28) & (np.abs(np.abs(v) - 1.25) < 0.2)
    canvas.solid(wheels, -1.0, height=0.5)
    canvas.solid(np.hypot(u - 1.1, v - 0.4) < 0.35, 6.5, height=2.0)
    return canvas.stamp()


def spot(rng: Rng, sun: Sun) -> Stamp:
    """A small new spot, 0.6 to 1.5 m across: ballast or a piece of foil, bright or dark."""
    canvas = Canvas(4.0, sun)
    angle, r = np.arctan2(canvas.y, canvas.x), np.hypot(canvas.x, canvas.y)
    size = rng.uniform(0.3, 0.75) * _uneven(angle, rng, (2, 3), 0.2)
    bright = rng.uniform(5.0, 7.0) if rng.random() < 0.7 else -rng.uniform(4.0, 5.0)
    canvas.stain -= (1.0 * np.exp(-((r / 1.6) ** 2))).astype(np.float32)
    canvas.solid(r < size, float(bright), height=0.3)
    return canvas.stamp()


KINDS: dict[str, Callable[[Rng, Sun], Stamp]] = {
    "parachute": parachute,
    "heat shield": heat_shield,
    "crash site": crash_site,
    "rover": rover,
    "spot": spot,
}
# The six pieces of the article: what Curiosity's landing left on the ground.
ARTICLE = ("parachute", "heat shield", "crash site", "rover", "spot", "spot")


def _coarse(layer: Floats) -> Floats:
    height, width = layer.shape
    blocks = layer.reshape(height // OVER, OVER, width // OVER, OVER)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)


def _uneven(
    angle: Floats, rng: Rng, waves: tuple[int, ...], size: float
) -> NDArray[np.floating[Any]]:
    """A factor around 1 that varies with the angle."""
    total = sum(np.cos(n * angle + rng.uniform(0, 2 * math.pi)) / n for n in waves)
    return np.asarray(1 + size * total)


def _slope_light(x: Floats, y: Floats, radius: Floats | float, sun: Sun) -> Floats:
    """-1 to 1: how a dome of that radius turns to the sun."""
    dx, dy = sun.toward
    return np.asarray(np.clip((dx * x + dy * y) / radius, -1, 1), np.float32)


def _mottled(canvas: Canvas, rng: Rng) -> Floats:
    noise = ndimage.gaussian_filter(rng.standard_normal(canvas.stain.shape), 5, mode="wrap")
    return np.asarray(np.clip(1 + 0.35 * noise / noise.std(), 0, 2), np.float32)


def _fragments(
    canvas: Canvas, rng: Rng, count: int, middle: tuple[float, float], spread: float, size: float
) -> None:
    """Bright pieces strewn around a place, small ones most."""
    for _ in range(count):
        x, y = rng.normal(middle, spread)
        radius = size * min(0.5 / math.sqrt(rng.uniform(0.05, 1)), 1.6)
        inside = np.hypot(canvas.x - x, canvas.y - y) < radius
        shown = canvas.extent.copy()
        canvas.solid(inside, float(rng.uniform(2.5, 6.0)), height=0.25)
        canvas.extent = shown  # debris is no part of the object's own extent


def _line(
    canvas: Canvas,
    start: tuple[float, float],
    end: tuple[float, float],
    width: float,
    value: float,
) -> None:
    """A thin bright line; thinner than a pixel, so it shows as a trace."""
    (x0, y0), (x1, y1) = start, end
    length = math.hypot(x1 - x0, y1 - y0)
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    along = (canvas.x - x0) * ux + (canvas.y - y0) * uy
    across = np.abs((canvas.y - y0) * ux - (canvas.x - x0) * uy)
    canvas.solid((across < width) & (along > 0) & (along < length), value)
