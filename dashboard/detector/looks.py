"""How rare the look of each part of a scene is, so that a place is judged among its look-alikes.

A part of the ground is described by the brightest and the darkest spot in it, in four sizes. Where
much of the scene looks the same (dark spots on dunes, boulders), what is there is ordinary however
badly a network completes it; where hardly anything does, a lower score is worth a look.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from dashboard.detector.ahead import side_by_side
from dashboard.detector.rules import Doubles, Kinds
from dashboard.detector.scene import Scene
from dashboard.detector.scores import Floats, ScoreMap
from dashboard.detector.statistics import MAD_TO_SIGMA
from dashboard.detector.tiling import Box

CELL = 16  # px
AROUND = 3  # cells each way that make a look: 48 px
SIZES = 4  # of spots, each twice the last
INNER, OUTER = 1.0, 2.0  # px: a spot stands out by the difference of two such Gaussians
REACH = 8  # px that the wider of them takes in, each way
BAND = 256  # px; lines that are read at once
THREADS = 2
VERSION = 1  # of the stored file
# The sample is one look in nine, so that neighbours do not share pixels; of a scene without end no
# more than so many. Its tenth nearest tells how rare a look is: an object must not be its own kind.
SAMPLE, NEAREST = 8_000, 10
APPROXIMATE = 1.0  # part by which the distance may be too large: a third of the time
FEWEST = 300  # looks in the sample that can tell what is rare
RAREST = 6.0  # robust standard deviations, beyond which all is equally rare
KINDS = 256  # parts that rarity is told apart in


@dataclass(frozen=True, eq=False)
class Looks:
    """How rare each look is, `rarity [H / 16, W / 16]` float32, rounded up.

    That is the logarithm of the distance to its look-alikes in robust standard deviations; 0 is
    ordinary. All is 0 in a scene too small to tell.
    """

    rarity: Floats

    def save(self, path: Path) -> None:
        """Writes the map in one step."""
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".looks-", delete=False) as part:
            np.savez(part, version=np.array(VERSION), rarity=self.rarity)
        Path(part.name).replace(path)

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


def looks(scene: Scene, folder: Path | None = None) -> Looks:
    """The looks of a scene, kept in `folder` where one is given.

    Raises:
        DamagedScene: the ingested file has been damaged or removed.
    """
    path = folder / "looks.npz" if folder else None
    found = Looks.load(path) if path else None
    if found is None:
        found = Looks(rarity(np.concatenate(list(_bands(scene)), axis=1)))
        if path:
            with contextlib.suppress(OSError):  # where none may write, it is worked out again
                found.save(path)
    return found


def _bands(scene: Scene) -> Iterator[Floats]:
    """The spots of one band of lines after the other."""

    def found(top: int) -> Floats:
        patch = scene.read(Box(0, top, scene.width, min(top + BAND, scene.height)))
        return spots(patch.dn, patch.valid)

    return side_by_side(found, range(0, scene.height, BAND), THREADS)


def spots(dn: Floats, valid: NDArray[np.bool_]) -> Floats:
    """The brightest and the darkest spot of each size in each cell, `[2 SIZES, H / 16, W / 16]`.

    They are in DN against what is around; near nodata there are none.

    Args:
        dn: pixels `[H, W]`.
        valid: where they are ground.
    """
    fill = [(0, -length % CELL) for length in dn.shape]
    dn, ground = np.pad(dn, fill, mode="edge"), np.pad(valid, fill, mode="edge")
    found = []
    for size in range(SIZES):
        if size:
            dn, ground = _halved(dn), _halved(ground.astype(np.float32)) == 1
        apart = ndimage.gaussian_filter(dn, INNER) - ndimage.gaussian_filter(dn, OUTER)
        if not ground.all():
            apart *= ndimage.minimum_filter(ground, 2 * REACH + 1)
        side = CELL >> size
        cells = apart.reshape(apart.shape[0] // side, side, apart.shape[1] // side, side)
        found += [cells.max(axis=(1, 3)), cells.min(axis=(1, 3))]
    return np.stack(found)


def rarity(found: Floats) -> Floats:
    """How rare each look is, `[h, w]`, given the spots in the cells `[2 SIZES, h, w]`."""
    features = np.stack([_scaled(_around(part, dark)) for dark, part in enumerate(found)], axis=-1)
    sample = features[1::AROUND, 1::AROUND].reshape(-1, len(found))
    sample = sample[:: -(-len(sample) // SAMPLE) or 1]
    if len(sample) < FEWEST:
        return np.zeros(found.shape[1:], np.float32)
    tree = cKDTree(sample)
    nearest = [NEAREST]
    apart = [tree.query(row, nearest, eps=APPROXIMATE, workers=THREADS)[0] for row in features]
    far = np.log(np.array(apart)[:, :, 0] + 1e-3)
    usual = float(np.median(far))
    scale = MAD_TO_SIGMA * float(np.median(np.abs(far - usual))) or 1.0
    return np.clip((far - usual) / scale, -RAREST, RAREST).astype(np.float32)


def _around(part: Floats, dark: int) -> Floats:
    """The brightest, or the darkest, of the cells around each."""
    largest = ndimage.minimum_filter if dark % 2 else ndimage.maximum_filter
    return np.asarray(largest(part, AROUND, mode="nearest"))


def _scaled(part: Floats) -> Floats:
    """In robust standard deviations, their outer ones drawn in as by a logarithm."""
    usual = np.median(part)
    scale = MAD_TO_SIGMA * np.median(np.abs(part - usual)) or np.float32(1)
    return np.asarray(np.arcsinh((part - usual) / scale), np.float32)


def _halved(pixels: Floats) -> Floats:
    height, width = pixels.shape
    blocks = pixels.reshape(height // 2, 2, width // 2, 2)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)
