"""World files and the CRS beside them: where a picture lies that does not say it itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

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

Affine6 = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class WorldFile:
    """Where a picture lies, by files beside it."""

    transform: Affine6
    crs: str | None  # WKT
    note: str  # which files were read


def world_file(picture: Path) -> WorldFile | None:
    """What a world file beside a picture says, with the `.prj` there; None where there is none."""
    found = _beside(picture, _endings(picture))
    transform = _transform(found) if found else None
    if found is None or transform is None:
        return None
    projection = _beside(picture, {".prj"})
    crs = _crs(projection) if projection else None
    names = found.name + (f" and {projection.name}" if projection and crs else "")
    return WorldFile(transform, crs, f"placed by {names} beside it")


def is_world_file_of(name: str, picture: str) -> bool:
    """True where a file of this name, beside a picture, says where that lies."""
    one, other = Path(name), Path(picture)
    return one.stem == other.stem and one.suffix.lower() in {*_endings(other), ".prj"}


def _endings(picture: Path) -> set[str]:
    """How the names of a picture's world files may end."""
    suffix = picture.suffix.lower()
    return {f".{SUFFIXES.get(suffix, 'wld')}", f"{suffix}w", ".wld"}


def _beside(picture: Path, endings: set[str]) -> Path | None:
    for one in sorted(picture.parent.iterdir()):
        alike = one.stem == picture.stem and one.suffix.lower() in endings
        if alike and one.is_file() and one.stat().st_size <= LARGEST:
            return one
    return None


def _transform(path: Path) -> Affine6 | None:
    """The six numbers, which place the middle of the first pixel, as a transform of its corner."""
    try:
        a, d, b, e, x, y = map(float, path.read_text("latin-1").replace(",", ".").split())
    except ValueError:
        return None
    made = (a, b, x - (a + b) / 2, d, e, y - (d + e) / 2)
    return made if all(map(math.isfinite, made)) and a * e - b * d else None


def _crs(path: Path) -> str | None:
    try:
        return str(CRS.from_wkt(path.read_text("utf-8")).to_wkt())
    except (*GDAL_ERRORS, ValueError):
        return None
