"""What a picture's file says that is not heeded: orientation, further pages."""

from __future__ import annotations

import struct
from pathlib import Path

import rasterio

ORIENTATION = 274  # TIFF tag; 1 is as stored
TIFF_HEADS = {b"II*\0": "<", b"MM\0*": ">"}


def left_out(source: rasterio.DatasetReader) -> tuple[str, ...]:
    """Sentences on what an open picture's file says that is not heeded."""
    notes = []
    pages = len(source.subdatasets)
    if source.driver == "GTiff" and pages > 1:
        notes.append(f"the first of its {pages} pages is read; the others are left out")
    turned = _orientation(source)
    if turned not in (None, 1):
        notes.append(f"it is read as it is stored; its orientation {turned} is not heeded")
    return tuple(notes)


def _orientation(source: rasterio.DatasetReader) -> int | None:
    """The orientation that EXIF or a TIFF's first directory gives; None where none."""
    told = source.tags().get("EXIF_Orientation", "")
    if told.isdigit():
        return int(told)
    return _of_tiff(Path(source.name)) if source.driver == "GTiff" else None


def _of_tiff(path: Path) -> int | None:
    """The tag in the first directory of a TIFF of 32 bits; TIFF 6.0, section 2."""
    with path.open("rb") as file:
        head = file.read(8)
        order = TIFF_HEADS.get(head[:4])
        if order is None or len(head) < 8:
            return None
        file.seek(struct.unpack_from(f"{order}I", head, 4)[0])
        count = file.read(2)
        if len(count) < 2:
            return None
        entries = file.read(12 * struct.unpack(f"{order}H", count)[0])
    for at in range(0, len(entries) - 11, 12):
        tag, _, _, value = struct.unpack_from(f"{order}HHIH", entries, at)
        if tag == ORIENTATION:
            return int(value)
    return None
