"""A chessboard over a scene: which of two cross-fitted networks scores a place.

Either network has learned the squares of one colour and scores those of the other, so that nothing
is scored by what has learned it as ground.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboard.detector.tiling import Box


@dataclass(frozen=True)
class Chessboard:
    """Squares of `side` px; the first, a white one, begins at `first` both ways."""

    side: int  # px
    first: int  # px of the scene; it may lie before the border

    def black(self, x: NDArray[np.intp], y: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Which of the places in columns `x` and rows `y` (px) lie on black: `[rows, columns]`."""
        across, down = ((np.asarray(one) - self.first) // self.side % 2 for one in (x, y))
        return np.asarray(down[:, None] != across[None, :])

    def is_black(self, x: float, y: float) -> bool:
        """Whether one place (px) lies on black."""
        return bool(self.black(np.array([int(x)]), np.array([int(y)]))[0, 0])

    def squares(self, width: int, height: int, black: bool) -> tuple[Box, ...]:
        """The squares of one colour in a scene of a size in px, those at its border cut."""
        lefts = range(self.first, width, self.side)
        tops = range(self.first, height, self.side)
        boxes = (
            Box(max(0, x), max(0, y), min(x + self.side, width), min(y + self.side, height))
            for down, y in enumerate(tops)
            for across, x in enumerate(lefts)
            if (down + across) % 2 == black
        )
        return tuple(box for box in boxes if box.width > 0 and box.height > 0)
