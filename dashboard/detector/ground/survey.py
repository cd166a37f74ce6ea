"""A survey of the ground, cell by cell: brightness, roughness, saturation, seams, JPEG blocks.

One pass over the ingested scene, in bounded memory. It says nothing of scores: it tells kinds of
ground apart (`roughness.py`) and finds what the camera or the file made (`artefacts.py`).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dashboard.detector.arrays import Floats
from dashboard.detector.scenes.dn_statistics import MAD_TO_SIGMA
from dashboard.detector.scenes.scene import Patch, Scene
from dashboard.detector.system.prefetch import map_in_order
from dashboard.detector.system.whole_file import whole_file
from dashboard.detector.tiling import Box

CELL = 16  # px
BAND = 256  # px; seams are looked for in bands of so many lines, which is also what is read at once
THREADS = 2  # bands measured at once; each takes up to 0.3 GB in a whole scene
VERSION = 3  # of the stored file
# A seam is a step that all lines of a band share: natural steps wander. Its mean over a band is
# compared with those of the columns around it.
SEAM = 10.0  # robust standard deviations
STEP = 2.0  # of them is what one line counts at most, lest a lander's edge make a seam of the band
SMALL = 0.5  # DN; where all steps are smaller, they are rounding
NEAR = 65  # columns
JPEG_BLOCK = 8  # px
FAINT = 0.02  # DN; keeps flat ground, where no step is to be seen, from counting as blocks


@dataclass(frozen=True, eq=False)
class Survey:
    """Maps of cells of 16 px, `[H / 16, W / 16]` float32, rounded up."""

    level: Floats  # mean DN of the ground; NaN where there is none
    spread: Floats  # standard deviation of its DN
    ground: Floats  # part of the cell that is no nodata
    saturated: Floats  # part that was clipped by the camera, or filled
    seams: Floats  # 1 where a seam runs through, down or across
    blocks: Floats  # steps at borders of 8 px over steps elsewhere; 1 where there are no blocks

    def save(self, path: Path) -> None:
        """Writes the maps in one step."""
        maps = {field.name: getattr(self, field.name) for field in fields(self)}
        with whole_file(path) as part:
            np.savez(part, version=np.array(VERSION), **maps)

    @classmethod
    def load(cls, path: Path) -> Survey | None:
        """The maps of a file; None where there is none, or of another version."""
        try:
            with np.load(path) as stored:
                if stored["version"] == VERSION:
                    return cls(**{field.name: stored[field.name] for field in fields(cls)})
        except (OSError, ValueError, KeyError):
            return None
        return None


def survey(scene: Scene, folder: Path | None = None) -> Survey:
    """The survey of a scene, kept in `folder` where one is given.

    Raises:
        DamagedScene: the ingested file has been damaged or removed.
    """
    path = folder / "survey.npz" if folder else None
    found = Survey.load(path) if path else None
    if found is None:
        bands = list(_bands(scene))
        found = Survey(*(np.concatenate(maps) for maps in zip(*bands, strict=True)))
        if path:
            with contextlib.suppress(OSError):  # where none may write, it is surveyed again
                found.save(path)
    return found


def _bands(scene: Scene) -> Iterator[tuple[Floats, ...]]:
    """The maps of one band of lines after the other."""
    ceiling, compressed = float(2**scene.bits - 1), scene.driver == "JPEG"

    def measure(top: int) -> tuple[Floats, ...]:
        patch = scene.read(Box(0, top, scene.width, min(top + BAND, scene.height)))
        return _measure_cells(patch, ceiling, compressed)

    return map_in_order(measure, range(0, scene.height, BAND), THREADS)


def _measure_cells(patch: Patch, ceiling: float, compressed: bool) -> tuple[Floats, ...]:
    dn, ground = patch.dn, _mean(patch.valid)
    across, down = np.diff(dn, axis=1, prepend=dn[:, :1]), np.diff(dn, axis=0, prepend=dn[:1])
    if not patch.valid.all():
        across[:, 1:] *= patch.valid[:, 1:] & patch.valid[:, :-1]
        down[1:] *= patch.valid[1:] & patch.valid[:-1]
        dn = dn * patch.valid
    with np.errstate(invalid="ignore", divide="ignore"):
        level = _mean(dn) / ground
        spread = np.sqrt(np.maximum(_mean(dn**2) / ground - level**2, 0))
    saturated = _mean((patch.dn >= ceiling) | patch.hole)
    seams = np.maximum(_columns(across), _columns(down.T).T)
    blocks = _blocks(np.abs(across)) if compressed else np.ones_like(level)
    return level, spread, ground, saturated, seams, blocks


def _mean(values: NDArray[Any]) -> Floats:
    """Means over the cells, of which the last may be narrower, `[H, W]` to `[H / 16, W / 16]`."""
    height, width = values.shape
    tops, lefts = np.arange(0, height, CELL), np.arange(0, width, CELL)
    sums = np.add.reduceat(values, lefts, axis=1, dtype=np.float32)
    counts = np.diff(tops, append=height)[:, None] * np.diff(lefts, append=width)
    return np.asarray(np.add.reduceat(sums, tops, axis=0) / counts, np.float32)


def _columns(steps: Floats) -> Floats:
    """1 in cells through which a seam runs down, given the steps from column to column `[H, W]`.

    Each stretch of `BAND` lines is judged by itself.
    """
    height, width = steps.shape
    lefts = np.arange(0, width, CELL)
    found = []
    for top in range(0, height, BAND):
        lines = steps[top : top + BAND]
        usual = max(MAD_TO_SIGMA * float(np.median(np.abs(lines[::4, ::4]))), SMALL)
        mean = np.clip(lines, -STEP * usual, STEP * usual).mean(axis=0)
        away = np.abs(mean - ndimage.median_filter(mean, NEAR, mode="nearest"))
        noise = MAD_TO_SIGMA * ndimage.median_filter(away, NEAR, mode="nearest")
        seam = away > SEAM * np.maximum(noise, usual / math.sqrt(len(lines)))
        cells = np.maximum.reduceat(seam.astype(np.float32), lefts)
        found.append(np.repeat(cells[None], -(-len(lines) // CELL), axis=0))
    return np.concatenate(found)


def _blocks(steps: Floats) -> Floats:
    """Steps at the borders of blocks over those within, `[H / 16, W / 16]`; blocks begin at 0."""
    border = np.zeros(steps.shape[1], np.float32)
    border[::JPEG_BLOCK] = 1
    border[0] = 0
    wide = [ndimage.uniform_filter(_mean(steps * part), 5) for part in (border, 1 - border)]
    within = wide[1] * (1 / (JPEG_BLOCK - 1)) + FAINT
    return np.asarray((wide[0] + FAINT) / within, np.float32)
