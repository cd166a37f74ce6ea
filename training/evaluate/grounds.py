"""Contestants that treat kinds of ground apart, as the article suggests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dashboard.detector import ARTICLE, Box, Scene, ScoreMap
from training.evaluate.contestants import IN_SAMPLE, OUT_OF_SAMPLE, Network, Scored

KINDS = 4  # of ground that the tiles of a scene are sorted into
FEWEST = 100  # tiles of a kind that is judged by its own scores

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Calibrated:
    """A network whose scores are measured among tiles of similar ground."""

    network: Network
    rule: str = ARTICLE

    @property
    def name(self) -> str:
        return f"{self.network.name}, by ground"

    @property
    def key(self) -> str:
        return f"{self.network.key} {KINDS} {FEWEST}"

    def sample(self, *names: str) -> str:
        """As the network."""
        return self.network.sample(*names)

    def score(self, scene: Scene, home: Path) -> Scored:
        """The network's scores in standard deviations above the mean of their kind of ground."""
        scored = self.network.score(scene, home)
        return replace(
            scored, scores=calibrate_per_kind(scored.scores, kinds_of(scene, scored.scores))
        )


@dataclass(frozen=True)
class Apart:
    """One network for each scene, trained on that alone."""

    name: str
    networks: Mapping[str, Network]  # by the name of the scene
    rule: str = ARTICLE

    @property
    def key(self) -> str:
        return " ".join(
            f"{scene} {network.key}" for scene, network in sorted(self.networks.items())
        )

    def sample(self, *names: str) -> str:
        """`in` for the scenes that have a network of their own."""
        return IN_SAMPLE if set(names) & set(self.networks) else OUT_OF_SAMPLE

    def score(self, scene: Scene, home: Path) -> Scored:
        """The scores of the scene's own network."""
        return self.networks[scene.name].score(scene, home)


def kinds_of(scene: Scene, scores: ScoreMap) -> NDArray[np.intp]:
    """The kind of ground of each tile, `[rows, cols]`: clusters of brightness and roughness."""
    from sklearn.cluster import KMeans

    grid = scores.grid
    dn = scene.read(Box(0, 0, scene.width, scene.height)).dn
    light = (dn - scene.centre) / np.float32(scene.scale)
    smooth = ndimage.gaussian_filter(light, 4.0)
    down, right = np.gradient(light)
    layers = [
        _tiles(light, scores),
        np.log(_tiles((light - smooth) ** 2, scores) + 1e-3),
        np.log(_tiles((smooth - _wide(smooth, grid.tile)) ** 2, scores) + 1e-3),
        np.log(_tiles(down**2 + right**2, scores) + 1e-3),
    ]
    features = np.stack(layers, axis=-1).reshape(-1, len(layers))
    features = (features - features.mean(0)) / np.maximum(features.std(0), 1e-6)
    found = KMeans(KINDS, n_init=4, random_state=0).fit_predict(features)
    return np.asarray(found, np.intp).reshape(grid.rows, grid.cols)


def calibrate_per_kind(scores: ScoreMap, kinds: NDArray[np.intp]) -> ScoreMap:
    """The scores in standard deviations above the mean of their kind; rare kinds as the whole."""
    values = scores.sigma_of(scores.values).astype(np.float32)
    for kind in np.unique(kinds):
        mine = (kinds == kind) & np.isfinite(scores.values)
        inside = scores.values[mine]
        if len(inside) >= FEWEST and inside.std() > 0:
            values[mine] = (inside - inside.mean()) / inside.std()
    return replace(scores, values=values)


def _wide(layer: Floats, side: int) -> Floats:
    return np.asarray(ndimage.uniform_filter(layer, side))


def _tiles(layer: Floats, scores: ScoreMap) -> Floats:
    """The means of a layer over the grid's tiles, `[rows, cols]`."""
    grid = scores.grid
    first = grid.tile // 2
    means = _wide(layer, grid.tile)[first :: grid.stride, first :: grid.stride]
    return means[: grid.rows, : grid.cols]
