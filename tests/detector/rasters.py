"""A factory of raster files for tests: every kind a user may bring, whole or broken."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
DRIVERS = {".png": "PNG", ".jpg": "JPEG", ".tif": "GTiff", ".jp2": "JP2OpenJPEG"}
MARS = "IAU_2015:49910"  # sphere of 3,396,190 m, equirectangular, central meridian 0


def ground(
    height: int = 300, width: int = 400, dtype: str = "uint8", seed: int = 0
) -> NDArray[Any]:
    """Smooth hills with noise `[height, width]`, DN about 60 to 200, never 0."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    hills = 40 * np.sin(x / 37 + seed) * np.cos(y / 53) + 20 * np.sin((x + y) / 11)
    return (130 + hills + rng.normal(0, 3, hills.shape)).astype(dtype)


def write(
    path: Path,
    pixels: NDArray[Any],
    *,
    crs: str | None = None,
    transform: Affine | None = None,
    colorinterp: tuple[ColorInterp, ...] | None = None,
    colormap: dict[int, tuple[int, int, int, int]] | None = None,
    **options: Any,
) -> Path:
    """Writes `[H, W]` or `[bands, H, W]` pixels in the format that the suffix names.

    JPEG 2000 is lossless and one tile, as HiRISE's is, unless the options say otherwise.
    """
    bands = pixels if pixels.ndim == 3 else pixels[None]
    count, height, width = bands.shape
    driver = DRIVERS[path.suffix]
    if driver == "JP2OpenJPEG":
        whole = {"blockxsize": max(width, 64), "blockysize": max(height, 64)}
        options = {"quality": 100, "reversible": "yes", **whole, **options}
    profile = {"width": width, "height": height, "count": count, "dtype": bands.dtype.name}
    if crs:
        profile["crs"] = CRS.from_user_input(crs)
    if transform:
        profile["transform"] = transform
    extra = {key: options.pop(key) for key in ("nodata",) if key in options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        # Only GeoTIFF can be written piece by piece: the others are copies of one.
        with MemoryFile() as memory:
            own = options if driver == "GTiff" else {}
            with memory.open(driver="GTiff", **profile, **extra, **own) as source:
                source.write(bands)
                if colorinterp:
                    source.colorinterp = colorinterp
                if colormap:
                    source.write_colormap(1, colormap)
            if driver == "GTiff":
                path.write_bytes(memory.getbuffer())
            else:
                with memory.open() as source:
                    rasterio.shutil.copy(source, path, driver=driver, **options)
    path.with_name(path.name + ".aux.xml").unlink(missing_ok=True)
    return path


def truncate(path: Path, part: float = 0.6) -> Path:
    """Cuts the file off after that part of its bytes."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    return path
