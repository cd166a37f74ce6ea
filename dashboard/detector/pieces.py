"""What is scored at a time: neighbouring positions of the grid, read at once.

Pieces begin at fixed places of the grid, so that a resumed scan sends the network the very pieces
an undisturbed one would, and gets the very same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dashboard.detector.model import Model
from dashboard.detector.region import Region
from dashboard.detector.scene import Patch, Scene
from dashboard.detector.store import ScanRecord, Scores
from dashboard.detector.tiling import Box, Grid

VALID = 0.99  # of a tile must be ground, as in the article
OBSERVED = 0.5  # of a scored window must have been observed: what was filled in says nothing
STEP = 32  # px; networks that score an area halve it, in blocks of 4, up to three times

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Piece:
    """Neighbouring positions of the grid."""

    row: int
    col: int
    rows: int
    cols: int

    @property
    def count(self) -> int:
        return self.rows * self.cols

    @property
    def part(self) -> tuple[slice, slice]:
        """Where its scores belong in the array of all."""
        return slice(self.row, self.row + self.rows), slice(self.col, self.col + self.cols)


class Pieces:
    """The pieces of a scan, in their order: rows of tiles, or squares of positions."""

    def __init__(self, record: ScanRecord) -> None:
        self.grid = record.grid
        self.region = Region(record.region) if record.region else None
        self.wide = record.batch
        self.tall = record.batch if record.area else 1
        self.down, self.across = -(-self.grid.rows // self.tall), -(-self.grid.cols // self.wide)

    def __len__(self) -> int:
        return self.down * self.across

    def __getitem__(self, number: int) -> Piece:
        if not 0 <= number < len(self):
            raise IndexError(number)
        down, across = divmod(number, self.across)
        row, col = down * self.tall, across * self.wide
        return Piece(
            row,
            col,
            min(self.tall, self.grid.rows - row),
            min(self.wide, self.grid.cols - col),
        )

    def touched(self) -> list[int]:
        """The numbers of those that may lie in the area of interest."""
        region = self.region
        if region is None:
            return list(range(len(self)))
        return [n for n, one in enumerate(self) if region.touches(self.grid, one.part)]

    def after(self, done: int) -> Iterator[Piece]:
        """The pieces left when `done` positions have been scored."""
        for piece in self:
            if done >= piece.count:
                done -= piece.count
            else:
                yield piece

    def __iter__(self) -> Iterator[Piece]:
        for number in range(len(self)):
            yield self[number]


@dataclass(frozen=True)
class Reading:
    """A piece with what the network needs to score it."""

    piece: Piece
    chosen: Mask  # [rows, cols]: where there is enough ground
    dn: Scores  # [n, 1, T, T] of the chosen tiles, or [1, 1, H, W] of an area with its margin

    @property
    def empty(self) -> bool:
        return not self.chosen.any()


def read(record: ScanRecord, piece: Piece, scene: Scene, margin: int) -> Reading:
    """The ground of a piece, `margin` px beyond it where areas are scored."""
    if record.region and not Region(record.region).touches(record.grid, piece.part):
        chosen = np.zeros((piece.rows, piece.cols), bool)
        return Reading(piece, chosen, np.zeros((0, 1, 0, 0), np.float32))
    if record.area:
        return _area(record, piece, scene, margin)
    return _tiles(record, piece, scene)


def score(reading: Reading, scene: Scene, model: Model) -> Scores:
    """The scores `[rows, cols]` of a piece, NaN where there is too little ground."""
    piece = reading.piece
    scores = np.full((piece.rows, piece.cols), np.nan, np.float32)
    if not reading.empty:
        found = model.score(reading.dn, scene.centre, scene.scale)
        if model.card.area:
            found = found[0, : piece.rows, : piece.cols][reading.chosen]
        scores[reading.chosen] = found
    return scores


def _tiles(record: ScanRecord, piece: Piece, scene: Scene) -> Reading:
    """A row of tiles; one read for all."""
    grid = record.grid
    patch = scene.read(_read(grid, piece))
    rim = (grid.tile - record.window) // 2
    inner = slice(rim, rim + record.window)
    valid = _cut(patch.valid, grid).mean(axis=(1, 2))
    observed = _cut(patch.valid & ~patch.hole, grid)[:, inner, inner]
    chosen = (valid >= VALID) & (observed.mean(axis=(1, 2)) >= OBSERVED)
    chosen &= _wanted(record, piece)[0]
    return Reading(piece, chosen[None], np.ascontiguousarray(_cut(patch.dn, grid)[chosen][:, None]))


def _read(grid: Grid, piece: Piece) -> Box:
    """The ground that the tiles of a piece read."""
    first = grid.at(piece.row, piece.col).read
    last = grid.at(piece.row + piece.rows - 1, piece.col + piece.cols - 1).read
    return Box(first.x_min, first.y_min, last.x_max, last.y_max)


def _cut(strip: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """The tiles `[n, T, T]` in a strip `[T, W]`, as views."""
    return sliding_window_view(strip, grid.tile, axis=1).transpose(1, 0, 2)[:: grid.stride]


def _area(record: ScanRecord, piece: Piece, scene: Scene, margin: int) -> Reading:
    """A square of positions with its margin.

    A position is the middle `stride` px of its tile. Beyond the scene's border the ground goes on
    as it ends there; H and W are multiples of STEP plus the margins.
    """
    grid = record.grid
    chosen = _enough(record, scene.read(_read(grid, piece))) & _wanted(record, piece)
    if not chosen.any():
        return Reading(piece, chosen, np.zeros((1, 1, 0, 0), np.float32))
    rim = (grid.tile - grid.stride) // 2
    x, y = piece.col * grid.stride + rim, piece.row * grid.stride + rim
    width, height = (-(-n * grid.stride // STEP) * STEP for n in (piece.cols, piece.rows))
    box = Box(x - margin, y - margin, x + width + margin, y + height + margin)
    return Reading(piece, chosen, scene.read_around(box)[None, None])


def _wanted(record: ScanRecord, piece: Piece) -> Mask:
    """Which positions `[rows, cols]` lie in the area of interest."""
    if record.region is None:
        return np.ones((piece.rows, piece.cols), bool)
    return Region(record.region).inside(record.grid, piece.part)


def _enough(record: ScanRecord, patch: Patch) -> Mask:
    """Which positions hold enough ground, given what all their tiles read."""
    grid = record.grid
    if patch.valid.all() and not patch.hole.any():
        high, wide = ((side - grid.tile) // grid.stride + 1 for side in patch.valid.shape)
        return np.ones((high, wide), bool)
    rim = (grid.tile - record.window) // 2
    observed = (patch.valid & ~patch.hole)[rim : patch.valid.shape[0] - rim]
    observed = observed[:, rim : patch.valid.shape[1] - rim]
    valid = _share(patch.valid, grid.tile, grid.stride)
    return np.asarray((valid >= VALID) & (_share(observed, record.window, grid.stride) >= OBSERVED))


def _share(mask: Mask, side: int, stride: int) -> NDArray[np.float64]:
    """The part of each square of `side` px, every `stride` px, that is True."""
    total = np.pad(mask.cumsum(0, dtype=np.int64).cumsum(1), ((1, 0), (1, 0)))
    low, high = total[:-side:stride], total[side::stride]
    sums = high[:, side::stride] - high[:, :-side:stride] - low[:, side::stride]
    return np.asarray((sums + low[:, :-side:stride]) / side**2)
