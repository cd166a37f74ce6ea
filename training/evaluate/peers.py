"""Detectors of other schools, each fitted to the scene itself, for the same table.

All score the same grid as the networks that score areas, every `STRIDE` px, and their scores become
places by the same non-maximum suppression. None needs weights; the seeds are fixed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import ndimage

from dashboard.detector import ARTICLE, Box, Grid, NoGround, Scene, SceneTooLarge, ScoreMap
from training.evaluate.contestants import OWN_GROUND, Contestant, Scored

VERSION = 1  # of the peers; a change makes stored cases stale
STRIDE, TILE, WINDOW = 4, 128, 28  # px, as `guarded`
VALID = 0.99  # part of a tile that must be ground, as for the networks
OBSERVED = 0.5  # part of a window that must be observed and no filled hole, likewise
LARGEST = 1 << 27  # px; the peers hold the whole scene in memory
INNER, GUARD, OUTER = 12, 28, 64  # px of local RX: what is tested, left out, compared with
SCALES = (1.0, 2.0, 4.0, 8.0)  # px, of the filters
PATCH = 16  # values along a side of a patch
SHRINK = 2  # px of the scene for one of them
COMPONENTS = 24  # principal components kept
FITTED = 20_000  # positions fitted to
TREES = 100  # of the forest
ROWS = 32  # of the grid, worked on at a time

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Ground:
    """A scene in units of its robust sigma, `[H, W]`, and its grid with what can be scored."""

    light: Floats
    grid: Grid
    chosen: Mask

    @classmethod
    def of(cls, scene: Scene) -> Ground:
        """The whole scene, in memory.

        Raises:
            SceneTooLarge: it does not fit.
            NoGround: nothing in it can be scored.
        """
        if scene.width * scene.height > LARGEST:
            raise SceneTooLarge(
                f"{scene.name}: {scene.width} x {scene.height} px are too many for the peers, "
                f"which hold up to {LARGEST:,} px in memory; leave out --peers"
            )
        grid = Grid(scene.width, scene.height, TILE, STRIDE)
        patch = scene.read(Box(0, 0, scene.width, scene.height))
        rim = (TILE - WINDOW) // 2
        observed = (patch.valid & ~patch.hole)[rim : scene.height - rim, rim : scene.width - rim]
        chosen = (_shares(patch.valid, TILE) >= VALID) & (_shares(observed, WINDOW) >= OBSERVED)
        if not chosen.any():
            raise NoGround(f"{scene.name}: no tile of {TILE} px holds {VALID:.0%} ground")
        return cls((patch.dn - scene.centre) / np.float32(scene.scale), grid, chosen)

    def sampled(self, layer: Floats) -> Floats:
        """A layer `[H, W]` at the middles of the grid's positions, `[rows, cols]`."""
        first = TILE // 2
        rows, cols = self.grid.rows, self.grid.cols
        return layer[first::STRIDE, first::STRIDE][:rows, :cols]

    def some(self) -> NDArray[np.intp]:
        """Flat numbers of positions to fit to, fixed, of those that can be scored."""
        every = np.flatnonzero(self.chosen)
        rng = np.random.default_rng(0)
        return np.sort(rng.choice(every, min(FITTED, len(every)), replace=False))


@dataclass(frozen=True)
class Peer:
    """A detector by name, and what it gives `[rows, cols]` for some ground."""

    name: str
    map_of: Callable[[Ground], Floats]
    rule: str = ARTICLE

    @property
    def key(self) -> str:
        return f"{self.name} {VERSION}"

    def sample(self, *_: str) -> str:
        """Always `own`: it is fitted to the scene it scores."""
        return OWN_GROUND

    def score(self, scene: Scene, home: Path) -> Scored:
        """The scores, of a fit and a pass over the whole scene."""
        began = time.monotonic()
        ground = Ground.of(scene)
        values = np.where(ground.chosen, self.map_of(ground), np.nan).astype(np.float32)
        seconds = time.monotonic() - began
        return Scored(ScoreMap(values, ground.grid, WINDOW), seconds, "CPU, numpy")


def local_rx(ground: Ground) -> Floats:
    """How far the mean of a window lies from its surroundings beyond a guard window, in sigma.

    Reed and Xiaoli (1990) for one band.
    """
    tested = ndimage.uniform_filter(ground.light, INNER)
    near, far = GUARD**2, OUTER**2
    sums = [
        far * ndimage.uniform_filter(power, OUTER) - near * ndimage.uniform_filter(power, GUARD)
        for power in (tested, tested**2)
    ]
    mean, square = (total / (far - near) for total in sums)
    spread = np.sqrt(np.maximum(square - mean**2, 1e-4))
    return ground.sampled(np.abs(tested - mean) / spread)


def features(ground: Ground) -> Floats:
    """Responses of simple filters at each position, `[rows, cols, n]`.

    At each of four scales: the contrast to the next coarser scale, the strength of edges, and how
    much varies nearby.
    """
    layers = []
    finer = ground.light
    for scale in SCALES:
        smooth = ndimage.gaussian_filter(finer, scale)
        down, right = np.gradient(smooth)
        contrast = finer - smooth
        layers += [
            ground.sampled(ndimage.gaussian_filter(contrast, scale)),
            ground.sampled(np.hypot(down, right) * np.float32(scale)),
            np.log(ground.sampled(ndimage.gaussian_filter(contrast**2, 2 * scale)) + 1e-4),
        ]
        finer = smooth
    return np.stack(layers, axis=-1)


def gaussian(ground: Ground) -> Floats:
    """Mahalanobis distance of the filters' answers: one Gaussian, with a shrunk covariance.

    As PaDiM (Defard et al. 2020), on filters instead of a trained network, and with one Gaussian
    for the scene, since places of one scene do not correspond.
    """
    from sklearn.covariance import LedoitWolf

    found = features(ground)
    flat = found.reshape(-1, found.shape[-1])
    fitted = LedoitWolf().fit(flat[ground.some()])
    distances = np.sqrt(fitted.mahalanobis(flat)).reshape(found.shape[:2])
    return np.asarray(distances, np.float32)


def isolation_forest(ground: Ground) -> Floats:
    """How easily random cuts isolate the filters' answers (Liu, Ting and Zhou 2008)."""
    from sklearn.ensemble import IsolationForest

    found = features(ground)
    flat = found.reshape(-1, found.shape[-1])
    forest = IsolationForest(n_estimators=TREES, random_state=0).fit(flat[ground.some()])
    scores = np.zeros(len(flat), np.float32)
    numbers = np.flatnonzero(ground.chosen)
    for part in np.array_split(numbers, max(1, len(numbers) // 100_000)):
        scores[part] = -forest.score_samples(flat[part])
    return scores.reshape(found.shape[:2])


def principal_components(ground: Ground) -> Floats:
    """The residual of a patch's middle beyond the principal components of the scene's patches.

    The mean absolute residual over the central half of halved patches of 32 px.
    """
    from sklearn.decomposition import PCA

    halved = ndimage.uniform_filter(ground.light, SHRINK)
    sampled = np.unravel_index(ground.some(), ground.chosen.shape)
    windows = _patches(halved)
    fitted = PCA(COMPONENTS, svd_solver="randomized", random_state=0).fit(
        _level(windows[sampled].reshape(-1, PATCH * PATCH))
    )
    basis = fitted.components_.astype(np.float32)
    scores = np.zeros(ground.chosen.shape, np.float32)
    for rows in _rows(ground.grid):
        part = windows[rows].reshape(-1, PATCH * PATCH)
        level = _level(part) - fitted.mean_.astype(np.float32)
        left = np.abs(level - (level @ basis.T) @ basis).reshape(-1, PATCH, PATCH)
        middle = slice(PATCH // 4, PATCH - PATCH // 4)
        scores[rows] = left[:, middle, middle].mean((1, 2)).reshape(scores[rows].shape)
    return scores


PEERS = {
    "local RX": local_rx,
    "PCA of patches": principal_components,
    "Gaussian of filters": gaussian,
    "isolation forest": isolation_forest,
}


def peers() -> list[Contestant]:
    """All of them."""
    return [Peer(name, map_of) for name, map_of in PEERS.items()]


def _patches(halved: Floats) -> Floats:
    """Views `[rows, cols, PATCH, PATCH]` of the halved patches around the positions."""
    first = TILE // 2 - PATCH * SHRINK // 2
    height, width = (side - 2 * first for side in halved.shape)
    inner = halved[first : first + height, first : first + width]
    span = (PATCH - 1) * SHRINK + 1
    windows = sliding_window_view(inner, (span, span))[::STRIDE, ::STRIDE, ::SHRINK, ::SHRINK]
    rows, cols = ((side - TILE) // STRIDE + 1 for side in halved.shape)
    return windows[:rows, :cols]


def _level(patches: Floats) -> Floats:
    return np.asarray(patches - patches.mean(axis=1, keepdims=True))


def _rows(grid: Grid) -> Iterator[slice]:
    for first in range(0, grid.rows, ROWS):
        yield slice(first, first + ROWS)


def _shares(mask: Mask, side: int) -> NDArray[np.float64]:
    """The part of each square of `side` px, every `STRIDE` px, that is True."""
    total = np.pad(mask.cumsum(0, dtype=np.int64).cumsum(1), ((1, 0), (1, 0)))
    low, high = total[:-side:STRIDE], total[side::STRIDE]
    sums = high[:, side::STRIDE] - high[:, :-side:STRIDE]
    return np.asarray((sums - low[:, side::STRIDE] + low[:, :-side:STRIDE]) / side**2)
