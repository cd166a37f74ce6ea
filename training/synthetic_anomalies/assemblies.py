"""Synthetic anomalies put together of parts, as what is built is: of many tones, often in order."""

from __future__ import annotations

import math

import numpy as np

from training.simulation.terrain import Sun
from training.synthetic_anomalies.anomalies import FAINTEST, halo
from training.synthetic_anomalies.canvas import (
    Floats,
    Mask,
    Rng,
    Sheet,
    dust,
    even_in_logarithm,
    side_of,
)

CONTRASTS = (1.5, 20.0)  # units of the window's roughness, of the strongest part
MIRRORED, ROUND, IN_A_ROW = 0.35, 0.2, 0.2  # odds of two like halves, of more; of a line of parts
SECTORS = (3, 6)  # like sectors around a middle, as petals and panels of landers lie
TONES = ((-1.0, -0.3), (0.3, 0.8), (0.8, 1.0))  # of parts, over the contrast
HALO = 0.3  # odds of ground blown bright or dark around it


def assembly(size: float, sun: Sun, rng: Rng) -> Sheet:
    """Some parts that belong together, `size` px across, with their shadow."""
    sheet = Sheet.blank(side_of(size * 2.4), sun)
    contrast = even_in_logarithm((CONTRASTS[0] + FAINTEST / size, CONTRASTS[1]), rng)
    bright = rng.random() < 0.6
    if rng.random() < HALO:
        halo(sheet, size, rng)
    turn, aspect = rng.uniform(0, 2 * math.pi), rng.uniform(0.35, 1.0)
    u = sheet.x * math.cos(turn) + sheet.y * math.sin(turn)
    v = sheet.y * math.cos(turn) - sheet.x * math.sin(turn)
    order = rng.random()
    if order < MIRRORED:
        v = np.abs(v)
    elif order < MIRRORED + ROUND:
        u, v = _folded(u, v, int(rng.integers(SECTORS[0], SECTORS[1] + 1)))
    row = rng.random() < IN_A_ROW
    whole, value = np.zeros(u.shape, bool), np.zeros(u.shape, np.float32)
    for number in range(int(rng.integers(2, 3 if size < 4 else 8))):
        reach = 0.0 if number == 0 and not row else 0.36 * size
        middle = rng.uniform(-reach, reach), (0.0 if row else rng.uniform(-reach, reach) * aspect)
        inside = _part(u - np.float32(middle[0]), v - np.float32(middle[1]), size, rng)
        low, high = TONES[int(rng.choice(3, p=(0.25, 0.35, 0.4)))]
        tone = rng.uniform(low, high) * (1.0 if bright else -1.0)
        value = np.where(inside, (tone * _lit(sheet, size, rng)).astype(np.float32), value)
        whole |= inside
    if rng.random() < 0.7:
        length = size * even_in_logarithm((0.1, 1.2), rng)
        sheet.shadow(whole, max(0.6, min(length, 30.0)), even_in_logarithm((1.0, 15.0), rng))
    sheet.cover(whole, contrast * value)
    dust(sheet, size, rng)
    return sheet


def _folded(u: Floats, v: Floats, sectors: int) -> tuple[Floats, Floats]:
    """Coordinates in the first of so many sectors around a middle, each its own mirror image."""
    wide = 2 * math.pi / sectors
    angle = np.abs((np.arctan2(v, u) + wide / 2) % wide - wide / 2)
    r = np.hypot(u, v)
    return np.asarray(r * np.cos(angle)), np.asarray(r * np.sin(angle))


def _part(u: Floats, v: Floats, size: float, rng: Rng) -> Mask:
    """A box, a disc, a bar, a wedge or a half disc, an eighth to a half of the whole across."""
    half = max(0.5, size * even_in_logarithm((0.06, 0.28), rng))
    kind = int(rng.integers(5))
    if kind == 0:
        return np.asarray((np.abs(u) < half) & (np.abs(v) < half * rng.uniform(0.3, 1.0)))
    if kind == 1:
        return np.asarray(np.hypot(u, v / rng.uniform(0.5, 1.0)) < half)
    turn = rng.uniform(0, math.pi)
    along = u * math.cos(turn) + v * math.sin(turn)
    across = v * math.cos(turn) - u * math.sin(turn)
    if kind == 2:
        thick = max(0.5, half * rng.uniform(0.1, 0.3))
        return np.asarray((np.abs(along) < 1.8 * half) & (np.abs(across) < thick))
    if kind == 3:
        return np.asarray((np.abs(along) < half) & (np.abs(across) < 0.5 * (half - along)))
    return np.asarray((np.hypot(along, across) < half) & (across > 0))


def _lit(sheet: Sheet, size: float, rng: Rng) -> Floats:
    """A factor around 1: flat, or brighter toward one side, more often toward the sun."""
    if rng.random() < 0.5:
        return np.ones_like(sheet.x)
    dx, dy = sheet.sun.toward
    if rng.random() < 0.3:
        turn = rng.uniform(0, 2 * math.pi)
        dx, dy = math.cos(turn), math.sin(turn)
    return np.asarray(1 + 0.5 * np.clip(3 * (sheet.x * dx + sheet.y * dy) / size, -1, 1))
