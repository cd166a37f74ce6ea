"""The files of `../shared/cases`, made by their own generators in a folder of one's own.

Some generators want packages that the project does not have: stand-ins write what they would.
"""

from __future__ import annotations

import contextlib
import io
import runpy
import shutil
import sys
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pyogrio
from PIL import Image, TiffImagePlugin
from rasterio.crs import CRS

from tests.detector import rasters

CASES = rasters.DATA.parent / "cases"
COMPRESSION = 259  # TIFF tag
FOREIGN = {"jpegxl": 50002, "jpeg2000": 34712}  # codecs that GDAL does not have here


def make(folder: Path) -> Path:
    """All cases in a folder, each with its files."""
    shutil.copytree(CASES, folder, dirs_exist_ok=True)
    stand_ins = {
        "tifffile": _module("tifffile", imwrite=_imwrite),
        "imagecodecs": _module("imagecodecs", jpeg2k_encode=_not_here),
        "shapely": _module("shapely", Polygon=np.array),
        "geopandas": _module("geopandas", GeoDataFrame=_Frame),
    }
    searched = list(sys.path)
    with mock.patch.dict(sys.modules, stand_ins), warnings.catch_warnings(action="ignore"):
        for case in sorted(folder.glob("[0-9]*")):
            with contextlib.redirect_stdout(io.StringIO()):
                runpy.run_path(str(case / "make.py"))
    sys.path[:] = searched
    return folder


def _module(name: str, **members: Any) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(members)
    return module


def _not_here(*_: Any, **__: Any) -> bytes:
    raise NotImplementedError("not among the project's packages")


def _imwrite(path: Path, pixels: np.ndarray, compression: str | None = None, **how: Any) -> None:
    """A TIFF of one or more pages, with tags and a compression by number alone."""
    if compression and compression not in FOREIGN:
        _not_here()
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for number, _, _, value, _ in how.get("extratags", ()):
        tags[number] = value
    kept = pixels.astype(np.float32) if pixels.dtype == np.float16 else pixels
    first, *others = (Image.fromarray(page) for page in (kept if kept.ndim == 3 else kept[None]))
    first.save(path, tiffinfo=tags, save_all=True, append_images=others)
    if compression:
        content = path.read_bytes()
        entry = COMPRESSION.to_bytes(2, "little") + b"\3\0\1\0\0\0"
        assert content.count(entry + b"\1\0") == 1
        code = FOREIGN[compression].to_bytes(2, "little")
        path.write_bytes(content.replace(entry + b"\1\0", entry + code))


class _Frame(SimpleNamespace):
    """One polygon, as a frame of geopandas writes it through GDAL."""

    def to_file(self, path: Path, driver: str) -> None:
        (ring,) = self.geometry
        head = b"\1" + np.array([3, 1, len(ring)], "<u4").tobytes()
        wkb = np.array([head + ring.astype("<f8").tobytes()], object)
        crs = CRS.from_user_input(self.crs).to_wkt(version="WKT2_2019")
        pyogrio.raw.write(path, wkb, [], [], geometry_type="Polygon", crs=crs, driver=driver)
