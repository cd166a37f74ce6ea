"""A survey of the ground, cell by cell: roughness, saturation, seams, JPEG blocks.

Measured while the picture is decoded, band by band, where its DN are known by then; what is left
later, in one more pass. It says nothing of scores: it tells kinds of ground apart
(`ground/roughness.py`) and finds what the camera or the file made (`places/artefacts.py`).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dashboard.detector.arrays import Floats, Mask
from dashboard.detector.scenes.dn_statistics import MAD_TO_SIGMA
from dashboard.detector.scenes.scene import Patch, Scene
from dashboard.detector.system.prefetch import map_in_order
from dashboard.detector.system.whole_file import whole_file
from dashboard.detector.tiling import Box

CELL = 16  # px
BAND = 256  # px; seams are looked for in bands of so many lines, which is also what is read at once
SPAN = 8 * BAND  # px of a band that are measured at once, so as to stay in a core's cache
THREADS = 2  # bands measured at once; each takes up to 0.1 GB in a whole scene
# A seam is a step that all lines of a band share: natural steps wander. Its mean over a band is
# compared with those of the columns around it.
SEAM = 10.0  # robust standard deviations
STEP = 2.0  # of them is what one line counts at most, lest a lander's edge make a seam of the band
SMALL = 0.5  # DN; where all steps are smaller, they are rounding
NEAR = 65  # columns
JPEG_BLOCK = 8  # px
FAINT = 0.02  # DN; keeps flat ground, where no step is to be seen, from counting as blocks
SUFFIX = "-survey4.npy"  # of the file beside an ingested scene, its version included
CELLS = np.dtype(
    [
        ("spread", "f4"),  # standard deviation of the ground's DN; NaN where there is none
        ("ground", "f2"),  # part of the cell that is no nodata; less than 0 where it is not known
        ("saturated", "f2"),  # part that was clipped by the camera, or filled
        ("seams", "?"),  # True where a seam runs through, down or across
        ("blocks", "f2"),  # steps at borders of 8 px over steps elsewhere; 1 without blocks
    ]
)

Cells = NDArray[np.void]


@dataclass(frozen=True, eq=False)
class Survey:
    """Maps of cells of 16 px, `[H / 16, W / 16]`, rounded up, as `CELLS` has them."""

    cells: Cells


def survey(scene: Scene) -> Survey:
    """The survey of a scene, kept beside it.

    Raises:
        DamagedScene: the ingested file has been damaged or removed.
    """
    path = survey_file(scene.path)
    cells = _load(path, (scene.height, scene.width))
    left = list(range(0, scene.height, BAND))
    if cells is None:
        cells = np.zeros(_shape(scene.height, scene.width), CELLS)
    else:
        left = [top for top in left if cells["ground"][top // CELL, 0] < 0]
    if left:
        cells = np.array(cells)
        for top, band in zip(left, _bands(scene, left), strict=True):
            cells[top // CELL : (top + BAND) // CELL] = band
        with contextlib.suppress(OSError), whole_file(path) as part:  # else it is made again
            np.save(part, cells)
    return Survey(cells)


def survey_file(ingested: Path) -> Path:
    """The file of the survey of an ingested scene."""
    return ingested.with_name(ingested.stem + SUFFIX)


def _load(path: Path, size: tuple[int, int]) -> Cells | None:
    """The cells of a file, read when they are asked for; None where there is none of this size."""
    try:
        found = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    return found if found.dtype == CELLS and found.shape == _shape(*size) else None


def _shape(height: int, width: int) -> tuple[int, int]:
    return -(-height // CELL), -(-width // CELL)


def _bands(scene: Scene, tops: Iterable[int]) -> Iterator[Cells]:
    """The cells of bands, which begin at these lines."""
    compressed = scene.driver == "JPEG"

    def measure(top: int) -> Cells:
        patch = scene.read(Box(0, top, scene.width, min(top + BAND, scene.height)))
        return measured(patch.dn, patch.valid, patch.hole, ceiling_of(scene.bits), compressed)

    return map_in_order(measure, tops, THREADS)


def ceiling_of(bits: int) -> float:
    """The DN from which on a pixel of so many bits is saturated."""
    return float(2**bits - 1)


class SurveyAtWork:
    """The survey of a picture that comes strip by strip, in a file that can be gone on with.

    Where it cannot be written there is none: it is made when it is asked for.
    """

    def __init__(self, path: Path, size: tuple[int, int], bits: int, compressed: bool) -> None:
        """Begins the file of a scene of this height and width, of which nothing is known yet."""
        self.path, self.bits, self.compressed = path, bits, compressed
        self.height, (rows, cols) = size[0], _shape(*size)
        unknown = np.zeros(cols, CELLS)
        unknown["ground"] = -1
        self._line = unknown.tobytes()
        self._begin = 0  # of the cells in the file
        told = {"descr": CELLS.descr, "fortran_order": False, "shape": (rows, cols)}
        try:
            with path.open("wb") as file:
                np.lib.format.write_array_header_1_0(file, told)
                self._begin = file.tell()
                for _ in range(rows):
                    file.write(self._line)
        except OSError:
            self._give_up()

    def add(self, top: int, dn: NDArray[Any], missing: Mask) -> None:
        """Measures the whole bands in a strip `[lines, W]` that begins at line `top`."""
        for line in range(-top % BAND, len(dn), BAND):
            if line + BAND <= len(dn) or top + len(dn) == self.height:
                rows, ceiling = slice(line, line + BAND), ceiling_of(self.bits)
                valid = ~missing[rows]
                hole = np.zeros_like(valid)
                self._put(top + line, measured(dn[rows], valid, hole, ceiling, self.compressed))

    def forget(self, first: int, last: int) -> None:
        """Forgets the bands of the lines from `first` to `last`, whose ground is another now."""
        for top in range(first // BAND * BAND, last, BAND):
            lines = -(-min(BAND, self.height - top) // CELL)
            self._put(top, np.frombuffer(self._line * lines, CELLS))

    def _put(self, top: int, cells: Cells) -> None:
        try:
            with self.path.open("r+b") as file:
                file.seek(self._begin + top // CELL * len(self._line))
                file.write(cells.tobytes())
        except OSError:
            self._give_up()

    def _give_up(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


def measured(dn: NDArray[Any], valid: Mask, hole: Mask, ceiling: float, compressed: bool) -> Cells:
    """The cells of a band `[H, W]`, put together from those of its spans.

    Args:
        hole: True where the ground was filled.
        compressed: True where the picture is a JPEG.
    """
    width = dn.shape[1]
    usual = _usual(_steps(dn[::4].astype(np.float32, copy=False), valid[::4])[:, ::4])
    cells = np.empty(_shape(*dn.shape), CELLS)
    means = list[Floats]()
    for left in range(0, width, SPAN):
        span, before = slice(left, left + SPAN), min(left, 1)
        near = slice(left - before, left + SPAN)
        steps = _steps(dn[:, near].astype(np.float32, copy=False), valid[:, near])[:, before:]
        means.append(_mean_step(steps, usual, 0))
        part = dn[:, span].astype(np.float32, copy=False)
        own = cells[:, left // CELL : (left + SPAN) // CELL]
        _measure_levels(own, Patch(part, valid[:, span], hole[:, span]), ceiling)
        own["seams"] = _seams_across(part, valid[:, span])
    cells["seams"] |= _seam_cells(np.concatenate(means), usual, len(dn))
    cells["blocks"] = 1
    if compressed:
        cells["blocks"] = _blocks(np.abs(_steps(dn.astype(np.float32, copy=False), valid)))
    return cells


def _measure_levels(cells: Cells, patch: Patch, ceiling: float) -> None:
    """Measures spread, ground and what is saturated."""
    dn, saturated = patch.dn, patch.dn >= ceiling
    ground: Floats | float = 1.0
    if not patch.valid.all():
        dn, ground = np.where(patch.valid, dn, np.float32(0)), _mean(patch.valid)
        saturated &= patch.valid
    with np.errstate(invalid="ignore", divide="ignore"):
        level = _mean(dn) / ground
        cells["spread"] = np.sqrt(np.maximum(_mean(dn * dn) / ground - level**2, 0))
    cells["ground"], cells["saturated"] = ground, _mean(saturated | patch.hole)


def _steps(dn: Floats, valid: Mask) -> Floats:
    """The steps from column to column, 0 to the first and where either has no ground, `[H, W]`."""
    steps = np.diff(dn, axis=1, prepend=dn[:, :1])
    known = valid[:, 1:] & valid[:, :-1]
    if not known.all():
        steps[:, 1:][~known] = 0
    return steps


def _mean(values: NDArray[Any]) -> Floats:
    """Means over the cells, of which the last may be narrower, `[H, W]` to `[H / 16, W / 16]`."""
    height, width = values.shape
    down, across = -(-height // CELL), -(-width // CELL)
    if values.dtype == np.bool_:
        values = values.view(np.uint8)
    if height % CELL or width % CELL:
        values = np.pad(values, ((0, down * CELL - height), (0, across * CELL - width)))
    # Lines first, which are long; the sums of bytes are 16 at most.
    lines = np.add.reduce(values.reshape(down, CELL, across * CELL), axis=1, dtype=values.dtype)
    sums = np.add.reduce(lines.reshape(down, across, CELL), axis=2, dtype=np.float32)
    high, wide = (
        np.diff(np.arange(0, length, CELL), append=length).astype(np.float32)
        for length in (height, width)
    )
    return np.asarray(sums / (high[:, None] * wide), np.float32)


def _seams_across(dn: Floats, valid: Mask) -> Mask:
    """True in cells through which a seam runs across, each stretch of `BAND` columns by itself."""
    steps = _steps(dn.T, valid.T).T
    found = []
    for left in range(0, steps.shape[1], BAND):
        part = steps[:, left : left + BAND]
        usual = _usual(part[::4, ::4])
        cells = _seam_cells(_mean_step(part, usual, 1), usual, part.shape[1])
        found.append(np.repeat(cells[:, None], -(-part.shape[1] // CELL), axis=1))
    return np.concatenate(found, axis=1)


def _usual(steps: Floats) -> float:
    """The usual size of steps."""
    return max(MAD_TO_SIGMA * float(np.median(np.abs(steps))), SMALL)


def _mean_step(steps: Floats, usual: float, axis: int) -> Floats:
    """Mean steps along an axis, none counted as more than `STEP` usual ones."""
    return np.asarray(np.clip(steps, -STEP * usual, STEP * usual).mean(axis))


def _seam_cells(mean: Floats, usual: float, lines: int) -> Mask:
    """True in cells through which a seam runs, `[n / 16]`, given mean steps `[n]` of `lines`."""
    away = np.abs(mean - ndimage.median_filter(mean, NEAR, mode="nearest"))
    noise = MAD_TO_SIGMA * ndimage.median_filter(away, NEAR, mode="nearest")
    seam = away > SEAM * np.maximum(noise, usual / math.sqrt(lines))
    return np.asarray(np.logical_or.reduceat(seam, np.arange(0, len(mean), CELL)))


def _blocks(steps: Floats) -> Floats:
    """Steps at the borders of blocks over those within, `[H / 16, W / 16]`; blocks begin at 0."""
    border = np.zeros(steps.shape[1], np.float32)
    border[::JPEG_BLOCK] = 1
    border[0] = 0
    wide = [ndimage.uniform_filter(_mean(steps * part), 5) for part in (border, 1 - border)]
    within = wide[1] * (1 / (JPEG_BLOCK - 1)) + FAINT
    return np.asarray((wide[0] + FAINT) / within, np.float32)
