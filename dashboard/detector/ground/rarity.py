"""How rare the look of each part of a scene is, so that a place is judged among its look-alikes.

A part of the ground is described by the brightest and the darkest spot in it, in four sizes. Where
much of the scene looks the same (dark spots on dunes, boulders), what is there is ordinary however
badly a network completes it; where hardly anything does, a lower score is worth a look.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from dashboard.detector.arrays import Doubles, Floats, Kinds
from dashboard.detector.ground.blobs import Span, Spots
from dashboard.detector.scanning.score_map import ScoreMap
from dashboard.detector.scenes.dn_statistics import MAD_TO_SIGMA
from dashboard.detector.scenes.scene import Scene
from dashboard.detector.system.prefetch import map_in_order
from dashboard.detector.system.whole_file import whole_file
from dashboard.detector.tiling import Box

CELL = 16  # px
AROUND = 3  # cells each way that make a look: 48 px
SPOTS = Spots(CELL, 4)
LINES = 512  # of ground that are read at once
THREADS = 2
VERSION = 2  # of the stored file
# The sample is one look in nine, so that neighbours do not share pixels; of a scene without end no
# more than so many. Its tenth nearest tells how rare a look is: an object must not be its own kind.
SAMPLE, NEAREST = 8_000, 10
APPROXIMATE = 1.0  # part by which the distance may be too large: a third of the time
FEWEST = 300  # looks in the sample that can tell what is rare
RAREST = 12.0  # robust standard deviations, beyond which all is equally rare
KINDS = 256  # parts that rarity is told apart in
FINDING = 0.7  # of the time that spots take, the rest is comparing looks

Watch = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Looks:
    """How rare each look is, `rarity [H / 16, W / 16]` float32, rounded up.

    That is the logarithm of the distance to its look-alikes in robust standard deviations; 0 is
    ordinary. All is 0 in a scene too small to tell.
    """

    rarity: Floats

    def save(self, path: Path) -> None:
        """Writes the map in one step."""
        with whole_file(path) as part:
            np.savez(part, version=np.array(VERSION), rarity=self.rarity)

    @classmethod
    def load(cls, path: Path) -> Looks | None:
        """The map of a file; None where there is none, or of another version."""
        try:
            with np.load(path) as stored:
                return cls(stored["rarity"]) if stored["version"] == VERSION else None
        except (OSError, ValueError, KeyError):
            return None

    def kinds(self, scores: ScoreMap) -> tuple[Kinds, Doubles]:
        """The kind of look at each position of a score map, `[rows, cols]`, and each kind's rarity.

        Kinds are equal steps of rarity.
        """
        grid = scores.grid
        rows, cols = (
            np.minimum((np.arange(count) * grid.stride + grid.tile // 2) // CELL, length - 1)
            for count, length in zip((grid.rows, grid.cols), self.rarity.shape, strict=True)
        )
        low, high = float(self.rarity.min()), float(self.rarity.max())
        step = (high - low) / (KINDS - 1) or 1.0
        kinds: Kinds = np.rint((self.rarity - low) / step).astype(np.uint8)
        return kinds[rows][:, cols], np.asarray(low + step * np.arange(KINDS), np.float64)


def looks(scene: Scene, folder: Path | None = None, on_progress: Watch | None = None) -> Looks:
    """The looks of a scene, kept in `folder` where one is given.

    Args:
        on_progress: called with the part that is done, 0 to 1.

    Raises:
        DamagedScene: the ingested file has been damaged or removed.
    """
    path = folder / "looks.npz" if folder else None
    found = Looks.load(path) if path else None
    if found is None:
        found = Looks(rarity(_spots_of(scene, on_progress), on_progress))
        if path:
            with contextlib.suppress(OSError):  # where none may write, it is worked out again
                found.save(path)
    return found


def _spots_of(scene: Scene, on_progress: Watch | None = None) -> Floats:
    """The spots of a scene, some lines and columns of it after the other."""

    def found(lines: Span) -> Floats:
        patch = scene.read(Box(0, lines.first, scene.width, min(lines.last, scene.height)))
        return SPOTS.of_lines(patch.dn, patch.valid, lines)

    bands = []
    for band in map_in_order(found, SPOTS.spans(scene.height, LINES), THREADS):
        bands.append(band)
        if on_progress:
            on_progress(FINDING * min(len(bands) * LINES / scene.height, 1.0))
    return np.concatenate(bands, axis=1)


def rarity(found: Floats, on_progress: Watch | None = None) -> Floats:
    """How rare each look is, `[h, w]`, given the spots in the cells, `[2 sizes, h, w]`.

    It is 0 where there is no ground.
    """
    known = np.isfinite(found[0])
    spotted = np.where(known, found, 0)
    looks = [_scaled(_around(part, dark), known) for dark, part in enumerate(spotted)]
    features = np.stack(looks, axis=-1)
    apart = slice(1, None, AROUND)
    sample = features[apart, apart][known[apart, apart]]
    sample = sample[:: -(-len(sample) // SAMPLE) or 1]
    rare = np.zeros(known.shape, np.float32)
    if len(sample) < FEWEST:
        return rare
    tree = cKDTree(sample)
    for row, there in enumerate(known):
        where, nearest = features[row, there], [NEAREST]
        far = tree.query(where, nearest, eps=APPROXIMATE, workers=THREADS)[0][:, 0]
        rare[row, there] = np.log(far + 1e-3)
        if on_progress and row % CELL == 0:
            on_progress(FINDING + (1 - FINDING) * row / len(known))
    usual = float(np.median(rare[known]))
    scale = MAD_TO_SIGMA * float(np.median(np.abs(rare[known] - usual))) or 1.0
    return np.where(known, np.clip((rare - usual) / scale, -RAREST, RAREST), 0).astype(np.float32)


def _around(part: Floats, dark: int) -> Floats:
    """The brightest, or the darkest, of the cells around each."""
    largest = ndimage.minimum_filter if dark % 2 else ndimage.maximum_filter
    return np.asarray(largest(part, AROUND, mode="nearest"))


def _scaled(part: Floats, known: NDArray[np.bool_]) -> Floats:
    """In robust standard deviations of ground, their outer ones drawn in as by a logarithm."""
    usual = np.median(part[known]) if known.any() else np.float32(0)
    scale = MAD_TO_SIGMA * np.median(np.abs(part[known] - usual)) if known.any() else 0
    return np.asarray(np.arcsinh((part - usual) / (scale or 1)), np.float32)
