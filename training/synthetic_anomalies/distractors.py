"""Distractors, the hard negatives: natural features that completion cannot foresee either."""

from __future__ import annotations

import math

import numpy as np

from training.simulation.terrain import Sun
from training.synthetic_anomalies.canvas import (
    FINE,
    Rng,
    Sheet,
    even_in_logarithm,
    lobed,
    roughness,
    side_of,
)

LARGEST_ROCK = 14.0  # px, radius
ODDS = (0.175, 0.3, 0.175, 0.175, 0.175)  # of crater, boulders, ripples, streak and patch


def distractor(size: float, sun: Sun, rng: Rng) -> Sheet:
    """A crater, boulders, ripples, a streak or a patch, `size` px across."""
    draws = (_crater, _boulders, _ripples, _streak, _patch)
    draw = draws[int(rng.choice(len(draws), p=ODDS))]
    return draw(size, sun, rng)


def rock(radius: float, sun: Sun, rng: Rng) -> Sheet:
    """One rock with its shadow, on a sheet of its own."""
    sheet = Sheet.blank(side_of(8 * radius), sun)
    _rock(sheet, (0.0, 0.0), radius, rng)
    return sheet


def _crater(size: float, sun: Sun, rng: Rng) -> Sheet:
    """A bowl: its wall toward the sun dark, the far one bright; a rim."""
    sheet = Sheet.blank(side_of(size * 2.2), sun)
    dx, dy = sun.toward
    r = np.hypot(sheet.x, sheet.y) / (size / 2)
    facing = -(sheet.x * dx + sheet.y * dy) / (size / 2 * np.maximum(r, 0.05))
    bowl = facing * r * np.exp(-((r / 0.85) ** 4))
    rim = -0.5 * facing * np.exp(-(((r - 1.08) / 0.16) ** 2))
    fresh = even_in_logarithm((0.8, 7.0), rng)
    sheet.stain += (fresh * (bowl + rim)).astype(np.float32)
    return sheet


def _boulders(size: float, sun: Sun, rng: Rng) -> Sheet:
    """Rocks, each with facets toward and away from the sun and its shadow; alone or strewn."""
    reach = max(6.0, size)
    sheet = Sheet.blank(side_of(reach * 2.0), sun)
    largest = even_in_logarithm((0.8, min(LARGEST_ROCK, max(1.6, size / 2.5))), rng)
    for _ in range(int(rng.integers(1, 4 if largest > 3 else 12))):
        x, y = rng.normal(0, reach / 3, 2)
        _rock(sheet, (x, y), largest * rng.uniform(0.4, 1.0), rng)
    return sheet


def _rock(sheet: Sheet, middle: tuple[float, float], radius: float, rng: Rng) -> None:
    """One rock: as bright as its facets face the sun, of much the same stuff as the ground."""
    dx, dy = sheet.sun.toward
    u, v = sheet.x - np.float32(middle[0]), sheet.y - np.float32(middle[1])
    turn, aspect = rng.uniform(0, math.pi), rng.uniform(1.0, 1.7)
    along = (u * math.cos(turn) + v * math.sin(turn)) / aspect
    outline = np.maximum(lobed(np.arctan2(v, u), (2, 3, 5), 0.25, rng), 0.5)
    inside = np.hypot(along, v * math.cos(turn) - u * math.sin(turn)) < radius * outline
    sheet.shadow(inside, radius * rng.uniform(0.5, 2.5), rng.uniform(1.0, 6.0))
    shade = np.full(u.shape, rng.uniform(0.0, 0.6), np.float32)
    highest = np.full(u.shape, 0.35 * radius, np.float32)
    for facet in rng.uniform(0, 2 * math.pi, int(rng.integers(2, 6))):
        steep = u * math.cos(facet) + v * math.sin(facet)
        facing = math.cos(facet) * dx + math.sin(facet) * dy
        shade = np.where(steep > highest, np.float32(facing + rng.normal(0, 0.15)), shade)
        highest = np.maximum(steep, highest)
    amount = even_in_logarithm((0.6, 9.0), rng)
    mottle = 1 + 0.25 * roughness(u.shape, FINE * max(0.7, radius / 5), rng)
    sheet.cover(inside, (amount * (rng.uniform(-0.2, 0.5) + shade) * mottle).astype(np.float32))


def _ripples(size: float, sun: Sun, rng: Rng) -> Sheet:
    """A field of ripples or a small dune, shaded by the sun."""
    sheet = Sheet.blank(side_of(max(16.0, size) * 1.8), sun)
    turn, wave = rng.uniform(0, math.pi), rng.uniform(4, max(6.0, size / 2))
    bend = 0.25 * wave * roughness(sheet.x.shape, FINE * wave, rng)
    phase = (sheet.x * math.cos(turn) + sheet.y * math.sin(turn) + bend) * (2 * math.pi / wave)
    crest = np.sin(phase) + 0.35 * np.sin(2 * phase + 0.8)
    within = np.exp(-((np.hypot(sheet.x, sheet.y) / (0.62 * max(16.0, size))) ** 4))
    sheet.stain += (even_in_logarithm((0.5, 4.0), rng) * crest * within).astype(np.float32)
    return sheet


def _streak(size: float, sun: Sun, rng: Rng) -> Sheet:
    """A dark or bright streak with a sharp head and a soft, fading tail."""
    length = max(12.0, size)
    sheet = Sheet.blank(side_of(length * 1.7), sun)
    turn = rng.uniform(0, 2 * math.pi)
    u = (sheet.x * math.cos(turn) + sheet.y * math.sin(turn)) / length + 0.5
    v = (sheet.y * math.cos(turn) - sheet.x * math.sin(turn)) / length
    wide = rng.uniform(0.03, 0.15) * (0.3 + np.clip(u, 0, 1))
    shade = np.exp(-((v / wide) ** 2)) * np.clip(u / 0.08, 0, 1) * np.clip((1.1 - u) / 0.7, 0, 1)
    amount = even_in_logarithm((0.5, 4.0), rng) * (-1 if rng.random() < 0.7 else 1)
    sheet.stain += (amount * shade).astype(np.float32)
    return sheet


def _patch(size: float, sun: Sun, rng: Rng) -> Sheet:
    """A spot of other albedo without an edge: dust, frost, ejecta."""
    sheet = Sheet.blank(side_of(size * 2.4), sun)
    r = np.hypot(sheet.x, sheet.y * rng.uniform(0.6, 1.6)) / (size / 2)
    ragged = 1 + 0.35 * roughness(r.shape, FINE * max(1.0, size / 6), rng)
    shade = np.exp(-((r * ragged / 0.9) ** 2))
    amount = even_in_logarithm((0.5, 4.0), rng) * (-1 if rng.random() < 0.6 else 1)
    sheet.stain += (amount * shade).astype(np.float32)
    return sheet
