"""Synthetic Martian ground: a height field, its albedo, and how a sun lights them.

Everything is drawn from one seed. Lengths are metres; the grid is HiRISE's, 0.25 m a pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage
from scipy.spatial import cKDTree

PIXEL = 0.25  # m
SHADOW_STEPS = 60  # px a shadow can reach; boulders and rims are low
LUNAR = 0.55  # weight of the lunar (Lommel-Seeliger) part of the photometric function

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Sun:
    """Where the light comes from, in the picture: azimuth clockwise from up, both in degrees."""

    azimuth: float = 290.0  # HiRISE looks at about three in the afternoon: light from the left
    elevation: float = 36.0

    @property
    def toward(self) -> tuple[float, float]:
        """Unit vector `(dx, dy)` in the picture that points to the sun; y runs down."""
        angle = math.radians(self.azimuth)
        return math.sin(angle), -math.cos(angle)


@dataclass
class Terrain:
    """Height `[H, W]` in metres above a plain, and albedo `[H, W]` around 1."""

    height: Floats
    albedo: Floats


def terrain(height: int, width: int, seed: int) -> Terrain:
    """Rolling, cratered ground with ledges, ripples, boulders, dust-devil tracks, `[H, W]`."""
    rng = np.random.default_rng(seed)
    shape = (height, width)
    ground = Terrain(_rolling(shape, rng), 1 + 0.035 * fractal(shape, 2.6, rng))
    _ledges(ground, rng)
    fresh = _craters(ground, rng)
    _ripples(ground, rng)
    _boulders(ground, fresh, rng)
    _devil_tracks(ground, rng)
    return ground


def shade(ground: Terrain, sun: Sun) -> Floats:
    """Radiance `[H, W]` of lit ground, 1 for a level plain of albedo 1.

    Lunar-Lambert (McEwen 1991) seen from above, with cast shadows that the sky fills a little.
    """
    facing, up = facing_and_up(ground.height, PIXEL, sun)
    lit = LUNAR * 2 * facing / (facing + up + 1e-6) + (1 - LUNAR) * facing
    level = math.sin(math.radians(sun.elevation))
    lit /= LUNAR * 2 * level / (level + 1) + (1 - LUNAR) * level
    lit *= 1 - 0.8 * cast_shadow(ground.height, sun)
    return np.asarray((lit + 0.06) / 1.06 * ground.albedo, np.float32)


def facing_and_up(height: Floats, step: float, sun: Sun) -> tuple[Floats, Floats]:
    """How a surface `[H, W]`, heights `step` apart, turns to the sun (0 where away) and upward.

    Both are cosines; the first is the light of a Lambertian surface.
    """
    down, right = np.gradient(height, step)
    dx, dy = sun.toward
    rise = math.radians(sun.elevation)
    up = 1 / np.sqrt(1 + right**2 + down**2)
    facing = (math.sin(rise) - math.cos(rise) * (dx * right + dy * down)) * up
    return np.clip(facing, 0, None), up


def cast_shadow(height: Floats, sun: Sun) -> Floats:
    """1 where something toward the sun hides it, else 0, soft by the sun's own width."""
    dx, dy = sun.toward
    climb = math.tan(math.radians(sun.elevation)) * PIXEL
    above = np.full(height.shape, -1e3, np.float32)
    for step in range(1, SHADOW_STEPS + 1):
        x, y = round(dx * step), round(dy * step)
        here, there = _overlap(height.shape, y, x)
        np.maximum(above[here], height[there] - climb * step, out=above[here])
    return np.asarray(np.clip((above - height) / 0.05, 0, 1), np.float32)


def fractal(shape: tuple[int, int], slope: float, rng: np.random.Generator) -> Floats:
    """Noise `[H, W]` of unit variance whose amplitude falls with frequency to the `slope / 2`."""
    rows, cols = (fft.next_fast_len(side + 64, real=True) for side in shape)
    white = rng.standard_normal((rows, cols)).astype(np.float32)
    spectrum = fft.rfft2(white, workers=2)
    frequency = np.hypot(fft.fftfreq(rows)[:, None], fft.rfftfreq(cols)[None])
    frequency[0, 0] = np.inf
    spectrum *= (frequency ** (-slope / 2)).astype(np.float32)
    noise = fft.irfft2(spectrum, (rows, cols), workers=2)[: shape[0], : shape[1]]
    return np.asarray((noise - noise.mean()) / noise.std(), np.float32)


def _overlap(
    shape: tuple[int, ...], y: int, x: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Slices of the pixels that have a neighbour at `(+y, +x)`, and of those neighbours."""

    def along(length: int, step: int) -> tuple[slice, slice]:
        low, high = max(0, -step), length - max(0, step)
        return slice(low, high), slice(low + step, high + step)

    (row, row_to), (col, col_to) = along(shape[0], y), along(shape[1], x)
    return (row, col), (row_to, col_to)


def _rolling(shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Hills, hummocks of some ten metres, and the grain of the regolith."""
    hills = 4.5 * fractal(shape, 3.8, rng)
    hummocks = ndimage.gaussian_filter(rng.standard_normal(shape).astype(np.float32), 14)
    hummocks *= 0.12 / hummocks.std()
    rough = np.clip(0.6 + 0.5 * fractal(shape, 3.2, rng), 0.1, 2)
    grain = 0.028 * fractal(shape, 1.6, rng) * rough
    return np.asarray(hills + hummocks * rough + grain, np.float32)


def _ledges(ground: Terrain, rng: np.random.Generator) -> None:
    """Bedrock in patches: layers that crop out along contours, broken by polygonal fractures."""
    shape = ground.height.shape
    where = np.clip(2.2 * fractal(shape, 4.0, rng) - 2.0, 0, 1)
    layers = ground.height * 1.1 + 0.5 * fractal(shape, 3.0, rng)
    part = layers - np.floor(layers)
    ground.height += where * (0.5 * np.clip((part - 0.82) / 0.18, 0, 1) - 0.5 * part)
    rows, cols = np.nonzero(where > 0.05)
    if len(rows):
        count = max(8, len(rows) // 900)
        seeds = rng.choice(len(rows), count, replace=False)
        points = np.column_stack([rows[seeds], cols[seeds]]) + rng.normal(0, 4, (count, 2))
        near, _ = cKDTree(points).query(np.column_stack([rows, cols]), k=2, workers=-1)
        crack = np.exp(-(((near[:, 1] - near[:, 0]) / 2.2) ** 2))
        ground.height[rows, cols] -= (0.14 * crack * where[rows, cols]).astype(np.float32)
    ground.albedo += 0.05 * where


def _craters(ground: Terrain, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Craters old and young; gives row, column and radius in px of the young ones."""
    height, width = ground.height.shape
    area = height * width * PIXEL**2
    count = rng.poisson(2.5e-3 * area)
    # Cumulative counts fall with the diameter squared, as in saturated populations.
    radii = np.clip(4.0 / np.sqrt(rng.random(count)), 4, min(height, width) * 0.11)
    young = []
    for radius in np.sort(radii)[::-1]:
        row, col = rng.random() * height, rng.random() * width
        age = rng.random() ** 0.25  # most are old and worn: landers are sent to old, smooth plains
        _crater(ground, (row, col, radius), age, rng)
        if age < 0.35 and radius > 8:
            young.append((row, col, radius))
    return young


def _crater(
    ground: Terrain, place: tuple[float, float, float], age: float, rng: np.random.Generator
) -> None:
    """Adds one crater; depth and rim after Melosh (1989), both worn with age, 0 to 1."""
    row, col, radius = place
    reach = 3.2 * radius
    box, dy, dx = _patch(ground.height.shape, row, col, reach)
    if dy.size == 0 or dx.size == 0:
        return
    angle = np.arctan2(dy, dx)
    uneven = sum(
        rng.normal(0, 0.05 / n) * np.cos(n * angle + rng.uniform(0, 2 * np.pi)) for n in (2, 3, 5)
    )
    r = np.hypot(dy, dx) / (radius * (1 + uneven))
    diameter = 2 * radius * PIXEL
    depth, rim = diameter * (0.19 - 0.165 * age), diameter * 0.035 * (1 - 0.85 * age)
    bowl = -depth + (depth + rim) * r ** (2.0 + 0.8 * age)
    outside = rim * np.clip(r, 1, None) ** -3.2
    fade = np.clip((3.2 - r) / 1.2, 0, 1)
    soft = 0.03 + 0.22 * age  # worn rims are round
    inside = 1 / (1 + np.exp(np.clip((r - 1) / soft * 4, -40, 40)))
    shape = inside * np.minimum(bowl, rim) + (1 - inside) * outside * fade
    ground.height[box] += shape.astype(np.float32)
    if age < 0.3:
        rays = 0.5 + 0.5 * np.cos(rng.integers(5, 11) * angle + 6 * uneven)
        veil = np.exp(-r / 0.9) * (0.4 + 0.6 * rays) * (r > 0.9)
        ground.albedo[box] += (rng.choice([-0.10, 0.09]) * veil * fade).astype(np.float32)


def _ripples(ground: Terrain, rng: np.random.Generator) -> None:
    """Bright aeolian ripples with sharp, forking crests, in drifts and on low ground."""
    shape = ground.height.shape
    low = ndimage.gaussian_filter(ground.height, 60) - ndimage.gaussian_filter(ground.height, 14)
    drifts = fractal(shape, 4.2, rng)
    where = np.clip(1.6 * drifts - 1.7, 0, 1) + np.clip(1.1 * low - 0.9, 0, 0.8)
    where = ndimage.gaussian_filter(np.clip(where, 0, 1), 3)
    rows, cols = np.indices(shape, dtype=np.float32)
    wind = rng.uniform(-0.5, 0.5)
    warp = 26 * ndimage.gaussian_filter(rng.standard_normal(shape).astype(np.float32), 30) * 30
    length = 15.0  # px from crest to crest, 3.75 m
    phase = (cols * math.cos(wind) + rows * math.sin(wind) + warp) / length
    crest = (1 - np.abs(2 * (phase - np.floor(phase)) - 1)) ** 1.7
    gusts = np.clip(0.75 + 0.35 * fractal(shape, 3.0, rng), 0.1, 1.4)
    ground.height += (0.3 * where * gusts * crest).astype(np.float32)
    ground.albedo += 0.06 * where


def _boulders(
    ground: Terrain, young: list[tuple[float, float, float]], rng: np.random.Generator
) -> None:
    """Boulders of 0.5 to 4 m, scattered, and thrown around young craters."""
    height, width = ground.height.shape
    scattered = int(height * width / 9000)
    places = [rng.random((scattered, 2)) * (height, width)]
    for row, col, radius in young:
        count = int(rng.uniform(0.5, 2.0) * radius)
        distance = radius * rng.uniform(0.85, 2.6, count) ** 1.1
        angle = rng.uniform(0, 2 * np.pi, count)
        ring = np.column_stack([np.sin(angle), np.cos(angle)]) * distance[:, None]
        places.append(ring + np.array([row, col]))
    for row, col in np.concatenate(places):
        radius = min(0.9 * rng.random() ** -0.45, 4.5)  # px
        box, dy, dx = _patch(ground.height.shape, row, col, 2 * radius + 1)
        if dy.size == 0 or dx.size == 0:
            continue
        turn, flat = rng.uniform(0, np.pi), rng.uniform(0.6, 1.0)
        u, v = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
        dome = np.sqrt(np.clip(1 - (u / radius) ** 2 - (v / (radius * flat)) ** 2, 0, None))
        ground.height[box] += (dome * radius * PIXEL * rng.uniform(0.5, 0.9)).astype(np.float32)


def _devil_tracks(ground: Terrain, rng: np.random.Generator) -> None:
    """Dark winding streaks where dust devils took the bright dust away."""
    height, width = ground.height.shape
    for _ in range(max(1, round(height * width * 1.1e-6))):
        steps = 400
        heading = rng.uniform(-0.6, 0.6) + np.cumsum(rng.normal(0, 0.035, steps))
        pace = 1.6 * width / steps
        cols = -0.2 * width + np.cumsum(np.cos(heading)) * pace
        rows = rng.uniform(0, height) + np.cumsum(np.sin(heading)) * pace
        track = np.zeros(((height + 7) // 8, (width + 7) // 8), np.float32)
        inside = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
        track[(rows[inside] / 8).astype(int), (cols[inside] / 8).astype(int)] = 1
        track = ndimage.gaussian_filter(ndimage.maximum_filter(track, 3), rng.uniform(1.0, 2.2))
        full = ndimage.zoom(track, 8, order=1)[:height, :width]
        ground.albedo -= 0.075 * np.clip(full / max(float(track.max()), 1e-6), 0, 1)


def _patch(
    shape: tuple[int, ...], row: float, col: float, reach: float
) -> tuple[tuple[slice, slice], NDArray[np.float64], NDArray[np.float64]]:
    """The pixels within `reach` px of a place, and their offsets from it as a column and a row."""
    top, left = max(0, int(row - reach)), max(0, int(col - reach))
    bottom, right = min(shape[0], int(row + reach) + 2), min(shape[1], int(col + reach) + 2)
    dy = np.arange(top, max(top, bottom), dtype=np.float64)[:, None] - row
    dx = np.arange(left, max(left, right), dtype=np.float64)[None] - col
    return (slice(top, bottom), slice(left, right)), dy, dx
