"""Things put on windows of ground as a camera would see them, and what of a window counts."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from dashboard.detector.tiling import Box
from training.networks import BLOCK
from training.simulation.camera import noise_of
from training.simulation.terrain import Sun
from training.synthetic_anomalies.canvas import FINE, Floats, Mask, Rng, Sheet, even_in_logarithm
from training.synthetic_anomalies.distractors import lookalike
from training.synthetic_anomalies.things import CONTRASTS, thing

SIZES = (1.5, 60.0)  # px across, drawn evenly in the logarithm
OBJECTS = (0.15, 0.35, 0.3, 0.2)  # odds of none, one, two, three in a window
LOOKALIKES = (0.5, 0.2, 0.2, 0.1)  # the same of natural things that must not count
FADING = 0.3  # of half a sheet, along which what is drawn fades to its border
STAINED = 0.4  # units of roughness, from which on ground counts as stained
SHARPEST = 0.5  # px: standard deviation of the point spread, 1 at most
COVERED = 0.25  # of a block, from which on it counts as the object
DOUBTFUL = 3  # blocks around an object that are not judged
JPEG, SEAM, GRAIN = 0.25, 0.1, 0.2  # odds of artefacts in a window
MAD_TO_SIGMA = 1.4826


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
            size = even_in_logarithm(SIZES, rng)
            sheet = draw(size, sun, rng)
            at = free(taken, len(sheet.x) // FINE, rng)
            if at is None:
                continue
            covered = press(dn, sheet, at, (scale, noise), rng)
            if counts:
                mark(target, weight, covered, _stained(sheet), at)
    spoil(dn, ends, noise, rng)
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
        sheet = thing(even_in_logarithm(SIZES, rng), sun, rng, least)
        at = free(taken, len(sheet.x) // FINE, rng)
        if at is None:
            continue
        covered = press(dn, sheet, at, (scale, noise), rng)
        inside = covered >= min(COVERED, 0.6 * float(covered.max()))
        y, x = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
        box = Box(int(x[0]), int(y[0]), int(x[-1]) + 1, int(y[-1]) + 1)
        boxes.append(box.moved(at[1], at[0]))
    return boxes


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


def press(
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
    spread = rng.uniform(SHARPEST, 1.0)
    fading = _fading(len(sheet.x))
    solid = sheet.alpha * fading
    stain, alpha = _seen(sheet.stain * fading, spread), _seen(solid, spread)
    value = _seen(sheet.value * solid, spread) / np.maximum(alpha, np.float32(1e-4))
    grain = rng.normal(0, noise, under.shape).astype(np.float32)
    put = np.float32(level) + unit * value + grain
    under[:] = (1 - alpha) * (under + unit * stain) + alpha * put
    return np.maximum(alpha, _seen(sheet.changed, spread)) if sheet.changed.any() else alpha


def _fading(side: int) -> Floats:
    """1 in the middle of a sheet, 0 at its border, so that nothing ends there, `[h, w]`."""
    beyond = np.abs((np.arange(side, dtype=np.float32) + 0.5) * (2 / side) - 1)
    edge = np.clip((1 - beyond) / FADING, 0, 1)
    edge = edge * edge * (3 - 2 * edge)
    return np.asarray(edge[:, None] * edge[None, :], np.float32)


def _stained(sheet: Sheet) -> Floats:
    """How much of a pixel has another albedo, `[h, w]`."""
    return _seen((np.abs(sheet.stain) > STAINED).astype(np.float32), SHARPEST)


def mark(
    target: Floats, weight: Floats, covered: Floats, stained: Floats, at: tuple[int, int]
) -> None:
    """Marks the blocks an object covers; together they weigh the root of their number.

    Ground that it only stained is neither object nor ground. `covered` and `stained` are parts of
    pixels, `[h, w]`, whole blocks; what they say is changed in place in `target` and `weight`.
    """
    y, x = at[0] // BLOCK, at[1] // BLOCK
    side = len(covered) // BLOCK
    share = covered.reshape(side, BLOCK, side, BLOCK).mean(axis=(1, 3))
    inside = share >= min(COVERED, 0.6 * float(share.max()))
    near = ndimage.binary_dilation(share > 0.02, iterations=DOUBTFUL)
    near |= stained.reshape(side, BLOCK, side, BLOCK).mean(axis=(1, 3)) > 0.5
    where = slice(y, y + side), slice(x, x + side)
    weight[where][near] = 0.0
    target[where][inside] = 1.0
    weight[where][inside] = 1.0 / math.sqrt(int(inside.sum()))


def free(taken: Mask, side: int, rng: Rng) -> tuple[int, int] | None:
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


def spoil(dn: Floats, ends: tuple[float, float], noise: float, rng: Rng) -> None:
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


def _seen(layer: Floats, spread: float) -> Floats:
    """A layer through the point spread, at the picture's resolution."""
    soft = ndimage.gaussian_filter(layer, spread * FINE, truncate=3.0)
    side = len(layer) // FINE
    return np.asarray(soft.reshape(side, FINE, side, FINE).mean(axis=(1, 3)), np.float32)
