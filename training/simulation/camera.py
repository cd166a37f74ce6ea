"""A HiRISE-like camera: blur and noise of radiance, and files as its archive has them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile
from rasterio.shutil import copy as raster_copy
from scipy import ndimage

BLUR = 0.75  # px, standard deviation of the point spread: about HiRISE's 0.2 at Nyquist
# A 3 x 3 Laplacian of white noise has 6 times its standard deviation (Immerkaer 1996).
LAPLACIAN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)

Floats = NDArray[np.float32]


def blur(radiance: Floats) -> Floats:
    """The radiance `[H, W]` through the point spread."""
    return np.asarray(ndimage.gaussian_filter(radiance, BLUR), np.float32)


def noise_of(dn: Floats) -> float:
    """Standard deviation in DN of the noise in ground `[H, W]`, from its calmest quarter."""
    response = np.abs(ndimage.convolve(dn, LAPLACIAN))
    local = ndimage.uniform_filter(response, 16)
    return float(np.percentile(local, 25) * np.sqrt(np.pi / 2) / 6)


def write_jp2(path: Path, dn: NDArray[np.uint16], bits: int, **place: Any) -> Path:
    """Lossless JPEG 2000 of one tile, as HiRISE products are; no nodata tag, as theirs.

    `place` may hold `crs` (anything rasterio takes) and `transform`.
    """
    options = {"blockxsize": dn.shape[1], "blockysize": dn.shape[0], "NBITS": bits}
    lossless = {"QUALITY": 100, "REVERSIBLE": "YES", "RESOLUTIONS": 6}
    return _copy(path, dn, "JP2OpenJPEG", place, options | lossless)


def write_png(path: Path, dn: NDArray[np.uint8]) -> Path:
    """A PNG."""
    return _copy(path, dn, "PNG", {}, {})


def _copy(
    path: Path, dn: NDArray[Any], driver: str, place: dict[str, Any], options: dict[str, Any]
) -> Path:
    height, width = dn.shape
    layout = {"width": width, "height": height, "count": 1, "dtype": dn.dtype.name}
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(), MemoryFile() as memory:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with memory.open(driver="GTiff", **layout, **place) as out:
            out.write(dn, 1)
        with memory.open() as source:
            raster_copy(source, path, driver=driver, **options)
    path.with_name(path.name + ".aux.xml").unlink(missing_ok=True)
    return path


def landing_site() -> dict[str, Any]:
    """Where the demo scene lies: an IAU equirectangular CRS of Mars, 0.25 m a pixel."""
    crs = CRS.from_user_input("IAU_2015:49910")
    return {"crs": crs, "transform": Affine(0.25, 0.0, 8_145_600.0, 0.0, -0.25, -272_100.0)}
