"""Pieces: neighbouring positions of the grid, read and scored at once.

Pieces begin at fixed places of the grid, so that a resumed scan sends the network the very pieces
an undisturbed one would, and gets the very same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import ndimage

from dashboard.detector.areas.area_of_interest import Region
from dashboard.detector.arrays import Floats, Mask
from dashboard.detector.models.model import Model
from dashboard.detector.scanning.store import ScanRecord, Scores
from dashboard.detector.scenes.scene import Patch, Scene, continued
from dashboard.detector.tiling import Box, Grid

VALID = 0.99  # of a tile must be ground, as in the article
OBSERVED = 0.5  # of a scored window must have been observed: what was filled in says nothing
STEP = 32  # px; networks that score an area halve it, in blocks of 4, up to three times


@dataclass(frozen=True)
class Piece:
    """Neighbouring positions of the grid, which are scored when the network has seen them.

    Where scores stand out from the surprise around them (`lag` positions, both ways together), a
    piece lags behind what the network looks at: `fresh` is new with it, `window` what its scores
    are made of.
    """

    row: int
    col: int
    rows: int
    cols: int
    lag: int = 0

    @property
    def count(self) -> int:
        return self.rows * self.cols

    @property
    def part(self) -> tuple[slice, slice]:
        """Where its scores belong in the array of all."""
        return slice(self.row, self.row + self.rows), slice(self.col, self.col + self.cols)

    @property
    def window(self) -> tuple[slice, slice]:
        """The part of the array of surprise that its scores are made of."""
        rows, cols = self.part
        return slice(rows.start, rows.stop + self.lag), slice(cols.start, cols.stop + self.lag)

    @property
    def fresh(self) -> tuple[slice, slice]:
        """Where what the network says of it belongs in the array of surprise."""
        rows, cols = self.window
        return (
            slice(rows.start + self.lag if rows.start else 0, rows.stop),
            slice(cols.start + self.lag if cols.start else 0, cols.stop),
        )

    def with_what_follows(self, grid: Grid) -> Piece:
        """All positions whose scores depend on what is fresh."""
        rows = min(self.rows + self.lag, grid.rows - self.row)
        return replace(self, rows=rows, cols=min(self.cols + self.lag, grid.cols - self.col))


class Pieces:
    """The pieces of a scan, in their order: rows of tiles, or squares of positions."""

    def __init__(self, record: ScanRecord) -> None:
        self.grid, self.lag = record.grid, record.lag
        self.region = Region(record.region) if record.region else None
        self.wide = record.batch
        self.tall = record.batch if record.area else 1
        if self.lag >= min(self.tall, self.wide):
            raise ValueError(f"pieces of {self.wide} positions lag {self.lag} behind themselves")
        self.down = -(-(self.grid.rows + self.lag) // self.tall)
        self.across = -(-(self.grid.cols + self.lag) // self.wide)

    def __len__(self) -> int:
        return self.down * self.across

    def __getitem__(self, number: int) -> Piece:
        if not 0 <= number < len(self):
            raise IndexError(number)
        down, across = divmod(number, self.across)
        row, rows = self._span(down, self.tall, self.grid.rows)
        col, cols = self._span(across, self.wide, self.grid.cols)
        return Piece(row, col, rows, cols, self.lag)

    def _span(self, number: int, side: int, length: int) -> tuple[int, int]:
        """Where the positions of a row or column of pieces begin, and how many there are."""
        first = max(0, number * side - self.lag)
        return first, min(length, (number + 1) * side - self.lag) - first

    def touched(self) -> list[int]:
        """The numbers of those that may lie in the area of interest."""
        region = self.region
        if region is None:
            return list(range(len(self)))
        follows = [piece.with_what_follows(self.grid) for piece in self]
        return [n for n, piece in enumerate(follows) if region.touches(self.grid, piece.part)]

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
    seen: tuple[slice, slice]  # the part of what is fresh that the area lies under

    @property
    def empty(self) -> bool:
        """True where the network need not look."""
        return self.dn.size == 0


def read(record: ScanRecord, piece: Piece, scene: Scene, margin: int) -> Reading:
    """The ground of a piece, `margin` px beyond what is fresh of it where areas are scored."""
    follows = piece.with_what_follows(record.grid)
    if record.region and not Region(record.region).touches(record.grid, follows.part):
        chosen = np.zeros((piece.rows, piece.cols), bool)
        return Reading(piece, chosen, np.zeros((0, 1, 0, 0), np.float32), piece.fresh)
    if record.area:
        return _area(record, piece, scene, margin)
    return _tiles(record, piece, scene)


def infer(reading: Reading, scene: Scene, model: Model) -> Floats:
    """The network's output for a piece; 0 outside the area of interest.

    The scores `[n]` of its tiles; of an area its scores `[rows, cols]`, or what is fresh of its
    surprise.
    """
    if not model.card.area:
        if reading.empty:
            return np.zeros(0, np.float32)
        return model.score(reading.dn, scene.centre, scene.scale)
    fresh = reading.piece.fresh
    found = np.zeros([part.stop - part.start for part in fresh], np.float32)
    if not reading.empty:
        say = model.raw_scores if model.card.around else model.score
        said = say(reading.dn, scene.centre, scene.scale)[0]
        where = tuple(
            slice(part.start - all_of.start, part.stop - all_of.start)
            for part, all_of in zip(reading.seen, fresh, strict=True)
        )
        high, wide = found[where].shape
        found[where] = said[:high, :wide]
    return found


def minus_local_mean(surprise: Scores, around: int) -> Scores:
    """The surprise less its local mean, `[h - lag, w - lag]` of `[h, w]`.

    The mean over a square of `around` positions, an odd number.
    """
    inner = slice(around // 2, -(around // 2))
    mean = ndimage.uniform_filter(surprise.astype(np.float64), around)[inner, inner]
    return np.asarray(surprise[inner, inner] - mean, np.float32)


def _tiles(record: ScanRecord, piece: Piece, scene: Scene) -> Reading:
    """A row of tiles; one read for all."""
    grid = record.grid
    patch = scene.read(_read(grid, piece))
    rim = (grid.tile - record.window) // 2
    inner = slice(rim, rim + record.window)
    valid = _cut(patch.valid, grid).mean(axis=(1, 2))
    observed = _cut(patch.valid & ~patch.hole, grid)[:, inner, inner]
    chosen = (valid >= VALID) & (observed.mean(axis=(1, 2)) >= OBSERVED)
    chosen &= _in_area(record, piece)[0]
    tiles = np.ascontiguousarray(_cut(patch.dn, grid)[chosen][:, None])
    return Reading(piece, chosen[None], tiles, piece.fresh)


def _read(grid: Grid, piece: Piece) -> Box:
    """The ground that the tiles of a piece read."""
    first = grid.at(piece.row, piece.col).read
    last = grid.at(piece.row + piece.rows - 1, piece.col + piece.cols - 1).read
    return Box(first.x_min, first.y_min, last.x_max, last.y_max)


def _cut(strip: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """The tiles `[n, T, T]` in a strip `[T, W]`, as views."""
    return sliding_window_view(strip, grid.tile, axis=1).transpose(1, 0, 2)[:: grid.stride]


def _area(record: ScanRecord, piece: Piece, scene: Scene, margin: int) -> Reading:
    """A square of positions with its margin, less its sides that no scored position depends on."""
    grid, follows = record.grid, piece.with_what_follows(record.grid)
    tiles, box = _read(grid, follows), _ground(record, piece.fresh, margin)
    there = box.clipped(scene.width, scene.height).spanning(tiles)
    patch = scene.read(there)
    enough = _enough(record, patch.part(tiles.moved(-there.x_min, -there.y_min)))
    asked = enough & _in_area(record, follows)
    chosen = asked[: piece.rows, : piece.cols]
    if not asked.any():
        return Reading(piece, chosen, np.zeros((1, 1, 0, 0), np.float32), piece.fresh)
    # What is seen does not depend on the area of interest, lest a score should.
    seen = _needed(record, piece, enough)
    box = _ground(record, seen, margin)
    inner = box.clipped(scene.width, scene.height)
    part = patch.part(inner.moved(-there.x_min, -there.y_min))
    return Reading(piece, chosen, continued(part.dn, inner, box)[None, None], seen)


def _needed(record: ScanRecord, piece: Piece, enough: Mask) -> tuple[slice, slice]:
    """The part of what is fresh that scores are made of, given where there is enough ground.

    Its ground lies within that of all that is fresh. `enough` is that of all positions whose scores
    depend on it; one at least is True.
    """
    step, found = STEP // math.gcd(STEP, record.grid.stride), []
    for axis, (first, fresh) in enumerate(zip((piece.row, piece.col), piece.fresh, strict=True)):
        (there,) = np.nonzero(enough.any(axis=1 - axis))
        begins = min(first + int(there[0]), fresh.stop - record.around) - fresh.start
        ends = first + int(there[-1]) + piece.lag + 1
        begins = fresh.start + max(0, begins) // step * step
        found.append(slice(begins, min(fresh.stop, ends)))
    return found[0], found[1]


def _ground(record: ScanRecord, part: tuple[slice, slice], margin: int) -> Box:
    """The ground that the network must see to say something of a part of the array of surprise.

    A position is the middle `stride` px of its tile. Beyond the scene's border the ground goes on
    as it ends there; H and W are multiples of STEP plus the margins, and hold a place with its
    surroundings at least, which the graph averages whether they are asked for or not.
    """
    grid = record.grid
    rim = (grid.tile - grid.stride) // 2 - record.around // 2 * grid.stride
    rows, cols = part
    x, y = cols.start * grid.stride + rim, rows.start * grid.stride + rim
    width, height = (
        -(-max(span.stop - span.start, record.around) * grid.stride // STEP) * STEP
        for span in (cols, rows)
    )
    return Box(x - margin, y - margin, x + width + margin, y + height + margin)


def _in_area(record: ScanRecord, piece: Piece) -> Mask:
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
    """The part of each square of `side` px, every `stride` px, that is True.

    Worked out on squares of as many px as side and stride are both multiples of.
    """
    step = math.gcd(side, stride)
    whole = slice(mask.shape[0] // step * step), slice(mask.shape[1] // step * step)
    counts = np.zeros([length // step for length in mask.shape], np.int32)
    for down in range(step):
        for right in range(step):
            counts += mask[whole][down::step, right::step]
    total = np.pad(counts.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    apart, every = side // step, stride // step
    low, high = total[:-apart:every], total[apart::every]
    sums = high[:, apart::every] - high[:, :-apart:every] - low[:, apart::every]
    return np.asarray((sums + low[:, :-apart:every]) / side**2)
