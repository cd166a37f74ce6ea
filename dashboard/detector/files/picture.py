"""One DN a pixel out of a picture's bands, and which pixels may be nodata."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.windows import Window

from dashboard.detector.arrays import Mask, Pixels
from dashboard.detector.errors import DamagedScene, OptionError
from dashboard.detector.files import openjpeg
from dashboard.detector.files.codestream import codestream
from dashboard.detector.files.detached_label import pixels_of
from dashboard.detector.files.formats import Layout, damaged, layout_of, one_tile
from dashboard.detector.files.pds3_label import Pds3Label
from dashboard.detector.tiling import Box

NONE = "none"  # of nodata: every DN is ground
BLOCK = 256  # px; strips begin at multiples of it, so that every block is written once
STRIP_PIXELS = 1 << 24  # a strip of rows holds about so many
# ISIS writes its special pixels as -3.4e38, others 1e32, often without a tag; no DN is as far out.
SENTINEL = 1e30
# The special pixels of ISIS (NULL, LRS, LIS, HIS, HRS); those of floats lie beyond all DN.
SPECIAL = {
    "int16": (-32768, -32767, -32766, -32765, -32764),
    "uint16": (0, 1, 2, 65534, 65535),
}
BT601 = (0.299, 0.587, 0.114)  # luma of red, green and blue, ITU-R BT.601


def window_of(box: Box) -> Window:
    """The box as rasterio wants it."""
    return Window(box.x_min, box.y_min, box.width, box.height)


def storage_dtype(dtype: str) -> str:
    """The narrowest of uint8, uint16 and float32 that holds DN of a source's dtype."""
    return dtype if dtype in ("uint8", "uint16") else "float32"


def given_nodata(text: str) -> float | None:
    """The DN that a user calls nodata; None where they say that there is none.

    Raises:
        OptionError: it is neither a number nor `none`.
    """
    if text.strip().lower() == NONE:
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise OptionError(f"nodata is {text[:40]!r}; it must be a DN, or {NONE}") from error
    if not math.isfinite(value):
        raise OptionError(f"nodata is {text}; what is not finite is nodata anyway, give a DN")
    return value


class Picture:
    """An open picture read strip by strip along its native blocks."""

    def __init__(
        self, source: rasterio.DatasetReader, name: str, nodata: str | None = None
    ) -> None:
        """Reads the header; `nodata` is what the user says it is, a DN or `NONE`."""
        self.source = source
        self.layout = layout_of(source, name)
        self.dtype = storage_dtype(source.dtypes[0])
        self.given = nodata
        path = Path(source.name)
        self.label = Pds3Label.read(path, name) if source.driver == "PDS" else None
        self._lines = self.label.lines() if self.label else None
        self.declared = self._told() if nodata is None else given_nodata(nodata)
        flags = source.mask_flag_enums[0]
        self.masked = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags
        self.whole = one_tile(source)
        self._name = name
        self._palette = self._read_palette() if self.layout is Layout.PALETTE else None
        # GDAL 3.10 cannot read tiles of a picture that does not begin where its grid does.
        ours = self.whole or (source.driver == "JP2OpenJPEG" and _offset(path))
        self._openjpeg = self._by_openjpeg() if ours else None
        self.declares = self._declares()
        # px of each DN that was taken for nodata though the file does not name it
        self.blanks: Counter[float] = Counter()

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on how the picture is read where its file leaves it open."""
        colours = self.layout in (Layout.RGB, Layout.RGBA)
        if colours and self.source.colorinterp[0] is ColorInterp.gray:
            return ("its three bands, which it does not name, are read as colours",)
        return ()

    @property
    def by_columns(self) -> bool:
        """True where the native blocks are columns of full height: a JPEG 2000 of one tile."""
        if self._openjpeg:
            return False
        height, width = self.source.block_shapes[0]
        return bool(height == self.source.height and width < self.source.width)

    def strips(self) -> list[Box]:
        """The strips in order; each spans the whole picture across, from border to border."""
        rows, cols = self.source.block_shapes[0]
        width, height = self.source.width, self.source.height
        if self.by_columns:
            step = _multiple(cols)
            return [Box(x, 0, min(x + step, width), height) for x in range(0, width, step)]
        step = min(max(STRIP_PIXELS // width // BLOCK * BLOCK, BLOCK), 4 * BLOCK)
        if self._openjpeg and self.whole:  # its strips cost the same whatever their height
            step = min(step, 2 * BLOCK)
        elif rows > step and rows * width <= 4 * STRIP_PIXELS:
            step = _multiple(rows)  # else tall blocks would be decoded again for every strip
        return [Box(0, y, width, min(y + step, height)) for y in range(0, height, step)]

    def read(self, box: Box) -> tuple[Pixels, Mask]:
        """DN `[H, W]` in the storage dtype, and True where a pixel may be nodata.

        That is where the file says so (nodata value, alpha, mask), where the DN is not finite, and,
        where the file says nothing, where it is 0; of colours of more than 8 bits, where any of
        them is.
        """
        window = window_of(box)
        if self.layout in (Layout.RGB, Layout.RGBA):
            dn, missing = self._luminance(self._decode((1, 2, 3), box))
        else:
            dn, missing = self._single(self._decode((1,), box)[0])
        if self.layout in (Layout.GRAY_ALPHA, Layout.RGBA):
            missing |= self.source.read(self.source.count, window=window) == 0
        if self.masked:
            missing |= self.source.read_masks(1, window=window) == 0
        return dn, missing

    def _decode(self, bands: tuple[int, ...], box: Box) -> Pixels:
        """The bands `[B, H, W]` as they are in the file.

        Asked for several blocks of one tile, GDAL decodes them in threads whose errors it drops.
        """
        if self._openjpeg:
            try:
                return self._openjpeg.read(box)
            except (OSError, RuntimeError, ValueError) as error:
                raise DamagedScene(damaged(self._name, "JPEG 2000", error)) from error
        if self._lines:
            try:
                return self._lines.read(self._pixels, self.source.shape, self.source.dtypes[0], box)
            except (OSError, ValueError) as error:
                raise DamagedScene(damaged(self._name, "PDS3", error)) from error
        if not self.whole:
            return np.asarray(self.source.read(bands, window=window_of(box)))
        high, wide = self.source.block_shapes[0]
        shape = (len(bands), box.height, box.width)
        found = np.empty(shape, self.source.dtypes[0])
        for y in range(box.y_min // high * high, box.y_max, high):
            for x in range(box.x_min // wide * wide, box.x_max, wide):
                left, top = max(x, box.x_min), max(y, box.y_min)
                part = Box(left, top, min(x + wide, box.x_max), min(y + high, box.y_max))
                rows = slice(top - box.y_min, part.y_max - box.y_min)
                cols = slice(left - box.x_min, part.x_max - box.x_min)
                self.source.read(bands, window=window_of(part), out=found[:, rows, cols])
        return found

    def _by_openjpeg(self) -> openjpeg.OpenJpeg | None:
        """The picture's own decoder; None where GDAL has to read it."""
        if self.layout not in (Layout.GRAY, Layout.RGB) or not openjpeg.available():
            return None
        try:
            found = openjpeg.OpenJpeg(Path(self.source.name))
        except (OSError, RuntimeError, ValueError):
            return None  # if it is damaged, GDAL will say how
        shown = (self.source.count, self.source.height, self.source.width)
        alike = found.shape == shown and found.dtype == self.source.dtypes[0]
        return found if alike and not self.masked else None

    def _single(self, raw: Pixels) -> tuple[Pixels, Mask]:
        missing = self._declared_in(raw)
        if self._palette is not None:
            luma, clear = self._palette
            missing |= clear[raw]
            raw = luma[raw]
        with np.errstate(over="ignore"):
            dn = raw.astype(self.dtype, copy=False)
        self._note_beyond(raw, missing)
        missing |= _infinite(dn)
        if not self.declares:
            zero = dn == 0
            self.blanks[0.0] += int(np.count_nonzero(zero))
            missing |= zero
        return dn, missing

    def _note_beyond(self, raw: Pixels, known: Mask) -> None:
        """Counts the first of the DN beyond all measurements, which floats alone have."""
        if np.issubdtype(raw.dtype, np.floating):
            beyond = raw[_infinite(raw) & np.isfinite(raw) & ~known]
            if beyond.size:
                self.blanks[float(beyond[0])] += int(np.count_nonzero(beyond == beyond[0]))

    def _luminance(self, raw: Pixels) -> tuple[Pixels, Mask]:
        blank = self._declared_in(raw) if self.declares else raw == 0
        # The colour swaths of HiRISE differ in width: a band without data there is no colour, and
        # would print a false edge into the luminance. In an 8-bit picture 0 is a colour.
        missing = np.asarray(blank.all(axis=0) if raw.dtype == np.uint8 else blank.any(axis=0))
        if not self.declares:
            self.blanks[0.0] += int(np.count_nonzero(missing))
        luma = np.zeros(raw.shape[1:], np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            for band, weight in zip(raw, BT601, strict=True):
                luma += band.astype(np.float32) * np.float32(weight)
        self._note_beyond(raw[0], missing)
        missing |= _infinite(luma)
        if self.dtype == "float32":
            return luma, missing
        return np.rint(luma).astype(self.dtype), missing

    def _declared_in(self, raw: Pixels) -> Mask:
        """True where a DN is one that the file, or else the user, calls nodata."""
        found = np.zeros(raw.shape, bool)
        for value in (self.declared, *self._special()):
            if value is not None and not np.isnan(value):
                real = np.issubdtype(raw.dtype, np.floating)
                found |= raw == (raw.dtype.type(value) if real else value)
        return found

    def _told(self) -> float | None:
        """The nodata that the file tells. What GDAL takes for that of a PDS3 product is a guess."""
        if self.label is None:
            return self.source.nodata  # type: ignore[no-any-return]
        return next(iter(self._special()), None)

    @property
    def _pixels(self) -> Path:
        """The file that holds the pixels of a PDS3 product."""
        path = Path(self.source.name)
        named = pixels_of(path, self._name)
        return path if named is None else path.parent / named

    def _special(self) -> tuple[float, ...]:
        """The DN that are no measurements by the file's format or label; the user knows better."""
        kind = self.source.dtypes[0]
        if self.given is not None:
            return ()
        if self.label:
            return self.label.constants(kind)
        return SPECIAL.get(kind, ()) if self.source.driver == "ISIS3" else ()

    def _declares(self) -> bool:
        """True where the file itself says which pixels are nodata, so that DN 0 is a DN."""
        told = (
            self.given is not None or self.layout in (Layout.GRAY_ALPHA, Layout.RGBA) or self.masked
        )
        if self._palette is not None:
            told |= bool(self._palette[1].any())
        kind = np.dtype(self.source.dtypes[0])
        if self.declared is None or not np.issubdtype(kind, np.integer):
            return told or self.declared is not None
        limits = np.iinfo(kind)  # a value that no pixel can have says nothing
        return told or limits.min <= self.declared <= limits.max

    def _read_palette(self) -> tuple[Pixels, Mask]:
        size = np.iinfo(self.source.dtypes[0]).max + 1
        luma, clear = np.zeros(size, self.dtype), np.zeros(size, bool)
        for index, (red, green, blue, alpha) in self.source.colormap(1).items():
            luma[index] = round(red * BT601[0] + green * BT601[1] + blue * BT601[2])
            clear[index] = alpha == 0
        return luma, clear


def _offset(path: Path) -> bool:
    """True where a JPEG 2000 does not begin where its reference grid does."""
    try:
        found = codestream(path)
    except ValueError:
        return False
    return (found.x0, found.y0) != (0, 0)


def _multiple(length: int) -> int:
    return -(-length // BLOCK) * BLOCK


def _infinite(dn: Pixels) -> Mask:
    if np.issubdtype(dn.dtype, np.floating):
        return np.asarray(~(np.abs(dn) < SENTINEL))
    return np.zeros(dn.shape, bool)
