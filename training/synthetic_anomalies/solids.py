"""Synthetic anomalies of one round body: domes, cones, dishes, drums and barrels, lit by the sun.

Unlike what is flat, such a body is as bright as the ground on the whole, bright on one side and
dark on the other; unlike a rock or a crater its outline and its shading are even.
"""

from __future__ import annotations

import math

import numpy as np

from training.simulation.terrain import Sun, facing_and_up
from training.synthetic_anomalies.anomalies import halo
from training.synthetic_anomalies.assemblies import HALO
from training.synthetic_anomalies.canvas import (
    FINE,
    Floats,
    Rng,
    Sheet,
    dust,
    even_in_logarithm,
    side_of,
)

LIGHT = (2.0, 14.0)  # units of roughness between level ground in the sun and the dark
ALBEDO = (0.45, 2.2)  # over the ground's
HEIGHT = (0.12, 0.5)  # over the width of the body
ELEVATION = (25.0, 60.0)  # degrees, of the sun
RINGED = 0.4  # odds of a ring of another albedo
SHADOWED, SHADOW = 0.85, 0.85  # odds of a shadow; part of the light that it takes
SKYLIGHT = 0.1  # part of the light that reaches what the sun does not


def solid(size: float, sun: Sun, rng: Rng) -> Sheet:
    """One body, `size` px across, with its shadow: Lambertian, over level ground."""
    sheet = Sheet.blank(side_of(size * 2.6), sun)
    light = even_in_logarithm(LIGHT, rng)
    if rng.random() < HALO:
        halo(sheet, size, rng)
    turn, aspect = rng.uniform(0, math.pi), rng.uniform(0.7, 1.0)
    along = (sheet.x * math.cos(turn) + sheet.y * math.sin(turn)) / (size / 2)
    across = (sheet.y * math.cos(turn) - sheet.x * math.sin(turn)) / (size / 2)
    high = size * even_in_logarithm(HEIGHT, rng)
    height: Floats
    kind = int(rng.integers(5))
    if kind == 4:  # a barrel that lies on its side
        thick = rng.uniform(0.25, 0.6)
        inside = (np.abs(along) < 1) & (np.abs(across) < thick)
        r = np.asarray(np.clip(np.abs(across) / thick, 0, 1), np.float32)
        height = np.asarray(0.5 * size * thick * np.sqrt(1 - r**2), np.float32)
    else:
        r = np.asarray(np.hypot(along, across / aspect), np.float32)
        inside = r < 1
        height = np.asarray(high * _profile(kind, np.minimum(r, 1), rng), np.float32)
    light_from = Sun(sun.azimuth, rng.uniform(*ELEVATION))
    lit = brightness(height, light_from)
    albedo = np.full(r.shape, even_in_logarithm(ALBEDO, rng), np.float32)
    if rng.random() < RINGED:
        start = rng.uniform(0.2, 0.9)
        ring = (r > start) & (r < start + rng.uniform(0.1, 0.4))
        albedo[ring] = even_in_logarithm(ALBEDO, rng)
    if rng.random() < SHADOWED:
        tall = float(height[inside].max(initial=0.0)) * rng.uniform(0.5, 1.0)
        length = tall / math.tan(math.radians(light_from.elevation))
        sheet.shadow(inside, max(0.6, min(length, 40.0)), light * SHADOW)
    sheet.cover(inside, (light * (albedo * lit - 1)).astype(np.float32))
    dust(sheet, size, rng)
    return sheet


def _profile(kind: int, r: Floats, rng: Rng) -> Floats:
    """Heights over the distance from the middle, both 0 to 1: a dome, a cone, a dish, a drum."""
    if kind == 0:
        return np.asarray(np.sqrt(1 - r**2) if rng.random() < 0.5 else 1 - r ** rng.uniform(1.5, 4))
    if kind == 1:
        top = rng.uniform(0.0, 0.5)  # of it is cut off
        return np.asarray(np.minimum(1 - r, 1 - top))
    if kind == 2:
        return np.asarray(r ** rng.uniform(1.5, 3))
    edge = rng.uniform(0.05, 0.3)
    return np.asarray(np.clip((1 - r) / edge, 0, 1))


def brightness(height: Floats, sun: Sun) -> Floats:
    """How bright a surface `[h, w]` is, level ground being 1; `height` in px, on a sheet."""
    lit = facing_and_up(height, 1 / FINE, sun)[0] / math.sin(math.radians(sun.elevation))
    return np.asarray(SKYLIGHT + (1 - SKYLIGHT) * lit, np.float32)
