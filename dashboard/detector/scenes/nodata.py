"""Stray zeros against nodata: areas measured over the whole scene, strip by strip; holes filled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.fill import fillnodata
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from dashboard.detector.arrays import Mask

AREA = 1024  # px; a smaller area without data is a hole in the ground, to be filled
# px: what is narrower in either direction is a hole however long it is: lost lines and columns,
# dashes, slanted streaks. As deep as that, holes are filled well.
THIN = 12
# A 4-connected area below 1,024 px surrounded by ground is at most 22 px deep, and one in a
# corner of the scene 43 px, so that a hole never looks further than this for its neighbours.
HALO = 64
APART = 64  # empty columns between spans of a mask that are gone through one by one
CHUNK = 512  # px; holes are filled in chunks, so that large areas of nodata cost nothing

Labels = NDArray[np.int32]


@dataclass(frozen=True)
class _Seam:
    """The areas of one strip that touch its first or last line, and so may go on beyond it."""

    labels: Labels  # within the strip, ascending
    first: int  # number of the first of them over the whole scene
    small: bool  # True where other areas of the strip are too small


class Areas:
    """The 4-connected areas of a mask that arrives in strips, first line to last, thin parts cut.

    Add every strip in order, `settle`, then ask for each strip again. What is kept between the
    two passes grows with the strips' borders, not with the scene. The answers do not depend on
    how the scene was cut into strips, of which all but the last hold `thin` lines and more.
    """

    def __init__(self, minimum: int = AREA, thin: int = THIN) -> None:
        self.minimum, self.thin = minimum, thin
        self._held: Mask | None = None  # a strip whose next lines are not known yet
        self._above: Mask | None = None  # the lines before it
        self._seams: list[_Seam] = []
        self._sizes: list[NDArray[np.int64]] = []
        self._pairs: list[NDArray[np.int64]] = []
        self._last: NDArray[np.int64] | None = None  # numbers along the last line, -1 elsewhere
        self._count = 0
        self._large = np.zeros(0, bool)

    def add(self, strip: Mask) -> None:
        """Takes the next strip `[lines, length]`, True where a pixel may be nodata."""
        held = self._held
        if held is not None:
            self._take(held, strip[: self.thin - 1])
            self._above = held[max(0, len(held) - self.thin + 1) :]
        self._held = strip

    def _take(self, strip: Mask, below: Mask) -> None:
        """Labels the areas of a strip, given the lines that follow it."""
        above = strip[:0] if self._above is None else self._above
        near = np.concatenate([above, strip, below])
        areas = _label(thick(near, self.thin)[len(above) : len(above) + len(strip)])
        first, last = areas.line(0), areas.line(-1)
        ends = np.unique(np.concatenate([first, last]))
        ends = ends[ends > 0]
        inner = np.ones(len(areas.sizes), bool)
        inner[[0, *ends]] = False
        seam = _Seam(ends, self._count, bool((areas.sizes[inner] < self.minimum).any()))
        self._seams.append(seam)
        self._sizes.append(areas.sizes[ends])
        self._count += len(ends)
        if self._last is not None:
            self._join(self._last, _numbers(first, seam))
        self._last = _numbers(last, seam)

    def settle(self) -> None:
        """Joins the areas over the seams; call it after the last strip."""
        if self._held is not None:
            self._take(self._held, self._held[:0])
        self._held = self._above = None
        sizes = np.concatenate(self._sizes) if self._sizes else np.zeros(0, np.int64)
        if self._pairs:
            first, second = np.concatenate(self._pairs, axis=1)
            links = coo_matrix((np.ones(len(first), np.int8), (first, second)), (self._count,) * 2)
            _, groups = connected_components(links, directed=False)
            # The weights are summed as float64, exact up to 2^53 px.
            sizes = np.bincount(groups, weights=sizes)[groups]
        self._large = sizes >= self.minimum

    def large(self, index: int, near: Mask, first: int, lines: int) -> Mask:
        """True in the areas of strip number `index` that are nodata, `[lines, length]`.

        Args:
            near: the strip as it was added, and `thin` lines around it where there are any.
            first: line of `near` at which the strip begins.
        """
        found = np.zeros_like(near[first : first + lines])
        if not near[first : first + lines].any():
            return found
        seam, whole = self._seams[index], thick(near, self.thin)[first : first + lines]
        told = self._large[seam.first : seam.first + len(seam.labels)]
        if told.all() and not seam.small:
            return whole
        areas = _label(whole)
        verdict = areas.sizes >= self.minimum
        verdict[0] = False
        verdict[seam.labels] = told
        for span, labels in areas.spans:
            found[:, span] = verdict[labels]
        return found

    def _join(self, above: NDArray[np.int64], below: NDArray[np.int64]) -> None:
        both = (above >= 0) & (below >= 0)
        if both.any():
            self._pairs.append(np.unique(np.stack([above[both], below[both]]), axis=1))


def thick(mask: Mask, thin: int = THIN) -> Mask:
    """The mask without what is narrower than `thin` px across or down; it goes on at its border."""
    found = np.zeros_like(mask)
    for span in _spans(mask):
        part = mask[:, span]
        found[:, span] = _in_runs(part, thin) & _in_runs(part.T, thin).T
    return found


def _spans(mask: Mask) -> Iterator[slice]:
    """The columns between which a mask is True somewhere, and the empty ones beside them.

    No area goes on from one span to another.
    """
    there = np.flatnonzero(mask.any(axis=0))
    if len(there):
        (gaps,) = np.nonzero(np.diff(there) > APART)
        firsts, lasts = there[np.append(0, gaps + 1)], there[np.append(gaps, len(there) - 1)]
        for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
            yield slice(max(0, first - 1), last + 2)


def _in_runs(mask: Mask, least: int) -> Mask:
    """True where a pixel lies in an unbroken run of `least` px and more down its column."""
    border = np.ones((least - 1, mask.shape[1]), bool)
    begins = _joined(np.concatenate([border, mask, border]), least, np.logical_and)
    return _joined(begins, least, np.logical_or)


def _joined(mask: Mask, count: int, how: np.ufunc) -> Mask:
    """Each line joined with the `count - 1` that follow, `[H - count + 1, W]`, by doubling."""
    done = 1
    while done < count:
        step = min(done, count - done)
        mask = how(mask[: len(mask) - step], mask[step:])
        done += step
    return mask


@dataclass(frozen=True)
class _Labelled:
    """The 4-connected areas of a strip, numbered from 1."""

    length: int
    spans: list[tuple[slice, Labels]]  # columns, and the labels in them; 0 elsewhere
    sizes: NDArray[np.int64]  # px by label

    def line(self, number: int) -> Labels:
        """The labels along one line, `[length]`."""
        found = np.zeros(self.length, np.int32)
        for span, labels in self.spans:
            found[span] = labels[number]
        return found


def _label(strip: Mask) -> _Labelled:
    """The areas of a mask `[lines, length]`."""
    spans, sizes, count = list[tuple[slice, Labels]](), [np.zeros(1, np.int64)], 0
    for span in _spans(strip):
        labels = np.zeros(strip[:, span].shape, np.int32)
        more = int(ndimage.label(strip[:, span], output=labels))
        sizes.append(_count(labels, more + 1)[1:])
        if count:
            labels[labels > 0] += count
        spans.append((span, labels))
        count += more
    return _Labelled(strip.shape[1], spans, np.concatenate(sizes))


def _count(labels: Labels, length: int) -> NDArray[np.int64]:
    """Pixels of each label, line by line: bincount widens what it is given to 64 bits."""
    sizes = np.zeros(length, np.int64)
    step = max(1, (1 << 22) // max(1, labels.shape[1]))
    for start in range(0, len(labels), step):
        part = np.bincount(labels[start : start + step].ravel())
        sizes[: len(part)] += part
    return sizes


def _numbers(line: Labels, seam: _Seam) -> NDArray[np.int64]:
    found = seam.first + np.searchsorted(seam.labels, line)
    return np.where(line > 0, found, -1).astype(np.int64)


def fill_holes(dn: NDArray[Any], missing: Mask, hole: Mask, centre: float) -> None:
    """Fills the holes of `dn [H, W]` in place from the ground around them.

    Args:
        dn: DN.
        missing: True where `dn` is no ground, nodata included.
        hole: True where it is to be filled; part of `missing`, and at least `HALO` px from every
            border of the array that is no border of the scene.
        centre: DN for a hole without ground within `HALO` px (in scenes a few pixels wide).
    """
    height, width = dn.shape
    for top in range(0, height, CHUNK):
        for left in range(0, width, CHUNK):
            wanted = hole[top : top + CHUNK, left : left + CHUNK]
            if wanted.any():
                rows = slice(max(0, top - HALO), min(height, top + CHUNK + HALO))
                cols = slice(max(0, left - HALO), min(width, left + CHUNK + HALO))
                filled = _filled(dn[rows, cols], missing[rows, cols], centre)
                inner = filled[top - rows.start :, left - cols.start :]
                inner = inner[: wanted.shape[0], : wanted.shape[1]]
                dn[top : top + CHUNK, left : left + CHUNK][wanted] = inner[wanted]


def _filled(dn: NDArray[Any], missing: Mask, centre: float) -> NDArray[Any]:
    start = dn.copy()
    start[missing] = as_dn(centre, dn.dtype)
    return np.asarray(fillnodata(start, ~missing, max_search_distance=HALO, TEMP_FILE_DRIVER="MEM"))


def as_dn(value: float, dtype: np.dtype[Any]) -> Any:
    """The value as one DN of that dtype, rounded where it must be."""
    return dtype.type(round(value)) if np.issubdtype(dtype, np.integer) else dtype.type(value)
