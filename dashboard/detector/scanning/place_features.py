"""What a second look sees of the places of a scene, as it is stored: some numbers a place.

Places are the local maxima of a critic's score, no two within `CELL` positions both ways, so that
an array of cells holds them all: as small as it is, it is written piece by piece as scores are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dashboard.detector.arrays import Floats
from dashboard.detector.system.arrays_on_disk import write_array

CELL = 7  # positions along a side, half of the square in which a place is the strongest, rounded up
FILE = "features.npy"

Halves = NDArray[np.float16]
Places = NDArray[np.intp]  # rows or columns


@dataclass(frozen=True, eq=False)
class Seen:
    """Features of places, `cells [h, w, 1 + F]` float16.

    The first number says where in its cell a place is, counted from 1 row by row; 0: there is none.
    """

    cells: Halves

    @staticmethod
    def blank(path: Path, shape: tuple[int, int], features: int) -> None:
        """Writes the file of a map of scores `[rows, cols]` without any place yet."""
        rows, cols = (-(-length // CELL) for length in shape)
        write_array(path, (rows, cols, 1 + features), np.float16)

    @classmethod
    def open(cls, path: Path, mode: Literal["r", "r+"] = "r") -> Seen:
        """Those of a file, mapped into memory; `r+` writes through.

        Raises:
            OSError, ValueError: there is no such file, or it is damaged.
        """
        return cls(np.load(path, mmap_mode=mode))

    def keep(self, row: int, col: int, features: Floats) -> None:
        """Puts in what was seen of a piece that begins there, `[F, rows, cols]`, 0 elsewhere."""
        rows, cols = np.nonzero(features.any(axis=0))
        self.put(rows + row, cols + col, features[:, rows, cols].T)

    def put(self, rows: Places, cols: Places, features: Floats) -> None:
        """Puts in what was seen of places at these rows and columns `[n]`: `[n, F]`."""
        here = rows // CELL, cols // CELL
        self.cells[(*here, 0)] = 1 + rows % CELL * CELL + cols % CELL
        self.cells[(*here, slice(1, None))] = features

    def flush(self) -> None:
        """Puts what was kept on disk."""
        if isinstance(self.cells, np.memmap):
            self.cells.flush()

    def places(self) -> tuple[Places, Places, Floats]:
        """Rows and columns of all places, `[n]`, row by row of cells; features `[n, F]`."""
        down, right = np.nonzero(self.cells[..., 0])
        found = np.asarray(self.cells[down, right], np.float32)
        row, col = np.divmod(found[:, 0].astype(np.intp) - 1, CELL)
        return down * CELL + row, right * CELL + col, found[:, 1:]
