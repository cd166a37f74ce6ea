"""Random windows of ground, drawn reproducibly from any number of scenes.

Scenes are read by windows through the detector's own `Scene`, so that training and inference see
the same pixels; no scene is ever held in memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, Sampler

from dashboard.detector.errors import NeedleError, NoGround, SceneNotFound
from dashboard.detector.scenes.ingest import ingest
from dashboard.detector.scenes.scene import Patch, Scene
from dashboard.detector.tiling import Box
from training.networks.article import TILE
from training.truth import truth_of

VALID = 0.99  # of a window's pixels must be ground, as in the article
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".jp2", ".j2k"})
TRIES = 200  # windows looked at before a scene counts as too full of holes


@dataclass(frozen=True)
class Source:
    """The pictures of one `--scenes` argument: a picture, or a folder of them."""

    name: str
    scenes: tuple[Scene, ...]
    left_out: tuple[tuple[Box, ...], ...]  # a tuple of boxes for each scene

    @property
    def area(self) -> int:
        return sum(scene.width * scene.height for scene in self.scenes)


def boxes_of_truth(picture: Path, scene: Scene) -> tuple[Box, ...]:
    """The boxes of the objects known in a picture; none where it has no truth."""
    truth = truth_of(picture, scene)
    return tuple(known.box for known in truth.objects) if truth else ()


def pictures_in(argument: str | Path) -> list[Path]:
    """The pictures that one `--scenes` argument names, in a fixed order."""
    path = Path(argument)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise SceneNotFound(f"{path}: no such picture or folder")
    found = sorted(inner for inner in path.iterdir() if inner.suffix.lower() in PICTURES)
    if not found:
        raise SceneNotFound(f"{path}: the folder holds no PNG, JPEG, TIFF or JPEG 2000 picture")
    return found


def gather(
    arguments: Sequence[str | Path],
    polluted: bool,
    track: Callable[[Sequence[Path], str], Iterator[Path]] = lambda paths, _: iter(paths),
) -> list[Source]:
    """The sources that the `--scenes` arguments name, ingested.

    Args:
        arguments: pictures, or folders of pictures.
        polluted: keep windows that touch a known object, as the article does.
        track: wraps the pictures of a source to show progress.

    Raises:
        SceneError: a single picture cannot be used. In a folder, pictures without ground are
            skipped; any other fault is raised.
    """
    sources = []
    for argument in arguments:
        scenes, left_out = [], []
        pictures = pictures_in(argument)
        for picture in track(pictures, Path(argument).name):
            try:
                scenes.append(ingest(picture))
            except NoGround:
                if len(pictures) == 1:
                    raise
                continue
            left_out.append(() if polluted else boxes_of_truth(picture, scenes[-1]))
        sources.append(Source(Path(argument).name, tuple(scenes), tuple(left_out)))
    return sources


def large(sources: Sequence[Source], side: int) -> list[Source]:
    """The sources with the scenes that hold a window of this side; all of them if none does."""
    kept = []
    for source in sources:
        pairs = zip(source.scenes, source.left_out, strict=True)
        chosen = [pair for pair in pairs if min(pair[0].width, pair[0].height) >= side]
        if chosen:
            scenes, left_out = zip(*chosen, strict=True)
            kept.append(replace(source, scenes=scenes, left_out=left_out))
    return kept or list(sources)


def mirrored(patch: Patch, side: int) -> Patch:
    """The patch mirrored outward to at least `side` px each way; as it is where large enough."""
    height, width = patch.dn.shape
    tall, wide = max(0, side - height), max(0, side - width)
    if not tall and not wide:
        return patch
    pads = ((tall // 2, tall - tall // 2), (wide // 2, wide - wide // 2))

    def grown(part: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.pad(part, pads, "symmetric"))

    return Patch(grown(patch.dn), grown(patch.valid), grown(patch.hole))


class Drawn(NamedTuple):
    """A window of ground, DN `[side, side]`, and the scene that it was taken from."""

    dn: np.ndarray
    scene: Scene


class Windows(Dataset[tuple[Any, ...]]):
    """Random windows by number: `(dn [1, side, side] float32, centre, scale)`.

    Window `i` depends on the seed and on `i` alone, so that neither the number of workers nor a
    resumed run changes what is seen. A source is drawn in proportion to the square root of its
    area (a folder of many chips must not drown one large scene), a scene within it in proportion
    to its area, a window within that uniformly; windows with less than 99 % ground and windows
    that touch a left-out box are drawn again.
    """

    def __init__(self, sources: Sequence[Source], seed: int, turns: bool, side: int = TILE) -> None:
        if not any(source.scenes for source in sources):
            raise SceneNotFound("there is nothing to train on; name at least one picture")
        self.sources = [source for source in sources if source.scenes]
        self.seed = seed
        self.turns = turns
        self.side = side
        roots = np.array([math.sqrt(source.area) for source in self.sources])
        self.source_odds = roots / roots.sum()
        self.scene_odds = []
        for source in self.sources:
            areas = np.array([scene.width * scene.height for scene in source.scenes], float)
            self.scene_odds.append(areas / areas.sum())

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        drawn = self.window(np.random.default_rng((self.seed, index)), lambda _: self.side)
        return torch.from_numpy(drawn.dn[None]), drawn.scene.centre, drawn.scene.scale

    def window(self, rng: np.random.Generator, side_of: Callable[[Scene], int]) -> Drawn:
        """A window at random, its side in px as `side_of` says for a scene.

        Raises:
            NeedleError: the scenes have too little ground.
        """
        for _ in range(TRIES):
            which = int(rng.choice(len(self.sources), p=self.source_odds))
            source = self.sources[which]
            inner = int(rng.choice(len(source.scenes), p=self.scene_odds[which]))
            scene = source.scenes[inner]
            dn = self._draw(scene, source.left_out[inner], side_of(scene), rng)
            if dn is not None:
                return Drawn(dn, scene)
        raise NeedleError(
            f"no window of {self.side} px with {VALID:.0%} ground was found in {TRIES} tries; "
            "give scenes with less nodata"
        )

    def _draw(
        self, scene: Scene, left_out: tuple[Box, ...], side: int, rng: np.random.Generator
    ) -> np.ndarray | None:
        x = int(rng.integers(max(1, scene.width - side + 1)))
        y = int(rng.integers(max(1, scene.height - side + 1)))
        box = Box(x, y, min(x + side, scene.width), min(y + side, scene.height))
        turn = int(rng.integers(8))
        if any(box.overlaps(out) for out in left_out):
            return None
        patch = mirrored(scene.read(box), side)
        if patch.valid.mean() < VALID:
            return None
        return turn_square(patch.dn, turn) if self.turns else patch.dn


def turn_square(dn: np.ndarray, turn: int) -> np.ndarray:
    """`dn [H, W]` in one of the eight attitudes of a square, by number."""
    quarter = np.rot90(dn, turn % 4)
    return np.ascontiguousarray(quarter.T if turn >= 4 else quarter)


class Shard(Sampler[int]):
    """The window numbers of steps `first .. last` that fall to one of `world` processes."""

    def __init__(self, steps: range, batch: int, rank: int = 0, world: int = 1) -> None:
        self.steps, self.batch, self.rank, self.world = steps, batch, rank, world

    def __iter__(self) -> Iterator[int]:
        for step in self.steps:
            first = step * self.batch
            yield from range(first + self.rank, first + self.batch, self.world)

    def __len__(self) -> int:
        return len(self.steps) * self.batch // self.world
