"""Synthetic anomalies of odd shape, which nature does not draw, none like another.

Thin slack lines, hoops and patches of other texture are left out on purpose: they are what
`tests.benchmarks.odd_shapes` asks for, as shapes that nobody has drawn for learning.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from training.simulation.terrain import Sun
from training.synthetic_anomalies.anomalies import FAINTEST
from training.synthetic_anomalies.canvas import (
    FINE,
    Floats,
    Mask,
    Rng,
    Sheet,
    even_in_logarithm,
    roughness,
    side_of,
)

CONTRASTS = (1.2, 20.0)  # units of the window's roughness, drawn evenly in the logarithm
BLACK = (3.0, 15.0)  # the same of a deep shadow
BRIGHT = 0.6  # odds of a shape brighter than the ground


def odd_shape(size: float, sun: Sun, rng: Rng) -> Sheet:
    """One odd shape with its shadow, `size` px across."""
    sheet = Sheet.blank(side_of(size * 2.2), sun)
    sign = 1.0 if rng.random() < BRIGHT else -1.0
    least = CONTRASTS[0] + FAINTEST / size
    contrast = sign * even_in_logarithm((least, CONTRASTS[1]), rng)
    shape = SHAPES[int(rng.integers(len(SHAPES)))] if size >= 5 else _bar
    inside, value = shape(sheet, size, rng)
    if rng.random() < 0.6:
        length = size * even_in_logarithm((0.1, 1.2), rng)
        sheet.shadow(inside, max(0.8, min(length, 30.0)), even_in_logarithm(BLACK, rng))
    sheet.cover(inside, (contrast * value).astype(np.float32))
    return sheet


def _turned(sheet: Sheet, rng: Rng) -> tuple[Floats, Floats]:
    """Coordinates in px along and across a direction at random."""
    turn = rng.uniform(0, math.pi)
    u = sheet.x * math.cos(turn) + sheet.y * math.sin(turn)
    return u, sheet.y * math.cos(turn) - sheet.x * math.sin(turn)


def _bar(sheet: Sheet, size: float, rng: Rng) -> tuple[Mask, Floats]:
    """A bar or a box, now and then of two parts."""
    u, v = _turned(sheet, rng)
    wide = max(0.7, size * rng.uniform(0.12, 0.8))
    inside = (np.abs(u) < size / 2) & (np.abs(v) < wide / 2)
    parted = rng.random() < 0.4
    return inside, np.where(parted & (u > rng.uniform(-0.3, 0.3) * size), rng.uniform(0.2, 1), 1.0)


def _star(sheet: Sheet, size: float, rng: Rng) -> tuple[Mask, Floats]:
    """Arms from a middle: a cross, a star, a propeller."""
    angle, r = np.arctan2(sheet.y, sheet.x), np.hypot(sheet.x, sheet.y)
    arms, wide = int(rng.integers(2, 7)), max(0.5, size * rng.uniform(0.03, 0.12))
    apart = np.abs(np.mod(angle * arms / (2 * math.pi) + rng.random(), 1) - 0.5)
    off = r * np.sin(np.minimum(apart * 2 * math.pi / arms, math.pi / 2))
    hub = r < size * rng.uniform(0.0, 0.25)
    return (r < size / 2) & ((off < wide) | hub), np.ones_like(r)


def _glyph(sheet: Sheet, size: float, rng: Rng) -> tuple[Mask, Floats]:
    """Straight strokes between the points of a small lattice, as letters have."""
    u, v = _turned(sheet, rng)
    inside, thick = np.zeros(u.shape, bool), max(0.5, size * rng.uniform(0.04, 0.12))
    for _ in range(int(rng.integers(2, 6))):
        ends = rng.integers(-1, 2, (2, 2)) * (size * 0.42)
        along, length = ends[1] - ends[0], float(np.hypot(*(ends[1] - ends[0])))
        if length == 0:
            continue
        du, dv = u - ends[0][0], v - ends[0][1]
        part = np.clip((du * along[0] + dv * along[1]) / length**2, 0, 1)
        inside |= np.hypot(du - part * along[0], dv - part * along[1]) < thick
    return inside, np.ones_like(u)


def _dots(sheet: Sheet, size: float, rng: Rng) -> tuple[Mask, Floats]:
    """Single pixels or small squares, in rows or strewn: as bad pixels lie, or rivets."""
    u, v = _turned(sheet, rng) if rng.random() < 0.5 else (sheet.x, sheet.y)
    inside, wide = np.zeros(u.shape, bool), rng.uniform(0.5, max(0.7, size / 14))
    count, strewn = int(rng.integers(2, 5)), rng.random() < 0.5
    for point in range(count * count):
        lattice = np.array(divmod(point, count)) / max(1, count - 1) - 0.5
        a, b = (rng.uniform(-0.5, 0.5, 2) if strewn else lattice) * size * 0.9
        inside |= np.maximum(np.abs(u - a), np.abs(v - b)) < wide
    return inside, np.ones_like(u)


def _panel(sheet: Sheet, size: float, rng: Rng) -> tuple[Mask, Floats]:
    """A rectangle with stripes, or squares as on a chessboard, in two tones."""
    u, v = _turned(sheet, rng)
    wide, pitch = size * rng.uniform(0.4, 1.0), max(1.2, size * rng.uniform(0.08, 0.3))
    tone = np.sin(2 * math.pi * u / pitch)
    if rng.random() < 0.5:
        tone = tone * np.sin(2 * math.pi * v / pitch)
    inside = (np.abs(u) < size / 2) & (np.abs(v) < wide / 2)
    return inside, np.where(tone > 0, 1.0, rng.uniform(-1.0, 0.6))


def _crescent(sheet: Sheet, size: float, rng: Rng) -> tuple[Mask, Floats]:
    """An ellipse with a bite out of its side."""
    u, v = _turned(sheet, rng)
    v = v / rng.uniform(0.4, 1.0)
    bite = np.hypot(u - size * rng.uniform(0.3, 0.5), v) < size * rng.uniform(0.25, 0.5)
    return (np.hypot(u, v) < size / 2) & ~bite, np.ones_like(u)


def _scrap(sheet: Sheet, size: float, rng: Rng) -> tuple[Mask, Floats]:
    """A crooked polygon, crumpled: its faces of many tones."""
    angle, r = np.arctan2(sheet.y, sheet.x), np.hypot(sheet.x, sheet.y)
    corners = np.sort(rng.uniform(-math.pi, math.pi, int(rng.integers(4, 10))))
    reach = rng.uniform(0.25, 1.0, len(corners)) * size / 2
    edge = np.interp(angle, corners, reach, period=2 * math.pi)
    folds = roughness(r.shape, FINE * max(0.7, size / rng.uniform(4, 12)), rng)
    return r < edge, 0.6 + np.clip(rng.uniform(0.1, 0.7) * folds, -1, 1)


SHAPES: tuple[Callable[[Sheet, float, Rng], tuple[Mask, Floats]], ...] = (
    _bar,
    _bar,
    _star,
    _glyph,
    _dots,
    _panel,
    _crescent,
    _scrap,
    _scrap,
)
