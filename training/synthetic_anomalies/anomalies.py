"""Synthetic anomalies: bodies that might have been put on the ground, and what they did to it."""

from __future__ import annotations

import math

import numpy as np

from training.simulation.terrain import Sun
from training.synthetic_anomalies.canvas import (
    FINE,
    Floats,
    Mask,
    Rng,
    Sheet,
    even_in_logarithm,
    lobed,
    roughness,
    side_of,
)

CONTRASTS = (0.8, 14.0)  # units of the window's roughness, drawn evenly in the logarithm
FAINTEST = 5.0  # px times units: the smallest anomalies need more contrast to be seen at all
BRIGHT = 0.6  # odds of a body brighter than the ground; a heat shield need not be
BLAST = 0.15  # odds of ground blown off with a body
BLASTED = 8.0  # px across, from which a body can blow ground off
BLOWN = 0.45  # of a blast's depth, from which on the ground counts as the object


def anomaly(size: float, sun: Sun, rng: Rng) -> Sheet:
    """One body or some, `size` px across, with what they did to the ground around them."""
    if size >= BLASTED and rng.random() < BLAST:
        return _blast(size, sun, rng)
    sheet = Sheet.blank(side_of(size * 2.6), sun)
    sign = 1.0 if rng.random() < BRIGHT else -1.0
    contrast = sign * even_in_logarithm((CONTRASTS[0] + FAINTEST / size, CONTRASTS[1]), rng)
    if rng.random() < 0.45:
        halo(sheet, size, rng)
    bodies = 1 if rng.random() < 0.6 or size < 6 else int(rng.integers(2, 5))
    whole = np.zeros(sheet.x.shape, bool)
    for number in range(bodies):
        part = size / (1 if bodies == 1 else rng.uniform(1.5, 3.0))
        away = 0.0 if number == 0 else size * rng.uniform(0.2, 0.45)
        turn = rng.uniform(0, 2 * math.pi)
        whole |= _shape(sheet, part, (away * math.cos(turn), away * math.sin(turn)), rng)
    if rng.random() < 0.75:
        length = min(size, 24) * rng.uniform(0.1, 0.9)
        sheet.shadow(whole, max(0.6, length), rng.uniform(0.8, 6.0))
    sheet.cover(whole, (contrast * _texture(sheet, size, rng)).astype(np.float32))
    if rng.random() < 0.25:
        _strew(sheet, size, contrast, rng)
    return sheet


def _shape(sheet: Sheet, size: float, middle: tuple[float, float], rng: Rng) -> Mask:
    """One body: a polygon, an ellipse, a rectangle or a lobed blob, `size` px across."""
    x, y = sheet.x - np.float32(middle[0]), sheet.y - np.float32(middle[1])
    turn, aspect = rng.uniform(0, math.pi), rng.uniform(0.3, 1.0)
    u = x * math.cos(turn) + y * math.sin(turn)
    v = (y * math.cos(turn) - x * math.sin(turn)) / aspect
    half = size / 2
    kind = int(rng.integers(4))
    if kind == 0:
        return np.asarray(np.hypot(u, v) < half)
    if kind == 1:
        return np.asarray(np.maximum(np.abs(u), np.abs(v)) < 0.85 * half)
    if kind == 2:
        angle, r = np.arctan2(v, u), np.hypot(u, v)
        lobes = sum(
            rng.uniform(0, 0.3) / n * np.cos(n * angle + rng.uniform(0, 6)) for n in (2, 3, 5)
        )
        return np.asarray(r < half * (1 + lobes))
    corners = np.sort(rng.uniform(0, 2 * math.pi, int(rng.integers(3, 8))))
    inside = np.hypot(u, v) < half
    for corner in corners:
        inside &= u * math.cos(corner) + v * math.sin(corner) < half * rng.uniform(0.35, 0.9)
    return np.asarray(inside)


def _texture(sheet: Sheet, size: float, rng: Rng) -> Floats:
    """A factor around 1 over the sheet: flat, lit from one side, two-toned, striped or mottled."""
    turn = rng.uniform(0, 2 * math.pi)
    u = (sheet.x * math.cos(turn) + sheet.y * math.sin(turn)) / max(size, 1.0)
    kind = int(rng.integers(5))
    depth = rng.uniform(0.1, 0.7)
    if kind == 1:
        dx, dy = sheet.sun.toward
        return np.asarray(1 + depth * np.clip(2 * (sheet.x * dx + sheet.y * dy) / size, -1, 1))
    if kind == 2:
        return np.where(u > rng.uniform(-0.2, 0.2), 1.0, 1 - 1.5 * depth).astype(np.float32)
    if kind == 3:
        return np.asarray(1 + depth * np.sin(2 * math.pi * u * rng.uniform(1.5, 5)))
    if kind == 4:
        return np.asarray(1 + depth * roughness(sheet.x.shape, FINE * max(0.7, size / 10), rng))
    return np.ones_like(sheet.x)


def halo(sheet: Sheet, size: float, rng: Rng) -> None:
    """Ground blown bright or dark around a body, radial and uneven."""
    angle, r = np.arctan2(sheet.y, sheet.x), np.hypot(sheet.x, sheet.y)
    reach = max(1.5, size * rng.uniform(0.5, 1.1))
    lobes = lobed(angle, (1, 2, 3, 7), 0.5, rng)
    shade = np.exp(-((r / (reach * np.maximum(lobes, 0.2))) ** 2))
    mottle = np.clip(1 + 0.4 * roughness(r.shape, FINE * max(1.0, size / 12), rng), 0, 2)
    amount = rng.uniform(0.6, 3.0) * (-1 if rng.random() < 0.65 else 1)
    sheet.stain += (amount * shade * mottle).astype(np.float32)


def _blast(size: float, sun: Sun, rng: Rng) -> Sheet:
    """Ground blown off in streaks from a middle, where little is left of what fell."""
    sheet = Sheet.blank(side_of(size * 2.4), sun)
    angle, r = np.arctan2(sheet.y, sheet.x), np.hypot(sheet.x, sheet.y)
    reach = size / 2 * np.maximum(lobed(angle, (1, 2, 3), 0.9, rng), 0.3)
    rays = tuple(int(wave) for wave in rng.integers(4, 40, 6))
    streaks = 1 + np.clip(2.5 * r / size, 0, 1) * (lobed(angle, rays, 6.0, rng) - 1)
    mottle = 1 + 0.3 * roughness(r.shape, FINE * max(1.0, size / 15), rng)
    shade = np.exp(-((r / reach) ** rng.uniform(1.2, 3.0)))
    amount = even_in_logarithm((CONTRASTS[0], 7.0), rng) * (-1 if rng.random() < 0.8 else 1)
    sheet.stain += (amount * shade * np.clip(streaks * mottle, 0, 2)).astype(np.float32)
    sheet.changed[shade > BLOWN] = 1.0
    _strew(sheet, 0.5 * size, even_in_logarithm(CONTRASTS, rng), rng)
    return sheet


def _strew(sheet: Sheet, size: float, contrast: float, rng: Rng) -> None:
    """Fragments around a body."""
    for _ in range(int(rng.integers(2, 9))):
        x, y = rng.normal(0, 0.6 * size + 1, 2)
        radius = rng.uniform(0.4, max(0.6, min(2.5, 0.15 * size)))
        inside = np.hypot(sheet.x - x, sheet.y - y) < radius
        sheet.cover(inside, contrast * rng.uniform(0.4, 1.1))
