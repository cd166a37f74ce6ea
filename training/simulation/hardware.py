"""The hardware of a landing as HiRISE sees it from above: six kinds, drawn from a seed.

A piece is drawn on a canvas `OVER` times finer than the picture, in units that mean something on
any ground: how many times as bright as level ground beside it, reckoned from the dark of shadows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.simulation.terrain import PIXEL, Sun

OVER = 4  # canvas pixels in a picture pixel, each way
MARGIN = 6.0  # m of canvas beyond the outermost mark, for shadow and blur

Floats = NDArray[np.float32]
Rng = np.random.Generator


@dataclass
class Stamp:
    """A piece of hardware: four layers `[h, w]` at the picture's resolution, and its own extent.

    The ground's light becomes `light * (1 + stain)`, less where `shade` keeps the sun away; then
    what stands there covers it, `value` times as bright as level ground.
    """

    stain: Floats  # relative change of the ground's albedo: blast, tracks
    shade: Floats  # 0 to 1: cast shadow
    value: Floats  # of the object itself; 1 is level ground
    alpha: Floats  # 0 to 1: where the object covers the ground
    box: tuple[int, int, int, int]  # x_min, y_min, x_max, y_max in px of the stamp, half-open


class Canvas:
    """A square to draw on, `reach` metres from its middle each way; all is drawn `size` times."""

    def __init__(self, reach: float, sun: Sun, size: float) -> None:
        self.sun = sun
        self.fine = PIXEL / OVER / size  # m of the thing as it really is, in a canvas pixel
        side = 2 * math.ceil((reach + MARGIN) * size / PIXEL) * OVER
        axis = (np.arange(side, dtype=np.float32) + 0.5 - side / 2) * np.float32(self.fine)
        self.x, self.y = axis[None, :], axis[:, None]  # m from the middle; y runs down
        self.stain = np.zeros((side, side), np.float32)
        self.value, self.alpha = np.zeros_like(self.stain), np.zeros_like(self.stain)
        self.shaded = np.zeros((side, side), bool)
        self.extent = np.zeros((side, side), bool)

    def solid(self, inside: NDArray[np.bool_], value: Floats | float, height: float = 0.0) -> None:
        """Covers the ground with something `height` metres high, and casts its shadow."""
        if height > 0:
            self.shadow(inside, height)
        self.alpha[inside] = 1.0
        self.value = np.where(inside, value, self.value).astype(np.float32)
        self.extent |= inside

    def shadow(self, inside: NDArray[np.bool_], height: float) -> None:
        """Keeps the sun from the ground as far as something so high does."""
        length = height / math.tan(math.radians(self.sun.elevation)) / self.fine
        dx, dy = self.sun.toward
        for step in range(1, max(1, round(length)) + 1):
            # The margin keeps what is moved from coming in again on the other side.
            self.shaded |= np.roll(inside, (-round(dy * step), -round(dx * step)), (0, 1))

    def stamp(self, marked: NDArray[np.bool_] | None = None) -> Stamp:
        """The layers at the picture's resolution; `marked` widens the extent."""
        extent = self.extent if marked is None else self.extent | marked
        rows, cols = (np.flatnonzero(extent.any(axis)) // OVER for axis in (1, 0))
        box = (int(cols[0]), int(rows[0]), int(cols[-1]) + 1, int(rows[-1]) + 1)
        alpha = _coarse(self.alpha)
        value = _coarse(self.value * self.alpha) / np.maximum(alpha, np.float32(1e-6))
        shade = _coarse(self.shaded.astype(np.float32))
        return Stamp(_coarse(self.stain), shade, value.astype(np.float32), alpha, box)


def parachute(rng: Rng, sun: Sun, size: float = 1.0) -> Stamp:
    """A canopy 16 m across, fallen in folds, its lines, and the backshell at their end."""
    radius, reach = rng.uniform(7.2, 8.6), 34.0
    canvas = Canvas(reach, sun, size)
    away = rng.uniform(0, 2 * math.pi)
    cx, cy = -0.35 * reach * math.cos(away), -0.35 * reach * math.sin(away)
    x, y = canvas.x - cx, canvas.y - cy
    angle, r = np.arctan2(y, x), np.hypot(x, y)
    slack = rng.uniform(0.25, 0.5)  # how far the canopy has collapsed toward one side
    edge = radius * _uneven(angle, rng, (2, 3, 5), 0.12) * _uneven(angle, rng, (8, 13), 0.06)
    edge *= 1 - slack * np.clip(np.cos(angle - rng.uniform(0, 6.28)), 0, 1) ** 2
    cloth = rng.uniform(1.7, 2.3) * (1 - 0.2 * (np.cos(40 * angle) > 0.2))  # gores
    cloth += 0.5 * _folds(canvas, rng, 1.6) + 0.25 * _slope_light(x, y, edge, sun)
    cloth = np.where(np.abs(r - 0.6 * edge) < 0.35, 0.75 * cloth, cloth)  # the gap in the canopy
    bx, by = cx + 30 * math.cos(away), cy + 30 * math.sin(away)
    for spread in np.linspace(-0.3, 0.3, 5):
        start = (
            cx + 0.8 * radius * math.cos(away + spread),
            cy + 0.8 * radius * math.sin(away + spread),
        )
        _line(canvas, start, (bx, by), rng.uniform(0.02, 0.06), 1.5)
    canvas.solid(r < edge, cloth.astype(np.float32), height=0.6)
    shell = np.hypot(canvas.x - bx, canvas.y - by) / _uneven(angle, rng, (2, 3), 0.05)
    dome = 1.9 + 0.9 * _slope_light(canvas.x - bx, canvas.y - by, 2.3, sun)
    canvas.solid(shell < 2.25, dome, height=1.6)
    return canvas.stamp()


def heat_shield(rng: Rng, sun: Sun, size: float = 1.0) -> Stamp:
    """A dish 4.5 m across that shows its bright inside or dark outside, and where it bounced."""
    canvas = Canvas(16.0, sun, size)
    angle = rng.uniform(0, 2 * math.pi)
    bx, by = 10 * math.cos(angle), 10 * math.sin(angle)
    mark = np.hypot((canvas.x - bx) / 2.6, (canvas.y - by) / 1.7)
    canvas.stain -= (0.5 * np.exp(-(mark**2)) * _rays(canvas, rng, (bx, by))).astype(np.float32)
    _fragments(canvas, rng, int(rng.integers(3, 8)), (bx, by), 3.5, 0.22)
    turn, lean = rng.uniform(0, math.pi), rng.uniform(1.0, 1.35)  # it lies on its side
    u = canvas.x * math.cos(turn) + canvas.y * math.sin(turn)
    v = (canvas.y * math.cos(turn) - canvas.x * math.sin(turn)) * lean
    r = np.hypot(u, v)
    light = _slope_light(canvas.x, canvas.y, 2.3, sun)
    if rng.random() < 0.6:  # the inside: a dish, so that its far wall is lit
        face = np.where(r > 1.95, 2.4, 1.7 - 0.8 * light)
    else:
        face = 0.75 + 0.55 * light + 0.5 * (r > 2.05)
    canvas.solid(r < 2.25, face.astype(np.float32), height=0.9)
    return canvas.stamp()


def crash_site(rng: Rng, sun: Sun, size: float = 1.0) -> Stamp:
    """Where the descent stage fell: a dark radial blast, a small pit, bright fragments."""
    reach = rng.uniform(17, 23)
    canvas = Canvas(reach, sun, size)
    angle, r = np.arctan2(canvas.y, canvas.x), np.hypot(canvas.x, canvas.y)
    heading = rng.uniform(0, 2 * math.pi)
    lobe = 0.4 + 0.6 * np.cos((angle - heading) / 2) ** 2  # thrown on, the way it flew
    blast = np.exp(-((r / (0.42 * reach * lobe)) ** 1.3)) * _rays(canvas, rng, (0.0, 0.0))
    canvas.stain -= (rng.uniform(0.55, 0.75) * np.clip(blast, 0, 1.2)).astype(np.float32)
    canvas.solid(r < rng.uniform(0.7, 1.1) * _uneven(angle, rng, (2, 3), 0.3), 0.25)
    _fragments(canvas, rng, int(rng.integers(7, 13)), (0, 0), 0.2 * reach, 0.3)
    return canvas.stamp(marked=np.exp(-((r / (0.42 * reach * lobe)) ** 1.3)) > 0.55)


def rover(rng: Rng, sun: Sun, size: float = 1.0) -> Stamp:
    """A rover 3 m long with deck and mast, its shadow, in ground swept by the landing engines."""
    canvas = Canvas(18.0, sun, size)
    turn = rng.uniform(0, math.pi)
    u = canvas.x * math.cos(turn) + canvas.y * math.sin(turn)
    v = canvas.y * math.cos(turn) - canvas.x * math.sin(turn)
    swept = _rays(canvas, rng, (0.0, 0.0))
    for side in (-1, 1):
        lobe = np.hypot((u - 5.0 * side) / rng.uniform(5, 7), v / rng.uniform(3.5, 5))
        canvas.stain -= (0.42 * np.exp(-(lobe**2)) * swept).astype(np.float32)
    near = np.hypot(u / 3.2, v / 3.2)
    canvas.stain += (0.3 * np.exp(-(near**4)) * swept).astype(np.float32)
    body = (np.abs(u) < 1.5) & (np.abs(v) < 0.85)
    deck = rng.uniform(1.5, 2.1) + 0.5 * np.sign(np.sin(u * 4)) * (v > 0)
    wheels = (np.abs(np.abs(u) - 1.2) < 0.28) & (np.abs(np.abs(v) - 1.25) < 0.2)
    canvas.solid(wheels, 0.5, height=0.5)
    canvas.solid(body, deck.astype(np.float32), height=1.1)
    canvas.solid((np.abs(u + 1.3) < 0.35) & (np.abs(v) < 0.4), 0.35)  # the power source, dark
    canvas.solid(np.hypot(u - 1.1, v - 0.4) < 0.3, 2.8, height=2.0)
    return canvas.stamp()


def spot(rng: Rng, sun: Sun, size: float = 1.0) -> Stamp:
    """A small new spot, 0.6 to 1.5 m across: ballast or a piece of foil, bright or dark."""
    canvas = Canvas(4.0, sun, size)
    angle, r = np.arctan2(canvas.y, canvas.x), np.hypot(canvas.x, canvas.y)
    edge = rng.uniform(0.3, 0.75) * _uneven(angle, rng, (2, 3), 0.3)
    value = rng.uniform(2.2, 3.0) if rng.random() < 0.7 else rng.uniform(0.05, 0.3)
    canvas.stain -= (0.25 * np.exp(-((r / 1.3) ** 2)) * _rays(canvas, rng, (0, 0))).astype(
        np.float32
    )
    canvas.solid(r < edge, float(value), height=0.3)
    return canvas.stamp()


KINDS: dict[str, Callable[[Rng, Sun, float], Stamp]] = {
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
    total = sum(np.cos(n * angle + rng.uniform(0, 2 * math.pi)) / math.sqrt(n) for n in waves)
    return np.asarray(1 + size * total)


def _slope_light(x: Floats, y: Floats, radius: Floats | float, sun: Sun) -> Floats:
    """-1 to 1: how a dome of that radius turns to the sun."""
    dx, dy = sun.toward
    return np.asarray(np.clip((dx * x + dy * y) / radius, -1, 1), np.float32)


def _folds(canvas: Canvas, rng: Rng, length: float) -> Floats:
    """-1 to 1, mostly: how cloth in folds, so many metres apart, turns to the sun."""
    rough = rng.standard_normal(canvas.stain.shape)
    height = ndimage.gaussian_filter(rough, length / 2.5 / canvas.fine, mode="wrap")
    down, right = np.gradient(height)
    dx, dy = canvas.sun.toward
    slope = -(dx * right + dy * down)
    return np.asarray(np.clip(slope / (1.5 * slope.std()), -1.5, 1.5), np.float32)


def _rays(canvas: Canvas, rng: Rng, middle: tuple[float, float]) -> Floats:
    """0 to 2, around 1: what a blast from a point leaves, in streaks and patches."""
    x, y = canvas.x - middle[0], canvas.y - middle[1]
    angle = np.arctan2(y, x)
    streaks = _uneven(angle, rng, (3, 4, 7, 11, 17, 23), 0.4) - 1
    rough = rng.standard_normal(canvas.stain.shape)
    patches = ndimage.gaussian_filter(rough, 1.2 / canvas.fine, mode="wrap")
    grain = ndimage.gaussian_filter(rough, 0.35 / canvas.fine, mode="wrap")
    mixed = streaks + 0.3 * patches / patches.std() + 0.15 * grain / grain.std()
    return np.asarray(np.clip(1 + mixed, 0, 2), np.float32)


def _fragments(
    canvas: Canvas, rng: Rng, count: int, middle: tuple[float, float], spread: float, size: float
) -> None:
    """Bright pieces strewn around a place, small ones most."""
    for _ in range(count):
        x, y = rng.normal(middle, spread)
        dx, dy = canvas.x - x, canvas.y - y
        radius = size * min(0.5 / math.sqrt(rng.uniform(0.05, 1)), 1.6)
        edge = radius * _uneven(np.arctan2(dy, dx), rng, (2, 3), 0.25)
        shown = canvas.extent.copy()
        canvas.solid(np.hypot(dx, dy) < edge, float(rng.uniform(1.4, 2.6)), height=0.25)
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
