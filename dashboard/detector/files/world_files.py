"""World files and the CRS beside them: where a picture lies that does not say it itself."""

from __future__ import annotations

import codecs
import math
import re
from dataclasses import dataclass
from pathlib import Path

import rasterio
from rasterio.crs import CRS

from dashboard.detector.system.gdal_errors import GDAL_ERRORS

SUFFIXES = {
    ".png": "pgw",
    ".jpg": "jgw",
    ".jpeg": "jgw",
    ".tif": "tfw",
    ".tiff": "tfw",
    ".jp2": "j2w",
}
LARGEST = 1 << 16  # bytes; a world file has six numbers
CATALOGUED = re.compile(r"(\w+):(\d+)")
PLAIN_PROJ = re.compile(r"(\s*\+\w+(=[\w.,+-]+)?)+")  # leads to no file
TELLING = (b"<SRS", b"<GeoTransform", b"<GCPList", b"<NoDataValue", b"<RPC")

Affine6 = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class WorldFile:
    """Where a picture lies, by files beside it."""

    transform: Affine6 | None
    crs: str | None  # WKT
    names: str  # of the files that were read
    notes: tuple[str, ...]  # sentences on what lies beside it and was not read


def world_file(picture: Path) -> WorldFile | None:
    """Georeference by the files beside a picture, and which of these are left out; None without."""
    found, projection = _beside(picture, _endings(picture)), _beside(picture, {".prj"})
    transform = _transform(found) if found else None
    crs = _crs(projection) if projection else None
    notes = []
    if found and transform is None:
        notes.append(f"{found.name} beside it is left out: it has no six numbers that lead back")
    if projection and crs is None:
        notes.append(f"{projection.name} beside it is left out: it names no CRS that is known")
    notes += [
        f"{side_car.name} beside it is not read; gdal_translate IN OUT.tif makes one file of both"
        for side_car in _side_cars(picture)
    ]
    read = [path.name for path, said in ((found, transform), (projection, crs)) if path and said]
    if not (read or notes):
        return None
    return WorldFile(transform, crs, " and ".join(read), tuple(notes))


def _side_cars(picture: Path) -> list[Path]:
    """GDAL's own files beside a picture that say of its place or nodata; we follow none."""
    mask, more = (picture.with_name(f"{picture.name}{end}") for end in (".msk", ".aux.xml"))
    found = [mask] if mask.is_file() else []
    if more.is_file() and more.stat().st_size <= LARGEST:
        found += [more] if any(word in more.read_bytes() for word in TELLING) else []
    return found


def is_world_file_of(name: str, picture: str) -> bool:
    """True where a file of this name, beside a picture, says where that lies."""
    world, other = Path(name), Path(picture)
    return world.stem == other.stem and world.suffix.lower() in {*_endings(other), ".prj"}


def _endings(picture: Path) -> set[str]:
    """How the names of a picture's world files may end."""
    suffix = picture.suffix.lower()
    return {f".{SUFFIXES.get(suffix, 'wld')}", f"{suffix}w", ".wld"}


def _beside(picture: Path, endings: set[str]) -> Path | None:
    for path in sorted(picture.parent.iterdir()):
        alike = path.stem == picture.stem and path.suffix.lower() in endings
        if alike and path.is_file() and path.stat().st_size <= LARGEST:
            return path
    return None


def _transform(path: Path) -> Affine6 | None:
    """The six numbers, which place the middle of the first pixel, as a transform of its corner."""
    words = re.sub("(?<=[0-9.])[dD](?=[-+0-9])", "e", _text(path).replace(",", ".")).split()
    try:
        a, d, b, e, x, y = map(float, words[:6])
    except ValueError:
        return None
    made = (a, b, x - (a + b) / 2, d, e, y - (d + e) / 2)
    return made if all(map(math.isfinite, made)) and a * e - b * d else None


def _crs(path: Path) -> str | None:
    """The WKT of a CRS in WKT of any dialect, PROJ's words, or by its number in a catalogue.

    Nothing else is tried: GDAL would open files, and fetch what is named by an address.
    """
    text = _text(path).strip()
    numbered = CATALOGUED.fullmatch(text)
    with rasterio.Env():  # else GDAL prints what it does not understand
        try:
            if numbered:
                return str(CRS.from_authority(numbered[1].upper(), numbered[2]).to_wkt())
            if PLAIN_PROJ.fullmatch(text) and "grids" not in text and "init" not in text:
                return str(CRS.from_proj4(text).to_wkt()) or None
            return str(CRS.from_wkt(text).to_wkt()) if "[" in text else None
        except (*GDAL_ERRORS, ValueError):
            return None


def _text(path: Path) -> str:
    """A file's text, with or without a byte order mark."""
    content = path.read_bytes()
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if wide else "utf-8-sig", "replace")
