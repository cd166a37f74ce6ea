"""Spots: what is brighter or darker than all around it, in several sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dashboard.detector.arrays import Floats, Mask

INNER, OUTER = 1.0, 2.0  # px: a spot stands out by the difference of two such Gaussians
REACH = 8  # px that the wider of them takes in, each way
COLUMNS = 2048  # px that are filtered at once


@dataclass(frozen=True)
class Span:
    """Lines or columns of whole cells, and how many more are known before and after them."""

    start: int
    stop: int
    before: int = 0
    after: int = 0

    @property
    def first(self) -> int:
        return self.start - self.before

    @property
    def last(self) -> int:
        return self.stop + self.after

    @property
    def known(self) -> slice:
        return slice(self.first, self.last)

    @property
    def own(self) -> slice:
        """The lines themselves among all that are known."""
        return slice(self.before, self.before + self.stop - self.start)

    def near(self, shrink: int) -> tuple[slice, slice]:
        """Of the pixels, shrunk so many times: what is to be filtered, and of that what is kept."""
        before, after = self.before // shrink, self.after // shrink
        length = (self.stop - self.start) // shrink
        first, last = min(before, REACH), min(after, REACH)
        return slice(before - first, before + length + last), slice(first, first + length)


@dataclass(frozen=True)
class Spots:
    """What is looked for: the brightest and the darkest spot of each size in each cell."""

    cell: int  # px; a multiple of the largest shrinking, `2 ** (sizes - 1)`
    sizes: int  # each twice the last; the smallest is some 2 px wide

    @property
    def margin(self) -> int:
        """Pixels around a piece of ground that the largest size takes in."""
        return REACH << (self.sizes - 1)

    def spans(self, length: int, step: int) -> Iterator[Span]:
        """A length, rounded up to cells, in steps, each with the margin that the filters need."""
        length += -length % self.cell
        for start in range(0, length, step):
            stop = min(start + step, length)
            yield Span(start, stop, min(self.margin, start), min(self.margin, length - stop))

    def of_lines(self, dn: Floats, valid: Mask, lines: Span) -> Floats:
        """As `find`, of whole lines `[H, W]`, some columns of them after the other."""
        parts = [
            self.find(dn[:, part.known], valid[:, part.known], lines, part)
            for part in self.spans(dn.shape[1], COLUMNS)
        ]
        return np.concatenate(parts, axis=2)

    def find(
        self, dn: Floats, valid: Mask, lines: Span | None = None, columns: Span | None = None
    ) -> Floats:
        """The spots, `[2 sizes, H / cell, W / cell]`: the brightest, then the darkest of each size.

        They are in DN against what is around; near nodata there are none, and without ground NaN.

        Args:
            dn: pixels `[H, W]`.
            valid: where they are ground.
            lines: which of the pixels' lines are asked for; all, unless told.
            columns: the same.
        """
        fill = [(0, -length % self.cell) for length in dn.shape]
        if any(more for _, more in fill):
            dn, valid = np.pad(dn, fill, mode="edge"), np.pad(valid, fill, mode="edge")
        lines, columns = lines or Span(0, len(dn)), columns or Span(0, dn.shape[1])
        whole, ground, found = bool(valid.all()), valid, []
        for size in range(self.sizes):
            if size:
                dn = _halved(dn)
                ground = ground if whole else _all_of(ground)
            (down, kept_down), (right, kept_right) = lines.near(1 << size), columns.near(1 << size)
            near = dn[down, right]
            apart = ndimage.gaussian_filter(near, INNER) - ndimage.gaussian_filter(near, OUTER)
            if not (whole or ground[down, right].all()):
                apart *= ndimage.minimum_filter(ground[down, right], 2 * REACH + 1)
            apart, side = apart[kept_down, kept_right], self.cell >> size
            found += [_cells(apart, side, np.maximum), _cells(apart, side, np.minimum)]
        spotted = np.stack(found)
        if not whole:
            own = valid[lines.own, columns.own]
            spotted[:, ~_cells(own, self.cell, np.logical_or)] = np.nan
        return spotted


def _cells(pixels: NDArray[Any], side: int, of: np.ufunc) -> NDArray[Any]:
    """The largest (or the like) of the pixels of each cell."""
    height, width = pixels.shape
    rows = of.reduce(pixels.reshape(height // side, side, width), axis=1)  # along lines: fast
    return np.asarray(of.reduce(rows.reshape(height // side, width // side, side), axis=2))


def _halved(pixels: Floats) -> Floats:
    """Means of 2 x 2 pixels; sixteen times as fast as a mean over two axes."""
    lines = pixels[::2] + pixels[1::2]
    return np.asarray((lines[:, ::2] + lines[:, 1::2]) * np.float32(0.25), np.float32)


def _all_of(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether all of 2 x 2 are."""
    lines = flags[::2] & flags[1::2]
    return np.asarray(lines[:, ::2] & lines[:, 1::2])
