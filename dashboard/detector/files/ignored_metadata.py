"""Metadata of a picture file that is ignored, and said to be: orientation, further pages."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import rasterio

ORIENTATION = 274  # TIFF tag; 1 is as stored
TIFF_HEADS = {  # the order of bytes, and whether offsets have 64 bits
    b"II*\0": ("<", False),
    b"MM\0*": (">", False),
    b"II+\0": ("<", True),
    b"MM\0+": (">", True),
}
FARTHEST = 1 << 62  # bytes into a file
CHUNK = 1 << 16  # bytes of a chunk of PNG that are read


def ignored_metadata(source: rasterio.DatasetReader) -> tuple[str, ...]:
    """A sentence for each piece of metadata of an open picture that is ignored."""
    notes = []
    pages = len(source.subdatasets)
    if source.driver == "GTiff" and pages > 1:
        notes.append(f"the first of its {pages} pages is read; the others are left out")
    if source.driver == "PNG" and b"acTL" in dict(_png_chunks(Path(source.name))):
        notes.append("the first of its frames is read; the others are left out")
    turned = _orientation(source)
    if turned not in (None, 1):
        notes.append(f"it is read as it is stored; its orientation {turned} is not heeded")
    return tuple(notes)


def _orientation(source: rasterio.DatasetReader) -> int | None:
    """The orientation that EXIF or a TIFF's first directory gives; None where none."""
    told = source.tags().get("EXIF_Orientation", "")
    if told.isdigit():
        return int(told)
    path = Path(source.name)
    if source.driver == "GTiff":
        with path.open("rb") as file:
            return _of_tiff(file)
    if source.driver == "PNG":
        exif = [content for kind, content in _png_chunks(path) if kind == b"eXIf"]
        return _of_tiff(io.BytesIO(exif[0])) if exif else None
    return None


def _of_tiff(file: BinaryIO) -> int | None:
    """The tag in the first directory of a TIFF, of 32 or 64 bits; TIFF 6.0, section 2."""
    head = file.read(16)
    order, large = TIFF_HEADS.get(head[:4], ("", False))
    if not order or len(head) < (16 if large else 8):
        return None
    (first,) = struct.unpack_from(f"{order}{'Q' if large else 'I'}", head, 8 if large else 4)
    count, entry = (f"{order}Q", f"{order}HHQH4x2x") if large else (f"{order}H", f"{order}HHIH2x")
    if first > FARTHEST:
        return None
    file.seek(first)
    told = file.read(struct.calcsize(count))
    if len(told) < struct.calcsize(count):
        return None
    length = struct.calcsize(entry)
    entries = file.read(length * min(struct.unpack(count, told)[0], 1 << 16))
    for at in range(0, len(entries) - length + 1, length):
        tag, _, _, value = struct.unpack_from(entry, entries, at)
        if tag == ORIENTATION:
            return int(value)
    return None


def _png_chunks(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """The kinds and beginnings of a PNG's chunks, up to its pixels; PNG 1.5, section 5.3."""
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind == b"IDAT":
                return
            begins = file.tell()
            yield kind, file.read(min(length, CHUNK))
            file.seek(begins + length + 4)
