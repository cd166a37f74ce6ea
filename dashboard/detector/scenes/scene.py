"""An ingested scene: what it is, and its pixels by boxes."""

from __future__ import annotations

import json
import math
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.windows import Window

from dashboard.detector.errors import DamagedScene
from dashboard.detector.georeference import geography
from dashboard.detector.georeference.geography import Affine6
from dashboard.detector.system.cache import used
from dashboard.detector.system.gdal_errors import GDAL_ERRORS
from dashboard.detector.system.locks import Pin
from dashboard.detector.tiling import Box

TAG = "NEEDLE_SCENE"
# Band 2 of the ingested file. Overviews average both bands, so that half of a 255 is the border.
GROUND, HOLE, NODATA = 0, 1, 255
HANDLES = 32  # open files a thread keeps; a folder of thousands of chips must not exhaust them


@dataclass(frozen=True)
class Patch:
    """A piece of a scene: `dn` `[H, W]` float32, `valid` and `hole` `[H, W]` bool.

    `valid` is False at nodata, whose DN reads as the scene's centre. `hole` is True where a small
    gap was filled from its neighbours: such a pixel is valid but was never observed.
    """

    dn: NDArray[np.float32]
    valid: NDArray[np.bool_]
    hole: NDArray[np.bool_]

    def part(self, box: Box) -> Patch:
        """The part of the patch in a box, whose origin is the patch's corner."""
        where = slice(box.y_min, box.y_max), slice(box.x_min, box.x_max)
        return Patch(self.dn[where], self.valid[where], self.hole[where])


@dataclass(frozen=True)
class Scene:
    """One picture, ingested: its facts, and its pixels on demand.

    Scenes may be read from several threads and processes at a time, and can be pickled.
    """

    path: Path  # the ingested, tiled GeoTIFF
    name: str  # as the user knows the file
    sha256: str  # of the source file
    driver: str
    width: int  # px
    height: int  # px
    bands: int
    dtype: str  # of the source
    bits: int  # significant bits of a DN
    crs: str | None  # WKT
    transform: Affine6 | None  # pixels to map units: a, b, c, d, e, f of an affine matrix
    nodata: float | None  # DN: declared, or found; None where none is, or no DN says it (a mask)
    centre: float  # DN: median of the observed ground
    scale: float  # DN: 1.4826 MAD of the observed ground
    stretch: tuple[float, float]  # DN: its 0.5 and 99.5 percentiles
    valid_fraction: float
    notes: tuple[str, ...]  # sentences on what was read otherwise than the file says, or left out

    @classmethod
    def open(cls, path: str | Path, name: str | None = None) -> Scene:
        """The scene of an ingested file, under its own or another name.

        Raises:
            DamagedScene: the file is absent, or was not written by `ingest`.
        """
        path = Path(path)
        try:
            with rasterio.open(path, driver="GTiff") as source:
                facts = json.loads(source.tags()[TAG])
            known = {field.name for field in fields(cls)} - {"path"}
            facts = {key: facts[key] for key in known}
        except (*GDAL_ERRORS, KeyError, ValueError, TypeError) as error:
            raise DamagedScene(
                f"{name or path.name}: no ingested copy can be read; ingest the picture again"
            ) from error
        for key in ("transform", "stretch", "notes"):
            facts[key] = None if facts[key] is None else tuple(facts[key])
        used(path)
        scene = cls(path=path, **facts)
        return replace(scene, name=name) if name else scene

    def pin(self) -> Pin:
        """Keeps the ingested file in the cache until the pin is released."""
        return Pin(self.path)

    def facts(self) -> dict[str, Any]:
        """Everything but the path, ready for JSON."""
        return {key: value for key, value in asdict(self).items() if key != "path"}

    @property
    def pixel_size(self) -> float | None:
        """Metres a pixel; None where the scene is not georeferenced."""
        if self.crs is None or self.transform is None:
            return None
        return geography.pixel_size(self.crs, self.transform)

    @property
    def crs_name(self) -> str | None:
        """The CRS's short name; None without a CRS."""
        return None if self.crs is None else geography.short_name(self.crs)

    @property
    def affine(self) -> Affine:
        """Pixels to map units; where the picture lies nowhere, to a plane whose rows go down.

        In that plane GIS programs show a picture without georeference.
        """
        return Affine(*(self.transform or (1.0, 0.0, 0.0, 0.0, -1.0, 0.0)))

    def lonlat(self, x: float, y: float) -> tuple[float, float] | None:
        """Areocentric longitude (east-positive, 0 to 360) and latitude of a point, in degrees.

        Args:
            x: pixels from the scene's left border; the first pixel's middle is 0.5.
            y: pixels from its upper border.

        Returns:
            None where the scene is not georeferenced.
        """
        return self.lonlats([x], [y])[0]

    def lonlats(self, xs: Sequence[float], ys: Sequence[float]) -> list[tuple[float, float] | None]:
        """The same of many points at once, which is a hundred times faster."""
        if self.crs is None or self.transform is None:
            return [None] * len(xs)
        a, b, c, d, e, f = self.transform
        points = list(zip(xs, ys, strict=True))
        easts = [a * x + b * y + c for x, y in points]
        norths = [d * x + e * y + f for x, y in points]
        return geography.lonlats(self.crs, easts, norths)

    def pixels(
        self, lons: Sequence[float], lats: Sequence[float]
    ) -> list[tuple[float, float] | None]:
        """Where points of areocentric longitude and latitude lie, `(x, y)` in px: `lonlats` undone.

        Returns:
            None where the scene is not georeferenced, or the point has no place in its CRS.
        """
        if self.crs is None or self.transform is None:
            return [None] * len(lons)
        affine = Affine(*self.transform)
        middle, _ = affine @ (self.width / 2, self.height / 2)
        turn = 360.0 if CRS.from_wkt(self.crs).is_geographic else None
        found: list[tuple[float, float] | None] = []
        for point in geography.from_lonlats(self.crs, lons, lats):
            if point is None:
                found.append(None)
                continue
            x, y = point
            if turn:  # longitudes of 0 to 360 and of -180 to 180 mean the same
                x += turn * round((middle - x) / turn)
            found.append(~affine @ (x, y))
        return found

    def read(self, box: Box) -> Patch:
        """The pixels in `box`, which must lie within the scene.

        Raises:
            ValueError: it is empty or does not.
            DamagedScene: the ingested file has been damaged or removed.
        """
        return self._patch(window=self._window(box))

    def shrunk(self, box: Box, shrink: int) -> Patch:
        """The pixels in `box`, which must lie in the scene, `shrink` x `shrink` averaged to one.

        Where `shrink` is a power of two and the box begins at multiples of it, an overview is read.

        Raises:
            ValueError: the box is empty or reaches beyond the scene, or nothing is shrunk.
            DamagedScene: the ingested file has been damaged or removed.
        """
        if shrink < 1:
            raise ValueError(f"shrinking {shrink} times has no meaning; give 1 or more")
        shape = (2, -(-box.height // shrink), -(-box.width // shrink))
        return self._patch(window=self._window(box), out_shape=shape, resampling=Resampling.average)

    def read_around(self, box: Box) -> NDArray[np.float32]:
        """DN `[H, W]` in a box that may reach beyond the border, where ground goes on as it ends.

        Raises:
            ValueError: the box does not touch the scene.
            DamagedScene: the ingested file has been damaged or removed.
        """
        there = box.clipped(self.width, self.height)
        return continued(self.read(there).dn, there, box)

    def overview(self, max_side: int) -> Patch:
        """The whole scene, its longer side at most `max_side` px; never enlarged.

        Valid where at least half of the ground below a pixel is; `hole` is approximate.
        """
        if max_side < 1:
            raise ValueError(f"an overview of {max_side} px shows nothing; ask for 1 px or more")
        shrink = max(1.0, max(self.width, self.height) / max_side)
        height = max(1, math.floor(self.height / shrink + 1e-9))
        width = max(1, math.floor(self.width / shrink + 1e-9))
        return self._patch(out_shape=(2, height, width), resampling=Resampling.average)

    def _window(self, box: Box) -> Window:
        inside = 0 <= box.x_min < box.x_max <= self.width
        if not (inside and 0 <= box.y_min < box.y_max <= self.height):
            raise ValueError(f"{box} does not lie in the scene of {self.width} x {self.height} px")
        return Window(box.x_min, box.y_min, box.width, box.height)

    def _patch(self, **how: Any) -> Patch:
        try:
            dn, state = _handle(self.path).read(**how)
        except GDAL_ERRORS as error:
            raise DamagedScene(
                f"{self.name}: the ingested copy cannot be read; ingest the picture again"
            ) from error
        dn = dn.astype(np.float32, copy=False)
        if not state.any():
            return Patch(dn, np.ones(dn.shape, bool), np.zeros(dn.shape, bool))
        valid = state < (NODATA + 1) // 2
        dn[~valid] = self.centre
        return Patch(dn, valid, state == HOLE)


class _Handles(threading.local):
    """The open files of one thread; GDAL allows one thread a handle, and a fork none of them."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.open: OrderedDict[Path, rasterio.DatasetReader] = OrderedDict()


_handles = _Handles()
_inherited: list[Any] = []  # handles of a parent process: closing them here would be its business


def _handle(path: Path) -> rasterio.DatasetReader:
    if _handles.process != os.getpid():
        _inherited.append(_handles.open)
        _handles.open, _handles.process = OrderedDict(), os.getpid()
    kept = _handles.open
    if path in kept:
        kept.move_to_end(path)
        return kept[path]
    # Not shared: GDAL would hand one handle to several threads.
    kept[path] = rasterio.open(path, driver="GTiff", sharing=False)
    if len(kept) > HANDLES:
        kept.popitem(last=False)[1].close()
    return kept[path]


def continued(dn: NDArray[np.float32], there: Box, box: Box) -> NDArray[np.float32]:
    """The DN of a box, given those of `there`, which go on beyond it as they end."""
    rows = (max(0, there.y_min - box.y_min), max(0, box.y_max - there.y_max))
    cols = (max(0, there.x_min - box.x_min), max(0, box.x_max - there.x_max))
    top, left = max(0, box.y_min - there.y_min), max(0, box.x_min - there.x_min)
    inner = dn[
        top : top + box.height - sum(rows),
        left : left + box.width - sum(cols),
    ]
    return np.pad(inner, (rows, cols), "edge") if any((*rows, *cols)) else inner
