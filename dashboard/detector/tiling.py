"""Where tiles lie: boxes, tiles, and the regular grid over a scene."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from dashboard.detector.errors import NoGround, OptionError


class Box(NamedTuple):
    """A half-open box in pixels of the scene; the origin is the scene's upper left corner."""

    x_min: int
    y_min: int
    x_max: int
    y_max: int

    @property
    def width(self) -> int:
        return self.x_max - self.x_min

    @property
    def height(self) -> int:
        return self.y_max - self.y_min

    @property
    def area(self) -> int:
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        """`(x, y)` of the middle, in pixels."""
        return (self.x_min + self.x_max) / 2, (self.y_min + self.y_max) / 2

    def grow(self, pixels: int) -> Box:
        """The box with `pixels` more on every side (fewer where negative)."""
        return Box(
            self.x_min - pixels, self.y_min - pixels, self.x_max + pixels, self.y_max + pixels
        )

    def moved(self, x: int, y: int) -> Box:
        """The box so many pixels further right and down."""
        return Box(self.x_min + x, self.y_min + y, self.x_max + x, self.y_max + y)

    def spanning(self, other: Box) -> Box:
        """The smallest box that holds both."""
        first, last = map(min, self[:2], other[:2]), map(max, self[2:], other[2:])
        return Box(*first, *last)

    def clipped(self, width: int, height: int) -> Box:
        """The part of the box that lies in a scene of so many pixels."""
        first, last = (max(0, edge) for edge in self[:2]), map(min, self[2:], (width, height))
        return Box(*first, *last)

    def overlaps(self, other: Box) -> bool:
        """True where the two boxes share at least one pixel."""
        return (
            self.x_min < other.x_max
            and other.x_min < self.x_max
            and self.y_min < other.y_max
            and other.y_min < self.y_max
        )

    def holds(self, x: float, y: float) -> bool:
        """True where the point lies in the half-open box."""
        return self.x_min <= x < self.x_max and self.y_min <= y < self.y_max


@dataclass(frozen=True, slots=True)
class Tile:
    """One place of the grid: what a model reads, and the ground its score speaks for."""

    row: int
    col: int
    read: Box
    keep: Box


@dataclass(frozen=True)
class Grid:
    """The tiles of side `tile` px every `stride` px over a scene of `width` x `height` px.

    Tile `(row, col)` reads from `(col * stride, row * stride)`; no tile overhangs the scene. The
    keep-boxes are the cells of side `stride` around the tiles' centres, those at the rim drawn
    out to the scene's border, so that together they cover every pixel exactly once.
    """

    width: int
    height: int
    tile: int
    stride: int

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise OptionError(f"the stride is {self.stride} px; it must be at least 1 px")
        if self.width < self.tile or self.height < self.tile:
            raise NoGround(
                f"the scene is {self.width} x {self.height} px; "
                f"it must be at least {self.tile} x {self.tile} px to hold one tile"
            )

    @property
    def rows(self) -> int:
        return (self.height - self.tile) // self.stride + 1

    @property
    def cols(self) -> int:
        return (self.width - self.tile) // self.stride + 1

    @property
    def origin(self) -> float:
        """Offset in px, in x as in y, of the score grid's upper left corner in the scene."""
        return (self.tile - self.stride) / 2

    def __len__(self) -> int:
        return self.rows * self.cols

    def __iter__(self) -> Iterator[Tile]:
        """The tiles, row by row."""
        for row in range(self.rows):
            for col in range(self.cols):
                yield self.at(row, col)

    def at(self, row: int, col: int) -> Tile:
        """The tile at `(row, col)`."""
        x, y = col * self.stride, row * self.stride
        left, right = self._keep(col, self.cols, self.width)
        top, bottom = self._keep(row, self.rows, self.height)
        return Tile(
            row,
            col,
            read=Box(x, y, x + self.tile, y + self.tile),
            keep=Box(left, top, right, bottom),
        )

    def _keep(self, index: int, count: int, length: int) -> tuple[int, int]:
        start = index * self.stride + (self.tile - self.stride) // 2
        low = 0 if index == 0 else start
        high = length if index == count - 1 else start + self.stride
        return low, high
