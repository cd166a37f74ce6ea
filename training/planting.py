"""Hardware planted on real or synthetic ground, with its truth: benchmark and demo scene."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.crs import CRS
from scipy import ndimage, stats

from dashboard.detector.errors import NoGround
from dashboard.detector.ingest import ingest
from dashboard.detector.tiling import Box
from training import ground, sensor
from training.ground import Sun
from training.hardware import ARTICLE, KINDS, Stamp
from training.truth import KnownObject, Truth

DEMO_NAME = "landing-site"
DEMO_SHAPE = (3072, 3072)  # rows, columns of the demo scene, in px
DEMO_BITS = 10
DEMO_LEVEL, DEMO_GAIN = 430.0, 75.0  # DN of level ground, and DN per unit of radiance
DEMO_NOISE = 0.4  # DN; with the gain, what keeps the lossless file under 3 MB
APART = 60  # px between the objects, at least
TRIES = 2_000
# Skewness of the brightness gradients along the light beyond which shadows tell its side:
# synthetic ground without rocks has up to 0.05, the real scenes 0.7 to 0.9.
SHADOWED = 0.2
MAD_TO_SIGMA = 1.4826  # of a normal distribution

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


def plant(
    dn: Floats,
    valid: Mask,
    seed: int,
    kinds: Sequence[str] = ARTICLE,
    sun: Sun | None = None,
) -> tuple[Floats, tuple[KnownObject, ...]]:
    """The ground with hardware on it, and where that is.

    Args:
        dn: ground, `[H, W]` DN.
        valid: True where there is ground, `[H, W]`.
        seed: decides shapes, places and brightness.
        kinds: what to plant, names of `KINDS`.
        sun: where the light comes from; estimated from the ground otherwise.

    Raises:
        NoGround: the objects do not fit.
    """
    rng = np.random.default_rng(seed)
    sun = sun or sun_of(dn, valid)
    planted = dn.astype(np.float32, copy=True)
    stamps = [(kind, KINDS[kind](rng, sun)) for kind in kinds]
    places = _places(valid, [stamp for _, stamp in stamps], rng)
    scale, noise = _scale(dn[valid]), sensor.noise_of(dn)
    objects, counts = [], dict.fromkeys(kinds, 0)
    for (kind, stamp), (x, y) in zip(stamps, places, strict=True):
        _press(planted, stamp, (x, y), scale, noise, rng)
        counts[kind] += 1
        name = kind if kinds.count(kind) == 1 else f"{kind} {counts[kind]}"
        left, top, right, bottom = stamp.box
        objects.append(KnownObject(name, kind, Box(x + left, y + top, x + right, y + bottom)))
    return planted, tuple(objects)


def plant_scene(picture: str | Path, seed: int, out: Path) -> list[Path]:
    """A picture with the article's six pieces planted in it, and its truth; their paths.

    Bit depth and map stay: PNG for 8 bits, JPEG 2000 for more. Nodata becomes DN 0 without a tag.
    """
    scene = ingest(picture)
    whole = scene.read(Box(0, 0, scene.width, scene.height))
    planted, objects = plant(whole.dn, whole.valid, seed)
    bits = min(max(scene.bits, 8), 16)
    digital = _whole_dn(planted, whole.valid, bits)
    stem = f"{Path(scene.name).stem}-planted-{seed}"
    if bits == 8:
        path = sensor.write_png(out / f"{stem}.png", digital.astype(np.uint8))
    else:
        place: dict[str, Any] = {}
        if scene.crs and scene.transform:
            crs, transform = CRS.from_wkt(scene.crs), Affine(*scene.transform)
            place = {"crs": crs, "transform": transform}
        path = sensor.write_jp2(out / f"{stem}.jp2", digital, bits, **place)
    return [path, Truth(path.name, objects).write(path)]


def demo_scene(out: Path, seed: int = 0, shape: tuple[int, int] = DEMO_SHAPE) -> list[Path]:
    """The demo scene and its truth: synthetic ground, six pieces, a turned border; their paths."""
    sun = Sun()
    land = ground.terrain(*shape, seed)
    radiance = sensor.blur(ground.shade(land, sun))
    radiance -= np.float32(np.median(radiance))
    # Reflectances bunch up in the highlights as in the shadows: bend both ends a little.
    dn = DEMO_LEVEL + DEMO_GAIN * np.tanh(radiance / 1.1)
    valid = turned_border(shape)
    planted, objects = plant(dn.astype(np.float32), valid, seed + 1, sun=sun)
    rng = np.random.default_rng(seed + 2)
    planted += rng.normal(0, DEMO_NOISE, shape).astype(np.float32)
    digital = _whole_dn(planted, valid, DEMO_BITS)
    place = sensor.landing_site()
    path = sensor.write_jp2(out / f"{DEMO_NAME}.jp2", digital, DEMO_BITS, **place)
    return [path, Truth(path.name, objects).write(path)]


def turned_border(shape: tuple[int, int], degrees: float = 4.5) -> Mask:
    """True inside the swath `[H, W]`, which map projection has turned a little."""
    height, width = shape
    y, x = np.indices(shape, sparse=True)
    turn = math.radians(degrees)
    u = (x - width / 2) * math.cos(turn) + (y - height / 2) * math.sin(turn)
    v = (y - height / 2) * math.cos(turn) - (x - width / 2) * math.sin(turn)
    half_width = (width - height * math.tan(turn)) / 2 * math.cos(turn) - 4
    half_height = (height - width * math.tan(turn)) / 2 * math.cos(turn) + height * 0.03
    return np.asarray((np.abs(u) < half_width) & (np.abs(v) < half_height))


def sun_of(dn: Floats, valid: Mask) -> Sun:
    """Where the light of a scene comes from, estimated from its shading.

    Slopes vary the brightness most along the light, so its axis is the principal direction of the
    gradients. On the way from the sun brightness falls steeply from a rock's lit face into its
    shadow, and rises gently elsewhere: the gradients' skewness is negative. Without shadows shading
    is symmetric, and the sun is taken to stand in the west, where HiRISE, which flies in the
    afternoon, finds it.
    """
    smooth = ndimage.gaussian_filter(dn, 1.0)
    down, right = np.gradient(smooth)
    inner = ndimage.binary_erosion(valid, iterations=4)
    gx, gy = right[inner].astype(np.float64), down[inner].astype(np.float64)
    if gx.size < 16 or not (gx.any() or gy.any()):
        return Sun()
    spread = np.cov(np.stack([gx, gy]))
    _, axes = np.linalg.eigh(spread)
    dx, dy = axes[:, -1]
    away = gx * dx + gy * dy
    skewness = float(stats.skew(away))
    if abs(skewness) < SHADOWED:
        toward = (dx, dy) if dx < 0 else (-dx, -dy)
    else:
        toward = (-dx, -dy) if skewness < 0 else (dx, dy)
    return Sun(azimuth=math.degrees(math.atan2(toward[0], -toward[1])) % 360)


def _scale(values: Floats) -> float:
    """Robust standard deviation in DN."""
    sample = values[:: max(1, values.size // 1_000_000)]
    return float(MAD_TO_SIGMA * np.median(np.abs(sample - np.median(sample)))) or 1.0


def _places(
    valid: Mask, stamps: Sequence[Stamp], rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Upper left corners `(x, y)` for the stamps: on ground, apart from each other."""
    height, width = valid.shape
    ground_sum = np.pad(np.cumsum(np.cumsum(~valid, 0, dtype=np.int64), 1), ((1, 0), (1, 0)))
    taken: list[Box] = []
    for stamp in stamps:
        tall, wide = stamp.alpha.shape
        for _ in range(TRIES):
            x, y = int(rng.integers(max(1, width - wide))), int(rng.integers(max(1, height - tall)))
            box = Box(x, y, x + wide, y + tall)
            near = box.grow(APART)
            if box.x_max > width or box.y_max > height or any(near.overlaps(b) for b in taken):
                continue
            corners = ground_sum[[y, y, box.y_max, box.y_max], [x, box.x_max, x, box.x_max]]
            if corners[0] - corners[1] - corners[2] + corners[3] == 0:
                taken.append(box)
                break
        else:
            raise NoGround(
                f"no room on {width} x {height} px for {len(stamps)} objects; "
                "give a larger picture or one with less nodata"
            )
    return [(box.x_min, box.y_min) for box in taken]


def _press(
    dn: Floats,
    stamp: Stamp,
    at: tuple[int, int],
    scale: float,
    noise: float,
    rng: np.random.Generator,
) -> None:
    """Puts a stamp on the ground in place, blurred and noisy as the ground is."""
    (x, y), (tall, wide) = at, stamp.alpha.shape
    under = dn[y : y + tall, x : x + wide]
    level = float(np.median(under))
    stain, alpha = sensor.blur(stamp.stain), sensor.blur(stamp.alpha)
    value = sensor.blur(stamp.value * stamp.alpha) / np.maximum(alpha, 1e-6)
    grain = rng.normal(0, noise, under.shape).astype(np.float32)
    thing = level + scale * value + grain
    under[:] = (1 - alpha) * (under + scale * stain) + alpha * thing


def _whole_dn(dn: Floats, valid: Mask, bits: int) -> NDArray[np.uint16]:
    """Whole DN of so many bits, never 0 on ground, 0 elsewhere."""
    whole = np.clip(np.rint(dn), 1, 2**bits - 1).astype(np.uint16)
    whole[~valid] = 0
    return whole
