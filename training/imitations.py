"""Things that might have been put on the ground, and things that only look so, planted at random.

They teach the critic (`networks/critic.py`) without one human label. None is a portrait: the kinds
that a model is judged by are drawn in `hardware.py` and share no drawing with these. Lengths are
pixels, since a critic must not depend on a scene's scale; brightness is in units of the window's
own roughness, so that contrast runs from blinding down to the noise.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from dashboard.detector.tiling import Box
from training.ground import Sun
from training.networks import BLOCK
from training.sensor import noise_of

FINE = 3  # canvas positions in a pixel, each way
SIZES = (1.5, 60.0)  # px across, drawn evenly in the logarithm
CONTRASTS = (0.8, 14.0)  # units of the window's roughness, likewise
FAINTEST = 3.0  # px times units: the smallest things need more contrast to be seen at all
BRIGHT = 0.8  # odds of a thing brighter than the ground: metal and cloth are
BLAST, BLASTED = 0.15, 8.0  # odds of ground blown off with a thing; px across from which it can be
BLOWN = 0.45  # of a blast's depth, from which on the ground counts as the object
OBJECTS = (0.15, 0.35, 0.3, 0.2)  # odds of none, one, two, three in a window
LOOKALIKES = (0.5, 0.2, 0.2, 0.1)  # the same of natural things that must not count
COVERED = 0.25  # of a block, from which on it counts as the object
DOUBTFUL = 3  # blocks around an object that are not judged
JPEG, SEAM, GRAIN = 0.25, 0.1, 0.2  # odds of artefacts in a window
MAD_TO_SIGMA = 1.4826

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


@dataclass(frozen=True)
class Planted:
    """A window with things in it.

    `dn [H, W]`; `target [H / 4, W / 4]` is 1 where something was put, `weight` what a block counts.
    """

    dn: Floats
    target: Floats
    weight: Floats


def plant(dn: Floats, scale: float, rng: Rng) -> Planted:
    """Things of all kinds planted in a window of ground; what counts, and how much.

    Args:
        dn: `[H, W]`, multiples of 4.
        scale: the scene's robust standard deviation, DN.
        rng: decides everything.
    """
    dn = dn.astype(np.float32, copy=True)
    height, width = dn.shape
    target = np.zeros((height // BLOCK, width // BLOCK), np.float32)
    weight = np.ones_like(target)
    taken = np.zeros(dn.shape, bool)
    noise, sun, ends = noise_of(dn), sun_over(dn, rng), (float(dn.min()), float(dn.max()))
    for draw, odds, counts in ((lookalike, LOOKALIKES, False), (thing, OBJECTS, True)):
        for _ in range(int(rng.choice(len(odds), p=odds))):
            size = _even_in_logarithm(SIZES, rng)
            sheet = draw(size, sun, rng)
            at = _free(taken, len(sheet.x) // FINE, rng)
            if at is None:
                continue
            covered = _press(dn, sheet, at, (scale, noise), rng)
            if counts:
                _mark(target, weight, covered, at)
    _spoil(dn, ends, noise, rng)
    return Planted(dn, target, weight)


def put(dn: Floats, scale: float, count: int, rng: Rng, least: float = CONTRASTS[0]) -> list[Box]:
    """Puts so many things on ground `[H, W]` in place, where there is room; the boxes they cover.

    The ground is lit as a window of training would be; nothing is spoiled, nothing looks alike.

    Args:
        dn: multiples of 4 high and wide.
        scale: the scene's robust standard deviation, DN.
        count: of things.
        rng: decides everything.
        least: the contrast of the faintest large things, in units of roughness.
    """
    taken, boxes = np.zeros(dn.shape, bool), list[Box]()
    noise, sun = noise_of(dn), sun_over(dn, rng)
    for _ in range(count):
        sheet = thing(_even_in_logarithm(SIZES, rng), sun, rng, least)
        at = _free(taken, len(sheet.x) // FINE, rng)
        if at is None:
            continue
        covered = _press(dn, sheet, at, (scale, noise), rng)
        inside = covered >= min(COVERED, 0.6 * float(covered.max()))
        y, x = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
        box = Box(int(x[0]), int(y[0]), int(x[-1]) + 1, int(y[-1]) + 1)
        boxes.append(box.moved(at[1], at[0]))
    return boxes


def thing(size: float, sun: Sun, rng: Rng, least: float = CONTRASTS[0]) -> Sheet:
    """Something put there: one body or some, with what it did to the ground around it.

    `least` is the contrast of the faintest large things, in units of roughness.
    """
    if size >= BLASTED and rng.random() < BLAST:
        return _blast(size, sun, rng, least)
    sheet = Sheet.blank(_side(size * 2.6), sun)
    sign = 1.0 if rng.random() < BRIGHT else -1.0
    contrast = sign * _even_in_logarithm((least + FAINTEST / size, CONTRASTS[1]), rng)
    if rng.random() < 0.45:
        _halo(sheet, size, rng)
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


def lookalike(size: float, sun: Sun, rng: Rng) -> Sheet:
    """Something natural that completion cannot foresee either."""
    draw = (_crater, _boulders, _ripples, _streak, _patch)[int(rng.integers(5))]
    return draw(size, sun, rng)


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
        return np.asarray(1 + depth * _rough(sheet.x.shape, FINE * max(0.7, size / 10), rng))
    return np.ones_like(sheet.x)


def _halo(sheet: Sheet, size: float, rng: Rng) -> None:
    """Ground blown bright or dark around a body, radial and uneven."""
    angle, r = np.arctan2(sheet.y, sheet.x), np.hypot(sheet.x, sheet.y)
    reach = max(1.5, size * rng.uniform(0.5, 1.1))
    lobes = _lobes(angle, (1, 2, 3, 7), 0.5, rng)
    shade = np.exp(-((r / (reach * np.maximum(lobes, 0.2))) ** 2))
    mottle = np.clip(1 + 0.4 * _rough(r.shape, FINE * max(1.0, size / 12), rng), 0, 2)
    amount = rng.uniform(0.6, 3.0) * (-1 if rng.random() < 0.65 else 1)
    sheet.stain += (amount * shade * mottle).astype(np.float32)


def _blast(size: float, sun: Sun, rng: Rng, least: float) -> Sheet:
    """Ground blown off in streaks from a middle, where little is left of what fell."""
    sheet = Sheet.blank(_side(size * 2.4), sun)
    angle, r = np.arctan2(sheet.y, sheet.x), np.hypot(sheet.x, sheet.y)
    reach = size / 2 * np.maximum(_lobes(angle, (1, 2, 3), 0.9, rng), 0.3)
    rays = tuple(int(wave) for wave in rng.integers(4, 40, 6))
    streaks = 1 + np.clip(2.5 * r / size, 0, 1) * (_lobes(angle, rays, 6.0, rng) - 1)
    mottle = 1 + 0.3 * _rough(r.shape, FINE * max(1.0, size / 15), rng)
    shade = np.exp(-((r / reach) ** rng.uniform(1.2, 3.0)))
    amount = _even_in_logarithm((min(least, 2.0), 7.0), rng) * (-1 if rng.random() < 0.8 else 1)
    sheet.stain += (amount * shade * np.clip(streaks * mottle, 0, 2)).astype(np.float32)
    sheet.changed[shade > BLOWN] = 1.0
    _strew(sheet, 0.5 * size, _even_in_logarithm(CONTRASTS, rng), rng)
    return sheet


def _strew(sheet: Sheet, size: float, contrast: float, rng: Rng) -> None:
    """Fragments around a body."""
    for _ in range(int(rng.integers(2, 9))):
        x, y = rng.normal(0, 0.6 * size + 1, 2)
        radius = rng.uniform(0.4, max(0.6, min(2.5, 0.15 * size)))
        inside = np.hypot(sheet.x - x, sheet.y - y) < radius
        sheet.cover(inside, contrast * rng.uniform(0.4, 1.1))


def _crater(size: float, sun: Sun, rng: Rng) -> Sheet:
    """A bowl: its wall toward the sun dark, the far one bright; a rim."""
    sheet = Sheet.blank(_side(size * 2.2), sun)
    dx, dy = sun.toward
    r = np.hypot(sheet.x, sheet.y) / (size / 2)
    facing = -(sheet.x * dx + sheet.y * dy) / (size / 2 * np.maximum(r, 0.05))
    bowl = facing * r * np.exp(-((r / 0.85) ** 4))
    rim = -0.5 * facing * np.exp(-(((r - 1.08) / 0.16) ** 2))
    fresh = _even_in_logarithm((0.8, 7.0), rng)
    sheet.stain += (fresh * (bowl + rim)).astype(np.float32)
    return sheet


def _boulders(size: float, sun: Sun, rng: Rng) -> Sheet:
    """Rocks, lit on one side, each with its shadow; alone or strewn."""
    reach = max(6.0, size)
    sheet = Sheet.blank(_side(reach * 2.0), sun)
    dx, dy = sun.toward
    for _ in range(int(rng.integers(1, 12))):
        x, y = rng.normal(0, reach / 3, 2)
        radius = rng.uniform(0.5, 2.8)
        u, v = sheet.x - np.float32(x), sheet.y - np.float32(y)
        inside = np.hypot(u, v * rng.uniform(0.8, 1.3)) < radius
        sheet.shadow(inside, radius * rng.uniform(0.8, 2.5), rng.uniform(1.0, 4.0))
        lit = np.clip((u * dx + v * dy) / radius, -1, 1)
        sheet.cover(
            inside, (rng.uniform(0.3, 2.5) + rng.uniform(0.5, 2.0) * lit).astype(np.float32)
        )
    return sheet


def _ripples(size: float, sun: Sun, rng: Rng) -> Sheet:
    """A field of ripples or a small dune, shaded by the sun."""
    sheet = Sheet.blank(_side(max(16.0, size) * 1.8), sun)
    turn, wave = rng.uniform(0, math.pi), rng.uniform(4, max(6.0, size / 2))
    bend = 0.25 * wave * _rough(sheet.x.shape, FINE * wave, rng)
    phase = (sheet.x * math.cos(turn) + sheet.y * math.sin(turn) + bend) * (2 * math.pi / wave)
    crest = np.sin(phase) + 0.35 * np.sin(2 * phase + 0.8)
    within = np.exp(-((np.hypot(sheet.x, sheet.y) / (0.62 * max(16.0, size))) ** 4))
    sheet.stain += (_even_in_logarithm((0.5, 4.0), rng) * crest * within).astype(np.float32)
    return sheet


def _streak(size: float, sun: Sun, rng: Rng) -> Sheet:
    """A dark or bright streak with a sharp head and a soft, fading tail."""
    length = max(12.0, size)
    sheet = Sheet.blank(_side(length * 1.7), sun)
    turn = rng.uniform(0, 2 * math.pi)
    u = (sheet.x * math.cos(turn) + sheet.y * math.sin(turn)) / length + 0.5
    v = (sheet.y * math.cos(turn) - sheet.x * math.sin(turn)) / length
    wide = rng.uniform(0.03, 0.15) * (0.3 + np.clip(u, 0, 1))
    shade = np.exp(-((v / wide) ** 2)) * np.clip(u / 0.08, 0, 1) * np.clip((1.1 - u) / 0.7, 0, 1)
    amount = _even_in_logarithm((0.5, 4.0), rng) * (-1 if rng.random() < 0.7 else 1)
    sheet.stain += (amount * shade).astype(np.float32)
    return sheet


def _patch(size: float, sun: Sun, rng: Rng) -> Sheet:
    """A spot of other albedo without an edge: dust, frost, ejecta."""
    sheet = Sheet.blank(_side(size * 2.4), sun)
    r = np.hypot(sheet.x, sheet.y * rng.uniform(0.6, 1.6)) / (size / 2)
    ragged = 1 + 0.35 * _rough(r.shape, FINE * max(1.0, size / 6), rng)
    shade = np.exp(-((r * ragged / 0.9) ** 2))
    amount = _even_in_logarithm((0.5, 4.0), rng) * (-1 if rng.random() < 0.6 else 1)
    sheet.stain += (amount * shade).astype(np.float32)
    return sheet


def sun_over(dn: Floats, rng: Rng) -> Sun:
    """Where the light of a window comes from, roughly.

    The axis of the light is the principal direction of the gradients; the side it comes from that
    on which brightness falls most steeply away from it, from a lit face into a shadow.
    """
    smooth = ndimage.gaussian_filter(dn, 1.0)
    down, right = np.gradient(smooth)
    gx, gy = right.ravel(), down.ravel()
    axis = 0.5 * math.atan2(2 * float((gx * gy).mean()), float((gx**2).mean() - (gy**2).mean()))
    dx, dy = math.cos(axis), math.sin(axis)
    away = gx * dx + gy * dy
    sign = -1.0 if float((away * away * away).mean()) < 0 else 1.0
    azimuth = math.degrees(math.atan2(sign * dx, -sign * dy)) + rng.normal(0, 12)
    return Sun(azimuth % 360, 36.0)


def _press(
    dn: Floats, sheet: Sheet, at: tuple[int, int], units: tuple[float, float], rng: Rng
) -> Floats:
    """Puts a sheet on the ground in place, as a camera would see it; the part covered, `[h, w]`."""
    scale, noise = units
    y, x = at
    side = len(sheet.x) // FINE
    under = dn[y : y + side, x : x + side]
    level = float(np.median(under))
    rough = MAD_TO_SIGMA * float(np.median(np.abs(under - level)))
    unit = np.float32(max(2 * noise, math.sqrt(max(rough, 1e-6) * scale), 0.05 * scale))
    spread = rng.uniform(0.5, 1.0)
    stain, alpha = (_seen(part, spread) for part in (sheet.stain, sheet.alpha))
    value = _seen(sheet.value * sheet.alpha, spread) / np.maximum(alpha, np.float32(1e-4))
    grain = rng.normal(0, noise, under.shape).astype(np.float32)
    put = np.float32(level) + unit * value + grain
    under[:] = (1 - alpha) * (under + unit * stain) + alpha * put
    return np.maximum(alpha, _seen(sheet.changed, spread)) if sheet.changed.any() else alpha


def _mark(target: Floats, weight: Floats, covered: Floats, at: tuple[int, int]) -> None:
    """Marks the blocks an object covers; together they weigh the root of their number."""
    y, x = at[0] // BLOCK, at[1] // BLOCK
    side = len(covered) // BLOCK
    share = covered.reshape(side, BLOCK, side, BLOCK).mean(axis=(1, 3))
    inside = share >= min(COVERED, 0.6 * float(share.max()))
    near = ndimage.binary_dilation(share > 0.02, iterations=DOUBTFUL)
    where = slice(y, y + side), slice(x, x + side)
    weight[where][near] = 0.0
    target[where][inside] = 1.0
    weight[where][inside] = 1.0 / math.sqrt(int(inside.sum()))


def _free(taken: Mask, side: int, rng: Rng) -> tuple[int, int] | None:
    """`(y, x)` for a sheet of `side` px, on whole blocks; None where there is no room."""
    height, width = taken.shape
    for _ in range(8):
        y = BLOCK * int(rng.integers(max(1, (height - side) // BLOCK + 1)))
        x = BLOCK * int(rng.integers(max(1, (width - side) // BLOCK + 1)))
        part = taken[y : y + side, x : x + side]
        if part.shape == (side, side) and not part.any():
            part[:] = True
            return y, x
    return None


def _spoil(dn: Floats, ends: tuple[float, float], noise: float, rng: Rng) -> None:
    """What happens to a picture on its way: clipping, compression, seams, grain; in place."""
    low, high = ends
    span = max(high - low, 1e-6)
    if rng.random() < 0.5:
        np.clip(dn, low - 0.2 * span, high + rng.uniform(0.0, 0.6) * span, out=dn)
    if rng.random() < GRAIN:
        dn += rng.normal(0, noise, dn.shape).astype(np.float32)
    if rng.random() < SEAM:
        edge = int(rng.integers(8, dn.shape[1] - 8))
        part = dn[:, edge:] if rng.random() < 0.5 else dn[edge:]
        part += np.float32(rng.normal(0, 0.04) * span)
    if rng.random() < JPEG:
        dn[:] = _compressed(dn, int(rng.integers(55, 95)))


def _compressed(dn: Floats, quality: int) -> Floats:
    """The DN after 8 bits and JPEG."""
    low, high = float(dn.min()), float(dn.max())
    step = max(high - low, 1e-6) / 255
    file = io.BytesIO()
    Image.fromarray(np.rint((dn - low) / step).astype(np.uint8)).save(file, "JPEG", quality=quality)
    with Image.open(file) as picture:
        return (np.asarray(picture, np.float32) * step + low).astype(np.float32)


def _side(pixels: float) -> int:
    """A sheet's side in px: whole blocks, with room for the blur."""
    return int(-(-(pixels + 8) // BLOCK) * BLOCK)


def _seen(layer: Floats, spread: float) -> Floats:
    """A layer through the point spread, at the picture's resolution."""
    soft = ndimage.gaussian_filter(layer, spread * FINE, truncate=3.0)
    side = len(layer) // FINE
    return np.asarray(soft.reshape(side, FINE, side, FINE).mean(axis=(1, 3)), np.float32)


def _lobes(angle: Floats, waves: tuple[int, ...], depth: float, rng: Rng) -> Floats:
    """A factor around 1 that varies with the angle."""
    bumps = (
        rng.uniform(0, depth) / n * np.cos(n * angle + rng.uniform(0, 2 * math.pi)) for n in waves
    )
    return np.asarray(1 + sum(bumps), np.float32)


def _rough(shape: tuple[int, ...], spread: float, rng: Rng) -> Floats:
    """Smooth noise of standard deviation 1."""
    step = max(1, int(spread))
    small = rng.standard_normal([-(-side // step) + 3 for side in shape]).astype(np.float32)
    fine = ndimage.zoom(small, step, order=1)[: shape[0], : shape[1]] if step > 1 else small
    fine = fine[: shape[0], : shape[1]]
    return np.asarray(fine / max(float(fine.std()), 1e-6), np.float32)


def _moved(mask: Mask, down: int, right: int) -> Mask:
    """A mask moved by whole positions; False comes in."""
    moved = np.zeros_like(mask)
    height, width = mask.shape
    if abs(down) < height and abs(right) < width:
        moved[max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)] = mask[
            max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)
        ]
    return moved


def _even_in_logarithm(ends: tuple[float, float], rng: Rng) -> float:
    return float(np.exp(rng.uniform(math.log(ends[0]), math.log(ends[1]))))
