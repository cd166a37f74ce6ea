"""Where the codestream of a JPEG 2000 file lies, and what its first marker says of the picture.

Boxes around it are stepped over by their lengths, never read: what a box holds (GeoTIFF, XML,
palettes) is not needed to decode, and counts in it can ask for any amount of memory.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"  # how a file with boxes begins
SIZ = b"\xff\x4f\xff\x51"  # how a codestream begins: start of codestream, then the marker SIZ
BOXES = 10_000  # at most before the codestream; real files have ten
COMPONENTS = 16_384  # at most, ITU-T T.800, A.5.1


@dataclass(frozen=True)
class Component:
    """One component of a picture: its depth in bits, and the distance of its samples."""

    bits: int
    signed: bool
    dx: int
    dy: int


@dataclass(frozen=True)
class Codestream:
    """A codestream in a file. The reference grid is in px; a component may be sparser."""

    start: int  # bytes into the file
    length: int  # bytes, as many as there are
    x0: int  # px of the reference grid: the picture
    y0: int
    x1: int
    y1: int
    tile: tuple[int, int]  # width and height of a tile, px
    tile_origin: tuple[int, int]
    components: tuple[Component, ...]

    @property
    def width(self) -> int:
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        return self.y1 - self.y0

    @property
    def one_tile(self) -> bool:
        """True where the first tile covers the whole picture."""
        (wide, high), (left, top) = self.tile, self.tile_origin
        return wide + left >= self.x1 and high + top >= self.y1

    @property
    def subsampled(self) -> bool:
        """True where a component has fewer samples than the reference grid has pixels."""
        return any((component.dx, component.dy) != (1, 1) for component in self.components)


def codestream(path: Path) -> Codestream:
    """The codestream of a JPEG 2000 file, with or without boxes.

    Raises:
        ValueError: there is none, or its header breaks off.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        start, end = _find_codestream(file, size)
        file.seek(start)
        return _header(file, start, end - start)


def _find_codestream(file: BinaryIO, size: int) -> tuple[int, int]:
    """Where the codestream begins and ends, in bytes."""
    if file.read(len(SIGNATURE)) != SIGNATURE:
        return 0, size
    at = len(SIGNATURE)
    for _ in range(BOXES):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            break
        length, kind = struct.unpack_from(">I4s", head)
        before = 8
        if length == 1 and len(head) == 16:  # the length is in 64 bits
            (length,), before = struct.unpack_from(">Q", head, 8), 16
        end = min(at + length, size) if length else size  # 0: to the end of the file
        if kind == b"jp2c":
            return at + before, end
        if end < at + before:
            break
        at = end
    raise ValueError("no codestream in it")


def _header(file: BinaryIO, start: int, length: int) -> Codestream:
    """The header of a codestream, from its marker SIZ; ITU-T T.800, A.5.1."""
    head = file.read(42)
    if len(head) < 42 or not head.startswith(SIZ):
        raise ValueError("its codestream has no header")
    x1, y1, x0, y0, *tiles, count = struct.unpack_from(">8IH", head, 8)
    if not 0 < count <= COMPONENTS:
        raise ValueError(f"its codestream has {count} components")
    if not (x0 < x1 and y0 < y1):
        raise ValueError("its codestream has no pixel")
    told = file.read(3 * count)
    if len(told) < 3 * count:
        raise ValueError("its codestream breaks off in the header")
    components = tuple(
        Component((depth & 0x7F) + 1, bool(depth & 0x80), dx, dy)
        for depth, dx, dy in struct.iter_unpack("3B", told)
    )
    wide, high, left, top = tiles
    return Codestream(start, length, x0, y0, x1, y1, (wide, high), (left, top), components)
