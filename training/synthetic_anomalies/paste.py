"""Pastes drawn objects into windows of ground as a camera would see them, and degrades windows."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image
from scipy import ndimage

from training.networks import BLOCK
from training.simulation.terrain import Sun
from training.synthetic_anomalies.canvas import FINE, Floats, Mask, Rng, Sheet

OBJECTS = (0.15, 0.35, 0.3, 0.2)  # odds of none, one, two, three anomalies in a window
FADE_OUT = 0.3  # of half a sheet, along which what is drawn fades to its border
STAINED = 0.4  # units of roughness, from which on ground counts as stained
SHARPEST = 0.5  # px: standard deviation of the point spread, 1 at most
COVERED = 0.25  # of a block, from which on it counts as the object
JPEG = 0.25  # odds of a window compressed
SEAM = 0.1  # odds of a seam in a window
GRAIN = 0.2  # odds of a window with more noise
MAD_TO_SIGMA = 1.4826


def estimate_sun(dn: Floats, rng: Rng) -> Sun:
    """The direction that the light of a window comes from, roughly.

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


def paste(
    dn: Floats, sheet: Sheet, at: tuple[int, int], units: tuple[float, float], rng: Rng
) -> Floats:
    """Pastes a sheet into ground as cameras see it, in place; the covered part of pixels."""
    scale, noise = units
    y, x = at
    side = len(sheet.x) // FINE
    under = dn[y : y + side, x : x + side]
    level = float(np.median(under))
    rough = MAD_TO_SIGMA * float(np.median(np.abs(under - level)))
    unit = np.float32(max(2 * noise, math.sqrt(max(rough, 1e-6) * scale), 0.05 * scale))
    spread = rng.uniform(SHARPEST, 1.0)
    fading = _fade_out(len(sheet.x))
    solid = sheet.alpha * fading
    stain, alpha = _through_optics(sheet.stain * fading, spread), _through_optics(solid, spread)
    value = _through_optics(sheet.value * solid, spread) / np.maximum(alpha, np.float32(1e-4))
    grain = rng.normal(0, noise, under.shape).astype(np.float32)
    pasted = np.float32(level) + unit * value + grain
    under[:] = (1 - alpha) * (under + unit * stain) + alpha * pasted
    return (
        np.maximum(alpha, _through_optics(sheet.changed, spread)) if sheet.changed.any() else alpha
    )


def _fade_out(side: int) -> Floats:
    """1 in the middle of a sheet, 0 at its border, so that nothing ends there, `[h, w]`."""
    beyond = np.abs((np.arange(side, dtype=np.float32) + 0.5) * (2 / side) - 1)
    edge = np.clip((1 - beyond) / FADE_OUT, 0, 1)
    edge = edge * edge * (3 - 2 * edge)
    return np.asarray(edge[:, None] * edge[None, :], np.float32)


def free_spot(taken: Mask, side: int, rng: Rng) -> tuple[int, int] | None:
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


def degrade(dn: Floats, ends: tuple[float, float], noise: float, rng: Rng) -> None:
    """Clips, compresses, grains a window and lays seams in it, as happens to pictures; in place."""
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


def _through_optics(layer: Floats, spread: float) -> Floats:
    """A layer through the point spread, at the picture's resolution."""
    soft = ndimage.gaussian_filter(layer, spread * FINE, truncate=3.0)
    side = len(layer) // FINE
    return np.asarray(soft.reshape(side, FINE, side, FINE).mean(axis=(1, 3)), np.float32)
