"""A test scene of a whole HiRISE product's size: one JPEG 2000 tile of 10 bit, with hardware in it.

    python -m tests.benchmarks.speed.full_scene OUT [--scale 1 | 0.25 | 0.0625] [--seed 0]

25,516 x 45,788 px at scale 1; the scale is one of area. Lossless at about 3.8 bits a pixel as the
real 550 MB product, precincts of 256 px, DN 0 outside the turned swath without a tag,
georeferenced, each kind of hardware planted four times, `STEM.truth.json` beside it.

The ground is one synthetic square, mirrored from square to square, with noise of its own
everywhere: it is there to be decoded and scanned, not to be found beautiful. It is drawn strip by
strip; the encoder alone holds the whole picture, 9 bytes a pixel, for a JPEG 2000 of one tile is
written at once.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.shutil import copy as raster_copy
from rasterio.windows import Window

from dashboard.detector.tiling import Box
from training.simulation import camera, terrain
from training.simulation.hardware import ARTICLE
from training.simulation.planting import plant as plant_in
from training.simulation.site import Site
from training.simulation.terrain import Sun
from training.truth import KnownObject, Truth

WIDTH, HEIGHT = 25_516, 45_788  # px of ESP_028401_1755, the article's scene
BITS = 10
SQUARE = 2048  # px of ground drawn once
LEVEL, GAIN = 430.0, 75.0  # DN of level ground, and DN per unit of radiance
NOISE = 3.4  # DN; with the ground's own structure it makes 3.8 bits a pixel
TURN = 4.0  # degrees by which map projection has turned the swath
STRIP = 512  # rows drawn at a time, and the side of what hardware is planted in
TIMES = 4  # each kind of hardware

Floats = NDArray[np.float32]


def size(scale: float) -> tuple[int, int]:
    """Width and height in px at a part of the full area."""
    return round(WIDTH * math.sqrt(scale)), round(HEIGHT * math.sqrt(scale))


def square(seed: int) -> Floats:
    """Noiseless ground `[SQUARE, SQUARE]` in DN."""
    land = terrain.terrain(SQUARE, SQUARE, seed)
    radiance = camera.blur(terrain.shade(land, Sun()))
    radiance -= np.float32(np.median(radiance))
    return np.asarray(LEVEL + GAIN * np.tanh(radiance / 1.1), np.float32)


def mirrored(start: int, length: int) -> NDArray[np.int64]:
    """Where in the square the lines `start` to `start + length` of its mirrored mosaic lie."""
    place = np.arange(start, start + length) % (2 * SQUARE)
    return np.minimum(place, 2 * SQUARE - 1 - place)


def swath(top: int, rows: int, width: int, height: int) -> NDArray[np.bool_]:
    """True where rows of the picture show ground, `[rows, width]`."""
    y, x = np.arange(top, top + rows)[:, None], np.arange(width)[None]
    turn = math.tan(math.radians(TURN))
    rim = height * turn  # px by which the swath moves sideways from top to bottom
    left, ends = rim * (1 - y / height), width * turn * x / width
    inside = (x >= left) & (x < width - rim + left)
    return np.asarray(inside & (y >= width * turn - ends) & (y < height - ends))


def draw(raw: Path, width: int, height: int, seed: int) -> None:
    """Ground and border, strip by strip, into a tiled GeoTIFF."""
    base, rng = square(seed), np.random.default_rng(seed)
    cols = mirrored(0, width)
    layout: dict[str, Any] = {"width": width, "height": height, "count": 1, "dtype": "uint16"}
    blocks = {"tiled": True, "blockxsize": STRIP, "blockysize": STRIP, "bigtiff": "if_safer"}
    with rasterio.open(
        raw, "w", driver="GTiff", **layout, **blocks, **camera.landing_site()
    ) as out:
        for top in range(0, height, STRIP):
            rows = min(STRIP, height - top)
            dn = base[np.ix_(mirrored(top, rows), cols)]
            dn += NOISE * rng.standard_normal(dn.shape, np.float32)
            whole = np.clip(np.rint(dn), 1, 2**BITS - 1).astype(np.uint16)
            whole[~swath(top, rows, width, height)] = 0
            out.write(whole, 1, window=Window(0, top, width, rows))


def plant(raw: Path, seed: int) -> tuple[KnownObject, ...]:
    """Puts hardware into squares of whole ground, and says where it is."""
    found: list[KnownObject] = []
    rng = np.random.default_rng(seed)
    with rasterio.open(raw, "r+") as out:
        blocks = [window for _, window in out.block_windows(1) if window.width == window.height]
        for number in rng.permutation(len(blocks)):
            if len(found) == TIMES * len(ARTICLE):
                break
            window = blocks[number]
            dn = out.read(1, window=window)
            if not dn.all():
                continue
            kind = ARTICLE[len(found) % len(ARTICLE)]
            site = Site.of(dn.astype(np.float32), dn > 0, Sun())
            planted, (one,) = plant_in(site, seed + len(found), (kind,))
            whole = np.clip(np.rint(planted), 1, 2**BITS - 1).astype(np.uint16)
            out.write(whole, 1, window=window)
            x, y = int(window.col_off), int(window.row_off)
            box = Box(one.box[0] + x, one.box[1] + y, one.box[2] + x, one.box[3] + y)
            name = f"{kind} {len(found) // len(ARTICLE) + 1}"
            found.append(KnownObject(name, kind, box))
    return tuple(found)


def full_scene(out: Path, scale: float = 1.0, seed: int = 0) -> Path:
    """The path of a test scene at a part of the full area, made where it is not there yet."""
    width, height = size(scale)
    path = out / f"full-{width}x{height}-{seed}.jp2"
    if path.exists():
        return path
    out.mkdir(parents=True, exist_ok=True)
    raw, part = path.with_suffix(".raw.tif"), path.with_suffix(".part.jp2")
    draw(raw, width, height, seed)
    truth = Truth(path.name, plant(raw, seed))
    precincts = ",".join(["{256,256}"] * 6)
    lossless = {"QUALITY": 100, "REVERSIBLE": "YES", "RESOLUTIONS": 6, "PRECINCTS": precincts}
    one_tile = {"BLOCKXSIZE": width, "BLOCKYSIZE": height, "NBITS": BITS}
    with rasterio.Env(GDAL_NUM_THREADS="ALL_CPUS", GDAL_CACHEMAX=64 << 20):
        raster_copy(raw, part, driver="JP2OpenJPEG", **lossless, **one_tile, PROGRESSION="RPCL")
    raw.unlink()
    part.with_name(part.name + ".aux.xml").unlink(missing_ok=True)
    truth.write(path)
    return part.replace(path)


def main() -> None:
    """Prints the path and the bits a pixel."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--scale", type=float, default=1.0, help="of area (default 1)")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    path = full_scene(given.out, given.scale, given.seed)
    width, height = size(given.scale)
    print(f"{path}: {8 * path.stat().st_size / width / height:.2f} bits a pixel")


if __name__ == "__main__":
    main()
