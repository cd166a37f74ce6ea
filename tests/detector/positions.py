"""Where the places of a scan lie by each of its products."""

from __future__ import annotations

import io
import sqlite3
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio

from dashboard.detector import PRODUCTS, Detection, Finished


def product_of(done: Finished, name: str) -> bytes:
    (product,) = (one for one in PRODUCTS if one.name == name)
    return product.make(done)


def points_of(done: Finished) -> Iterator[tuple[float, float, int]]:
    """The points of a GeoPackage, and the number of the CRS they are in."""
    base = sqlite3.connect(":memory:")
    base.deserialize(product_of(done, "detections.gpkg"))
    for (blob,) in base.execute("SELECT geom FROM detections ORDER BY fid").fetchall():
        x, y = struct.unpack("<2d", blob[13:])
        yield x, y, struct.unpack("<i", blob[4:8])[0]
    base.close()


def in_scores(folder: Path) -> tuple[float, float]:
    """Where the strongest score lies in the map's coordinates: the middle of its pixel."""
    with rasterio.open(folder / "scores.tif") as scores:
        values = scores.read(1)
        row, col = np.unravel_index(np.nanargmax(values), values.shape)
        x, y = scores.xy(row, col)
        return float(x), float(y)


def in_tiles(done: Finished, found: Detection) -> tuple[float, float]:
    """Where a place lies by the world file of its tile."""
    with zipfile.ZipFile(io.BytesIO(product_of(done, "tiles.zip"))) as archive:
        names = [name for name in archive.namelist() if name.endswith(".pgw")]
        name = next(one for one in names if one.startswith("00001"))
        a, d, b, e, x, y = map(float, archive.read(name).split())
        left, top = (int(part[1:]) for part in name.split("_")[1:3])
    right, down = found.x - left - 0.5, found.y - top - 0.5
    return a * right + b * down + x, d * right + e * down + y
