"""From scores to places: threshold, grouping of overlapping tiles, ranking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from dashboard.detector.arrays import Doubles
from dashboard.detector.places.suppression import Candidates
from dashboard.detector.scanning.score_map import ScoreMap
from dashboard.detector.scenes.scene import Scene
from dashboard.detector.tiling import Box, Grid

AT_ONCE = 1 << 16  # tiles whose places are worked out together


@dataclass(frozen=True, slots=True)
class FlaggedTile:
    """A tile whose score lies beyond the threshold."""

    row: int
    col: int
    box: Box  # what the network read
    score: float
    sigma: float


@dataclass(frozen=True, slots=True)
class Detection:
    """One place: the strongest of the flagged tiles whose scored windows overlap there."""

    rank: int  # 1 is the strongest
    sigma: float
    score: float
    x: float  # px of the scene
    y: float
    box: Box  # the scored window of the strongest tile
    row: int
    col: int
    tiles: int  # flagged tiles grouped here
    lon: float | None = None  # degrees, areocentric, east-positive, 0 to 360
    lat: float | None = None
    p: float | None = None  # the chance that a window of ground alone scores as high
    q: float | None = None  # false discovery rate of this place and all that are stronger
    artefacts: tuple[str, ...] = ()  # why the camera or the file may have made it

    @property
    def place(self) -> tuple[float, float]:
        """`(x, y)`: what verdicts on it are filed under."""
        return self.x, self.y


class FlaggedTiles(Sequence[FlaggedTile]):
    """The strongest `count` tiles, strongest first, each made when it is asked for."""

    def __init__(self, scores: ScoreMap, ranked: Candidates, count: int) -> None:
        self._scores, self._ranked, self._count = scores, ranked, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> FlaggedTile: ...

    @overload
    def __getitem__(self, index: slice) -> list[FlaggedTile]: ...

    def __getitem__(self, index: int | slice) -> FlaggedTile | list[FlaggedTile]:
        wanted = range(self._count)[index]
        return (
            self._at(wanted) if isinstance(wanted, int) else [self._at(number) for number in wanted]
        )

    def __iter__(self) -> Iterator[FlaggedTile]:
        return (self._tile(*measured) for measured in self.measured())

    def _at(self, index: int) -> FlaggedTile:
        (found,) = self._measured(slice(index, index + 1))
        return self._tile(*found)

    @property
    def grid(self) -> Grid:
        """The grid that they are of."""
        return self._scores.grid

    def measured(self) -> Iterator[tuple[int, int, float, float]]:
        """Row, column, score and sigma of each, strongest first."""
        for start in range(0, self._count, AT_ONCE):
            yield from self._measured(slice(start, min(start + AT_ONCE, self._count)))

    def _measured(self, part: slice) -> Iterator[tuple[int, int, float, float]]:
        ranked = self._ranked
        rows, cols = (found.tolist() for found in np.divmod(ranked.cells[part], self.grid.cols))
        measures = ranked.scores[part].tolist(), ranked.sigmas[part].tolist()
        return zip(rows, cols, *measures, strict=True)

    def _tile(self, row: int, col: int, score: float, sigma: float) -> FlaggedTile:
        return FlaggedTile(row, col, self.grid.at(row, col).read, score, sigma)


def detections(
    scores: ScoreMap,
    ranked: Candidates,
    above: int,
    chances: tuple[Doubles, Doubles] | None = None,
    scene: Scene | None = None,
) -> list[Detection]:
    """The places that the strongest `above` positions make, strongest first.

    Args:
        chances: p and q of all places, strongest first.
        scene: adds longitude and latitude where it has a coordinate reference system.
    """
    sizes = ranked.sizes(above)
    peaks = ranked.peaks[: len(sizes)]
    rows, cols = np.divmod(ranked.cells[peaks], scores.grid.cols)
    rim, half = (scores.grid.tile - scores.window) // 2, scores.window / 2
    left, top = cols * scores.grid.stride + rim, rows * scores.grid.stride + rim
    nowhere: list[tuple[float | None, float | None]] = [(None, None)] * len(peaks)
    places, likely = nowhere, nowhere
    if scene:
        known = scene.lonlats((left + half).tolist(), (top + half).tolist())
        places = [place or (None, None) for place in known]
    if chances:
        p, q = (values[: len(peaks)].tolist() for values in chances)
        likely = list(zip(p, q, strict=True))
    measured = zip(ranked.sigmas[peaks].tolist(), ranked.scores[peaks].tolist(), strict=True)
    corners = zip(left.tolist(), top.tolist(), rows.tolist(), cols.tolist(), strict=True)
    parts = zip(measured, corners, sizes.tolist(), places, likely, strict=True)
    side = scores.window
    return [
        Detection(
            rank,
            *measures,
            x + half,
            y + half,
            Box(x, y, x + side, y + side),
            row,
            col,
            tiles,
            *place,
            *chance,
        )
        for rank, (measures, (x, y, row, col), tiles, place, chance) in enumerate(parts, start=1)
    ]
