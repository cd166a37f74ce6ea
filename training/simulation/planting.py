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

from dashboard.detector.scenes.ingest import ingest
from dashboard.detector.scenes.scene import Scene
from dashboard.detector.tiling import Box
from training.simulation import camera as sensor
from training.simulation import terrain
from training.simulation.hardware import ARTICLE, KINDS, Stamp
from training.simulation.site import Site
from training.simulation.terrain import Sun
from training.truth import KnownObject, Truth

DEMO_NAME = "landing-site"
DEMO_SHAPE = (3072, 3072)  # rows, columns of the demo scene, in px
DEMO_BITS = 10
DEMO_LEVEL = 430.0  # DN of level ground
DEMO_GAIN = 75.0  # DN per unit of radiance
DEMO_NOISE = 0.4  # DN; with the gain, what keeps the lossless file under 3 MB
SHADOW = 0.85  # of the light is lost in a cast shadow; the sky gives the rest
# How a series is varied, between these factors: whole to half-buried, fresh to dusty.
SIZES, CONTRASTS = (0.6, 1.4), (0.4, 1.2)

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Rng = np.random.Generator


def plant(
    site: Site, seed: int, kinds: Sequence[str] = ARTICLE, vary: bool = False
) -> tuple[Floats, tuple[KnownObject, ...]]:
    """The ground of a site with hardware on it, `[H, W]` DN, and where that is.

    Args:
        site: the ground, its light and its camera.
        seed: decides shapes, places and brightness.
        kinds: what to plant, names of `KINDS`.
        vary: draw a size and a contrast for each object; the real thing's otherwise.

    Raises:
        NoGround: the objects do not fit.
    """
    rng = np.random.default_rng(seed)
    factors = [varied(rng) if vary else (1.0, 1.0) for _ in kinds]
    stamps = [
        KINDS[kind](rng, site.sun, size) for kind, (size, _) in zip(kinds, factors, strict=True)
    ]
    places = site.places(stamps, rng)
    planted = site.dn.astype(np.float32, copy=True)
    objects = []
    for number, kind in enumerate(kinds):
        stamp, (x, y), (size, contrast) = stamps[number], places[number], factors[number]
        press(planted, site, stamp, (x, y), contrast, rng)
        turn = kinds[: number + 1].count(kind)
        name = kind if kinds.count(kind) == 1 else f"{kind} {turn}"
        left, top, right, bottom = stamp.box
        box = Box(x + left, y + top, x + right, y + bottom)
        objects.append(KnownObject(name, kind, box, size, contrast))
    return planted, tuple(objects)


def plant_scene(picture: str | Path, seed: int, out: Path) -> list[Path]:
    """A picture with the article's six pieces planted in it, and its truth; their paths.

    Bit depth and map stay: PNG for 8 bits, JPEG 2000 for more. Nodata becomes DN 0 without a tag.
    """
    scene = ingest(picture)
    whole = scene.read(Box(0, 0, scene.width, scene.height))
    site = Site.of(whole.dn, whole.valid)
    planted, objects = plant(site, seed)
    path = write_planted(scene, site, planted, out / f"{Path(scene.name).stem}-planted-{seed}")
    return [path, Truth(path.name, objects).write(path)]


def write_planted(scene: Scene, site: Site, planted: Floats, stem: Path) -> Path:
    """The path of a picture of planted ground, as deep as its scene and on its map."""
    bits = min(max(scene.bits, 8), 16)
    digital = _whole_dn(planted, site.valid, bits)
    if bits == 8:
        return sensor.write_png(stem.with_name(f"{stem.name}.png"), digital.astype(np.uint8))
    place: dict[str, Any] = {}
    if scene.crs and scene.transform:
        place = {"crs": CRS.from_wkt(scene.crs), "transform": Affine(*scene.transform)}
    return sensor.write_jp2(stem.with_name(f"{stem.name}.jp2"), digital, bits, **place)


def synthetic(shape: tuple[int, int], seed: int, valid: Mask | None = None) -> Site:
    """Synthetic ground to plant in, `[H, W]`; all of it valid unless told otherwise."""
    sun = Sun()
    radiance = sensor.blur(terrain.shade(terrain.terrain(*shape, seed), sun))
    radiance -= np.float32(np.median(radiance))
    # Reflectances bunch up in the highlights as in the shadows: bend both ends a little.
    dn = DEMO_LEVEL + DEMO_GAIN * np.tanh(radiance / 1.1)
    return Site.of(dn.astype(np.float32), np.ones(shape, bool) if valid is None else valid, sun)


def write_synthetic(site: Site, planted: Floats, seed: int, path: Path) -> Path:
    """The path of planted synthetic ground as the camera gives it: JPEG 2000, on the map."""
    noise = np.random.default_rng(seed).normal(0, DEMO_NOISE, planted.shape)
    digital = _whole_dn(planted + noise.astype(np.float32), site.valid, DEMO_BITS)
    return sensor.write_jp2(path, digital, DEMO_BITS, **sensor.landing_site())


def demo_scene(out: Path, seed: int = 0, shape: tuple[int, int] = DEMO_SHAPE) -> list[Path]:
    """The demo scene and its truth: synthetic ground, six pieces, a turned border; their paths."""
    site = synthetic(shape, seed, turned_border(shape))
    planted, objects = plant(site, seed + 1)
    path = write_synthetic(site, planted, seed + 2, out / f"{DEMO_NAME}.jp2")
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


def varied(rng: Rng) -> tuple[float, float]:
    """Size and contrast of one object in a series, as often below 1 as their ends allow."""
    size, contrast = (math.exp(rng.uniform(*np.log(ends))) for ends in (SIZES, CONTRASTS))
    return size, contrast


def press(
    dn: Floats, site: Site, stamp: Stamp, at: tuple[int, int], contrast: float, rng: Rng
) -> None:
    """Puts a stamp on the ground in place, lit, blurred and noisy as the ground is."""
    (x, y), (tall, wide) = at, stamp.alpha.shape
    under = dn[y : y + tall, x : x + wide]
    level = 0.5 * (site.level + float(np.median(under)))
    stain, shade, alpha = (sensor.blur(part) for part in (stamp.stain, stamp.shade, stamp.alpha))
    value = sensor.blur(stamp.value * stamp.alpha) / np.maximum(alpha, 1e-6)
    lit = (under - site.dark) * (1 + contrast * stain) * (1 - SHADOW * shade)
    thing = (level - site.dark) * (1 + contrast * (value - 1))
    thing += rng.normal(0, site.noise, under.shape).astype(np.float32)
    under[:] = site.dark + (1 - alpha) * lit + alpha * thing


def _whole_dn(dn: Floats, valid: Mask, bits: int) -> NDArray[np.uint16]:
    """Whole DN of so many bits, never 0 on ground, 0 elsewhere."""
    whole = np.clip(np.rint(dn), 1, 2**bits - 1).astype(np.uint16)
    whole[~valid] = 0
    return whole
