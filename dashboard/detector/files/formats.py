"""Pictures from outside: known by their first bytes, opened by that one driver, within limits."""

from __future__ import annotations

import os
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning

from dashboard.detector.errors import (
    DamagedScene,
    OptionError,
    SceneError,
    SceneNotFound,
    SceneTooLarge,
    UnknownFormat,
)
from dashboard.detector.files.codestream import codestream
from dashboard.detector.files.detached_label import check_cube, pixels_of
from dashboard.detector.files.pds3_label import Pds3Label
from dashboard.detector.system.gdal_errors import GDAL_ERRORS, reason

MAX_GIGABYTES = 16.0  # real scenes have 2 to 8; a 7 MB TIFF can declare 40
DTYPES = frozenset({"uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"})
# GDAL's own default, a twentieth of the machine, is too much beside a scan; where no `rasterio.Env`
# says otherwise, GDAL takes the variable when it first reads anything.
CACHE_BYTES = 128 << 20
os.environ.setdefault("GDAL_CACHEMAX", str(CACHE_BYTES >> 20))

BEGINNING = 16  # bytes, which tell every known format
LABEL = "label.lbl"  # what `ingest` calls a label beside a link to its pixels
MISSING_CODEC = re.compile(r"missing codec (?:for )?([\w.-]+\w)")

GDAL_OPTIONS: dict[str, Any] = {
    "GDAL_CACHEMAX": CACHE_BYTES,
    # The file alone counts: the cache of scenes is keyed by its content, and a sidecar can point
    # at any other file.
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "TRUE",  # else a truncated JPEG ends in grey
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": "NO",  # else a truncated PNG ends in zeros
}

_alone = threading.Lock()  # a thread that restores warnings would restore them for all


@dataclass(frozen=True)
class Format:
    """A file format: its name for people, its GDAL driver, and how its files begin."""

    name: str
    driver: str
    beginnings: tuple[bytes, ...]


FORMATS = (
    Format("PNG", "PNG", (b"\x89PNG\r\n\x1a\n",)),
    Format("JPEG", "JPEG", (b"\xff\xd8\xff",)),
    Format("TIFF", "GTiff", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    Format("JPEG 2000", "JP2OpenJPEG", (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51\0")),
    Format("PDS3", "PDS", (b"PDS_VERSION_ID", b"ODL_VERSION_ID", b"CCSD3ZF0000")),
    Format("ISIS cube", "ISIS3", (b"Object = IsisCub",)),
    Format("FITS", "FITS", (b"SIMPLE  =",)),
)
CONVERT = "gdal_translate -of GTiff IN OUT.tif"  # what makes nearly any picture readable


class Layout(Enum):
    """How the bands of a picture make one DN a pixel."""

    GRAY = "one band"
    GRAY_ALPHA = "gray and alpha"
    PALETTE = "palette"
    RGB = "RGB"
    RGBA = "RGB and alpha"


def local_file(path: str | Path) -> Path:
    """The absolute path of an existing local file; URLs and GDAL's virtual files are refused.

    Raises:
        SceneNotFound: there is no such regular file.
    """
    text = os.fspath(path)
    if "\0" in text:
        raise SceneNotFound("the picture's name holds a zero byte; give a path of this machine")
    if "://" in text or text.startswith("/vsi"):
        raise SceneNotFound(f"{text}: not a local file; download it and give its path")
    found = Path(text).expanduser().absolute()
    if found.is_dir():
        raise SceneNotFound(f"{text}: a folder; give the path of one picture")
    if not found.exists():
        raise SceneNotFound(f"{text}: no such file")
    if not found.is_file():
        raise SceneNotFound(f"{text}: not a regular file")
    return found


def identify(path: str | Path, name: str | None = None) -> Format:
    """The format of a picture, by its first bytes and never by its name.

    Args:
        path: a local file.
        name: what messages call it; the file's own name otherwise.

    Raises:
        SceneNotFound: there is no such local file, or it may not be read.
        UnknownFormat: it is empty, or of none of the `FORMATS`.
    """
    found = local_file(path)
    name = name or found.name
    try:
        with found.open("rb") as file:
            first = file.read(BEGINNING)
    except OSError as error:
        raise SceneNotFound(f"{name}: cannot be read ({error.strerror})") from error
    return format_of(first, name)


def format_of(first: bytes, name: str) -> Format:
    """The format of a picture that begins with these bytes, `BEGINNING` of them or all.

    Raises:
        UnknownFormat: it is empty, or of none of the `FORMATS`.
    """
    if not first:
        raise UnknownFormat(f"{name}: the file is empty; give a PNG, JPEG, TIFF or JPEG 2000")
    for known in FORMATS:
        if first.startswith(known.beginnings):
            return known
    raise UnknownFormat(
        f"{name}: not a PNG, JPEG, TIFF or JPEG 2000 picture, PDS3 product or ISIS cube; "
        f"convert it: {CONVERT}"
    )


@contextmanager
def open_picture(path: str | Path, name: str | None = None) -> Iterator[rasterio.DatasetReader]:
    """The picture open for reading with the one driver its content asks for, within the limits.

    Args:
        path: a local file.
        name: what messages call it; the file's own name otherwise.

    Raises:
        SceneError: it is absent, of no known format or layout, damaged or too large; `DamagedScene`
            also for what fails while it is open.
    """
    found = local_file(path)
    name = name or found.name
    known = identify(found, name)
    with rasterio.Env(**GDAL_OPTIONS) as environment:
        check_readable(found, known, name, known.driver in environment.drivers())
        try:
            with quietly(NotGeoreferencedWarning):
                source = rasterio.open(found, driver=known.driver)
        except GDAL_ERRORS as error:
            raise unreadable(name, known.name, error) from error
        with source:
            check_size(source, name)
            layout_of(source, name)
            try:
                with rasterio.Env(**_options_for(source)):
                    yield source
            except GDAL_ERRORS as error:
                raise unreadable(name, known.name, error) from error


@contextmanager
def quietly(category: type[Warning]) -> Iterator[None]:
    """No warnings of a kind for a moment; for the short calls of libraries that warn too much."""
    with _alone, warnings.catch_warnings():
        warnings.simplefilter("ignore", category)
        yield


def _options_for(source: rasterio.DatasetReader) -> dict[str, str]:
    # GDAL decodes the tiles of a JPEG 2000 in threads whose errors it drops; within the one tile
    # of a HiRISE product, asked for block by block, OpenJPEG's own threads report theirs.
    tiled = source.driver == "JP2OpenJPEG" and not one_tile(source)
    return {"GDAL_NUM_THREADS": "1"} if tiled else {}


def one_tile(source: rasterio.DatasetReader) -> bool:
    """True for a JPEG 2000 of one tile, of which GDAL shows blocks that do not exist in it."""
    if source.driver != "JP2OpenJPEG":
        return False
    try:
        return codestream(Path(source.name)).one_tile
    except ValueError:
        return False


def check_readable(path: Path, known: Format, name: str, has_driver: bool) -> None:
    """Raises `UnknownFormat` where a sound picture is one that cannot be read here."""
    if not has_driver:
        raise UnknownFormat(
            f"{name}: a {known.name} picture, which the GDAL here cannot read; "
            f"convert it elsewhere: {CONVERT}"
        )
    if known.driver == "ISIS3":
        check_cube(path, name)
    if known.driver == "PDS":
        named = pixels_of(path, name)
        if named is not None and path.parent / named not in _linked(path):
            raise UnknownFormat(
                f"{name}: a label whose pixels lie in {named[:80]!r}; give its path on the command "
                f"line, with that file beside it, or convert it: {CONVERT}"
            )
        if Pds3Label.read(path, name).interleaved:
            raise UnknownFormat(
                f"{name}: other bytes lie between its bands; convert it with ISIS: "
                "pds2isis from=IN.IMG to=OUT.cub"
            )
    if known.driver == "JP2OpenJPEG":
        _check_sampling(path, name)


def _linked(label: Path) -> set[Path]:
    """The links beside a label: `ingest` laid one to the file that the label may name."""
    return {path for path in label.parent.iterdir() if label.name == LABEL and path.is_symlink()}


def _check_sampling(path: Path, name: str) -> None:
    try:
        found = codestream(path)
    except (OSError, ValueError):
        return  # if it is damaged, GDAL will say how
    if found.subsampled:
        raise UnknownFormat(
            f"{name}: its bands have fewer pixels than the picture (subsampled JPEG 2000); "
            "convert it: opj_decompress -upsample -i IN.jp2 -o OUT.tif"
        )


def unreadable(name: str, kind: str, error: Exception) -> SceneError:
    """The error for a file that its reader gave up: damaged, or of unknown compression."""
    found = MISSING_CODEC.search(str(error.__cause__ or error))
    if found:
        return UnknownFormat(
            f"{name}: compressed by {found[1]}, which the GDAL here lacks; save it as deflate: "
            "gdal_translate -co COMPRESS=DEFLATE IN.tif OUT.tif"
        )
    return DamagedScene(damaged(name, kind, error))


def damaged(name: str, kind: str, error: Exception) -> str:
    """The message for a damaged picture: its name, its format, and the reader's first line."""
    return f"{name}: the {kind} file is damaged or cut off; copy it again ({reason(error)})"


def limit_bytes() -> int:
    """How many bytes of pixels a picture may declare: `$NEEDLE_MAX_SCENE_GB`, else 16 GB."""
    text = os.environ.get("NEEDLE_MAX_SCENE_GB", str(MAX_GIGABYTES))
    try:
        gigabytes = float(text)
    except ValueError:
        gigabytes = -1.0
    if not gigabytes > 0:
        raise OptionError(f"NEEDLE_MAX_SCENE_GB is {text!r}; it must be a number of GB above 0")
    return int(min(gigabytes, 1e9) * 1e9)


def check_size(source: rasterio.DatasetReader, name: str) -> None:
    """Raises `SceneTooLarge` where the pixels declared would need more than the limit."""
    itemsize = max(np.dtype(kind).itemsize for kind in source.dtypes)
    declared = source.width * source.height * source.count * itemsize
    limit = limit_bytes()
    if declared > limit:
        raise SceneTooLarge(
            f"{name}: {source.width} x {source.height} px in {source.count} bands are "
            f"{declared / 1e9:.1f} GB, the limit is {limit / 1e9:g} GB; "
            "cut the picture or raise NEEDLE_MAX_SCENE_GB"
        )


def layout_of(source: rasterio.DatasetReader, name: str) -> Layout:
    """How the picture's bands make one DN a pixel.

    Raises:
        UnknownFormat: complex or unsupported numbers, or bands that make no grey picture.
    """
    kinds = set(source.dtypes)
    if len(kinds) > 1 or not kinds <= DTYPES:
        found = ", ".join(sorted(kinds))
        raise UnknownFormat(f"{name}: pixels are {found}; convert them to uint8, uint16 or float32")
    meaning = tuple(source.colorinterp)
    alpha = meaning[-1] is ColorInterp.alpha
    rgb = meaning[:3] == (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    if source.count == 1:
        return Layout.PALETTE if meaning[0] is ColorInterp.palette else Layout.GRAY
    if source.count == 2 and alpha:
        return Layout.GRAY_ALPHA
    if source.count >= 3:
        _check_depths(source, name)
    # HiRISE colour products need not say that their three bands are colours, nor does GDAL then.
    plain = (ColorInterp.gray, ColorInterp.undefined)
    rgb |= source.driver == "JP2OpenJPEG" or all(band in plain for band in meaning[:3])
    if source.count == 3 and not alpha and rgb:
        return Layout.RGB
    if source.count == 4 and alpha and rgb:
        return Layout.RGBA
    raise UnknownFormat(
        f"{name}: {source.count} bands that are neither grey nor RGB; "
        "save the one band to scan as a picture of its own: gdal_translate -b 1 IN OUT.tif"
    )


def _check_depths(source: rasterio.DatasetReader, name: str) -> None:
    """Raises `UnknownFormat` where bands that make one colour do not have the same depth."""
    told = [source.tags(band, ns="IMAGE_STRUCTURE").get("NBITS") for band in (1, 2, 3)]
    if len(set(told)) > 1:
        whole = 8 * np.dtype(source.dtypes[0]).itemsize
        one, two, three = (bits or whole for bits in told)
        raise UnknownFormat(
            f"{name}: its bands have {one}, {two} and {three} bits; give all the same depth"
        )
