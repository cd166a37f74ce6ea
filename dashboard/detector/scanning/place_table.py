"""The places of a scan that were looked at: where they are, and what was said of each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from dashboard.detector.arrays import Floats
from dashboard.detector.scanning.nearest import novelty

FILE = "places.npy"

Ints = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class PlaceTable:
    """Places, one a line of `lines`, block by block and in each row by row.

    A line holds `row`, `col` (of the grid), `residual` (the finder's score), `logit` and
    `description` (of the judge; the logit is NaN until it has looked), and `novelty`, how far the
    description is from those of other places (NaN until it has looked at all of them).
    """

    version: ClassVar[int] = 3  # of the file, and of how its numbers are made
    lines: NDArray[Any]  # [n]

    @staticmethod
    def write(path: Path, found: tuple[Ints, Ints, Floats], length: int) -> int:
        """Writes the table of places that are yet to be looked at; how many there are.

        Args:
            found: rows, columns and residuals, `[n]`, in the table's order.
            length: how many numbers will describe a place.
        """
        kinds = [("row", "<i4"), ("col", "<i4"), ("residual", "<f4"), ("logit", "<f4")]
        kinds += [("novelty", "<f4")]
        dtype = np.dtype([*kinds, ("description", "<f2", (length,))])
        lines = np.zeros(len(found[0]), dtype)
        lines["row"], lines["col"], lines["residual"] = found
        lines["logit"] = lines["novelty"] = np.nan
        np.save(path, lines)
        return len(lines)

    @classmethod
    def open(cls, path: Path, mode: Literal["r", "r+"] = "r") -> PlaceTable:
        """The table of a file, mapped into memory; `r+` writes through.

        Raises:
            OSError, ValueError: there is no such file, or it is damaged.
        """
        return cls(np.load(path, mmap_mode=mode))

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def rows(self) -> Ints:
        return self.lines["row"].astype(np.intp)

    @property
    def cols(self) -> Ints:
        return self.lines["col"].astype(np.intp)

    @property
    def residuals(self) -> Floats:
        """The finder's scores, `[n]`."""
        return np.array(self.lines["residual"])

    @property
    def logits(self) -> Floats:
        """How much each place looks put there, `[n]`."""
        return np.array(self.lines["logit"])

    @property
    def novelties(self) -> Floats:
        """How far each place is from those most like it, `[n]`."""
        return np.array(self.lines["novelty"])

    @property
    def descriptions(self) -> Floats:
        """The description of each place, a feature vector: `[n, D]` float32."""
        return self.lines["description"].astype(np.float32)

    def put(self, first: int, logits: Floats, descriptions: Floats) -> int:
        """Puts in what was said of the places from line `first` on; the line after them.

        With the last of them, how new each place is among all is known.
        """
        last = first + len(logits)
        self.lines["logit"][first:last] = logits
        self.lines["description"][first:last] = descriptions
        if last == len(self):
            self.lines["novelty"] = novelty(self.descriptions)
        return last

    def flush(self) -> None:
        """Puts what was put in on disk."""
        if isinstance(self.lines, np.memmap):
            self.lines.flush()

    def chosen(self, mask: NDArray[np.bool_]) -> PlaceTable:
        """Some of the places, `mask [n]`."""
        return PlaceTable(self.lines[mask])

    def index(self, rows: Ints, cols: Ints) -> Ints:
        """The lines of the places at these positions `[m]`; -1 where none was looked at."""
        keys, lines = self._sorted
        wanted = _keys(rows, cols)
        at = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
        if not len(keys):
            return np.full(len(wanted), -1, np.intp)
        return np.where(keys[at] == wanted, lines[at], -1)

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.int64], Ints]:
        keys = _keys(self.rows, self.cols)
        order = np.argsort(keys)
        return keys[order], order


def _keys(rows: Ints, cols: Ints) -> NDArray[np.int64]:
    """One number a position."""
    return (np.asarray(rows, np.int64) << 32) + np.asarray(cols, np.int64)
