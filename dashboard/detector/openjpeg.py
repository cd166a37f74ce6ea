"""Strips of a JPEG 2000 of one tile, decoded by OpenJPEG itself where the system has it.

GDAL shows such a picture, which every HiRISE product is, in blocks of 1,024 px and reads the whole
file again for each. OpenJPEG decodes a strip from border to border at once, and so reads it once a
strip: a quarter of the time at full size (`tests/benchmarks/speed.md`).
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import glymur
import numpy as np
from numpy.typing import NDArray

from dashboard.detector.formats import quietly
from dashboard.detector.tiling import Box

OLDEST = (2, 5)  # of OpenJPEG: older ones take a file that was cut off for a whole one

# What it warns of while it decodes is no fault of the picture, or becomes an error.
warnings.filterwarnings("ignore", category=UserWarning, module="glymur")


class OpenJpeg:
    """A JPEG 2000 open for decoding. Boxes may be asked for in any order, by one thread."""

    def __init__(self, path: Path) -> None:
        """Reads the header.

        Raises:
            OSError, RuntimeError: the file is damaged.
        """
        glymur.set_option("lib.num_threads", os.cpu_count() or 1)
        with quietly(UserWarning):
            self._file = glymur.Jp2k(path)
        high, wide, *bands = self._file.shape
        self.shape: tuple[int, ...] = (*(bands or [1]), high, wide)  # bands, height, width
        self.dtype: str = self._file.dtype.__name__

    def read(self, box: Box) -> NDArray[Any]:
        """The pixels `[bands, H, W]` in a box that lies in the picture.

        Raises:
            OSError, RuntimeError: the file is damaged or cut off.
        """
        found = np.asarray(self._file[box.y_min : box.y_max, box.x_min : box.x_max])
        return found[None] if found.ndim == 2 else found.transpose(2, 0, 1)


def available() -> bool:
    """True where the system has an OpenJPEG that can be used."""
    release: tuple[int, ...] = glymur.version.openjpeg_version_tuple
    return release[:2] >= OLDEST
