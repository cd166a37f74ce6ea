"""Labels of PDS3 products: layout and scaling of their pixels, which GDAL misses or misreads.

PDS Standards Reference 3.8, appendices A.20 (IMAGE) and C (data types).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dashboard.detector.arrays import Pixels
from dashboard.detector.files.detached_label import label_text
from dashboard.detector.tiling import Box

# Keywords for DN that are no measurements; cubes of ISIS and LROC have them with CORE before.
CONSTANTS = (
    *("MISSING_CONSTANT", "MISSING", "INVALID_CONSTANT", "UNKNOWN_CONSTANT", "NULL_CONSTANT"),
    *("NOT_APPLICABLE_CONSTANT", "FILL_CONSTANT", "NULL", "LOW_REPR_SATURATION"),
    *("LOW_INSTR_SATURATION", "HIGH_INSTR_SATURATION", "HIGH_REPR_SATURATION"),
)
IMAGES = ("IMAGE", "SPECTRAL_QUBE", "QUBE")  # objects that GDAL reads, in its order
PROJECTION, MAPPING = "IMAGE_MAP_PROJECTION", "MAPPING"  # of PDS3, of ISIS
LITTLE = ("LSB", "PC", "VAX")  # how the names of little-endian sample types begin

_KEYWORD = re.compile(r"(\^?+[\w:]++)\s*+=\s*+(.*)")
_BASED = re.compile(r"(\d+)#([0-9A-Fa-f]+)#")
_POINTER = re.compile(r"(?:.*,)?\s*(\d+)\s*(<\s*BYTES\s*>)?", re.IGNORECASE)


@dataclass(frozen=True)
class Pds3Label:
    """The keywords of a label: of the whole product, and of its picture."""

    product: Mapping[str, str]
    image: Mapping[str, str]

    @classmethod
    def read(cls, path: Path, name: str) -> Pds3Label:
        """The label at the beginning of a file, or detached."""
        blocks = _blocks(label_text(path, name))
        image = next((blocks[kind] for kind in IMAGES if kind in blocks), {})
        return cls(blocks.get("", {}), image)

    def constants(self, dtype: str) -> tuple[float, ...]:
        """The DN of a dtype that the label says are no measurements."""
        told = (self.image.get(f"{core}{key}") for key in CONSTANTS for core in ("", "CORE_"))
        found = (_value(text, np.dtype(dtype)) for text in told if text)
        return tuple(dict.fromkeys(value for value in found if value is not None))

    @property
    def interleaved(self) -> bool:
        """True where planes or bands have other bytes between them, which GDAL takes for pixels."""
        planes = re.findall(r"\d+", self.image.get("SUFFIX_ITEMS", ""))
        lines = self._count("LINE_SUFFIX_BYTES") and self._count("BANDS", 1) != 1
        return bool(lines) or any(map(int, planes))

    def lines(self) -> Lines | None:
        """How the picture's lines lie in its file, where GDAL would misread them.

        It steps over the bytes before a line, and takes those behind it for pixels.
        """
        before, after = (self._count(f"LINE_{end}_BYTES") for end in ("PREFIX", "SUFFIX"))
        if not after:
            return None
        pointer = next(
            (self.product[f"^{name}"] for name in IMAGES if f"^{name}" in self.product), ""
        )
        start = _POINTER.fullmatch(pointer.strip().strip("()"))
        first = int(start[1]) - 1 if start else 0
        if start and not start[2]:
            first *= int(number(self.product.get("RECORD_BYTES")) or 1)
        little = self.image.get("SAMPLE_TYPE", "").strip("\"'").upper().startswith(LITTLE)
        return Lines(first, before, after, little)

    def _count(self, key: str, default: int = 0) -> int:
        found = number(self.image.get(key))
        return default if found is None else int(found)


def map_numbers(path: Path, name: str) -> dict[str, float]:
    """The numbers that the label of a PDS3 product, or of an ISIS cube, has of its map.

    By their keywords; and 1 for `westward` and `graphic` where its degrees are so.
    """
    blocks = _blocks(label_text(path, name))
    keywords = blocks.get(PROJECTION) or blocks.get(MAPPING, {})
    found = {key: number(value) for key, value in keywords.items()}
    told = {key: value for key, value in found.items() if value is not None}
    for key, said, word in (
        ("westward", "POSITIVE_LONGITUDE_DIRECTION", "WEST"),
        ("westward", "LONGITUDEDIRECTION", "WEST"),
        ("graphic", "LATITUDETYPE", "GRAPHIC"),
    ):
        if word in keywords.get(said, "").upper():
            told[key] = 1.0
    return told


@dataclass(frozen=True)
class Lines:
    """Lines of pixels with other bytes before and behind each."""

    start: int  # bytes into the file
    before: int  # bytes, of each line
    after: int
    little: bool  # the order of a pixel's bytes

    def read(self, path: Path, size: tuple[int, int], dtype: str, box: Box) -> Pixels:
        """The pixels `[1, H, W]` in a box of a picture of a size, height and width.

        Raises:
            ValueError: the file is cut off.
            OSError: it cannot be read.
        """
        height, width = size
        kind = np.dtype(dtype).newbyteorder("<" if self.little else ">")
        length = self.before + width * kind.itemsize + self.after
        with path.open("rb") as file:
            file.seek(self.start + box.y_min * length)
            content = file.read(box.height * length)
        if len(content) < box.height * length - self.after * (box.y_max == height):
            raise ValueError("it ends before its last line")
        whole = np.frombuffer(content.ljust(box.height * length), np.uint8).reshape(-1, length)
        inner = np.ascontiguousarray(whole[:, self.before : length - self.after]).view(kind)
        return np.asarray(inner[None, :, box.x_min : box.x_max].astype(dtype))


def number(text: str | None) -> float | None:
    """The number of a keyword, without its unit; None where it is none, as "N/A"."""
    try:
        return float((text or "").split("<")[0].strip().strip("\"'"))
    except ValueError:
        return None


def _blocks(text: str) -> dict[str, dict[str, str]]:
    """The keywords of a label by the object or group they stand in; of the whole product by ""."""
    found: dict[str, dict[str, str]] = {}
    inside = [""]
    for line in text.splitlines():
        if line.upper() == "END":
            break
        said = _KEYWORD.match(line.split("/*")[0].strip())
        kind, value = (said[1].upper(), said[2].strip()) if said else (line.upper(), "")
        if kind in ("OBJECT", "GROUP"):
            inside.append(value.strip("\"'").upper())
        elif kind in ("END_OBJECT", "END_GROUP"):
            inside = inside[:-1] or [""]
        elif said:
            found.setdefault(inside[-1], {}).setdefault(kind, value)
    return found


def _value(text: str, dtype: np.dtype[Any]) -> float | None:
    """A constant as a DN; digits with a base are the bits of one."""
    based = _BASED.search(text)
    if based:
        try:
            bits = np.array([int(based[2], int(based[1]))], f"u{dtype.itemsize}")
        except (ValueError, OverflowError):
            return None
        return float(bits.view(dtype)[0])
    value = number(text)
    if value is None or not np.isfinite(value):
        return None
    if np.issubdtype(dtype, np.floating):
        return float(dtype.type(value))
    limits = np.iinfo(dtype)
    return value if limits.min <= value <= limits.max else None
