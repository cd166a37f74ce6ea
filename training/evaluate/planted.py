"""Series of planted scenes, each made when it is tried and gone afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from dashboard.detector import Box, Scene, ingest
from training import truth
from training.evaluate.cases import Subject
from training.evaluate.subjects import sha256_of
from training.simulation import camera, hardware, planting, site
from training.simulation.planting import plant, synthetic, write_planted, write_synthetic
from training.simulation.site import Site
from training.truth import Truth, truth_of
from training.windows import pictures_in

SYNTHETIC = "synthetic ground"
SYNTHETIC_SHAPE = (1536, 1536)  # px
AS_REAL, HARD = CONTRASTS = ("real", "hard")
CLEAR = 96  # px around real hardware that nothing is planted in, and that counts neither way
REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "scenes"


@dataclass(frozen=True)
class Planted:
    """The article's six pieces, placed by a seed, on a picture or on synthetic ground."""

    picture: Path | None
    seed: int
    vary: bool = True  # sizes and contrasts; the real thing's otherwise
    largest: int | None = None  # px; of a larger picture the middle is taken

    @property
    def name(self) -> str:
        return f"{self.picture.stem if self.picture else 'synthetic'}-planted-{self.seed}"

    @property
    def contrast(self) -> str:
        """`real`, or `hard`: half to one and a half times as large, fainter, dusty."""
        return HARD if self.vary else AS_REAL

    @property
    def ground(self) -> str:
        """The scene that it is planted on."""
        return self.picture.name if self.picture else SYNTHETIC

    @cached_property
    def key(self) -> str:
        ground = sha256_of(self.picture) if self.picture else f"{SYNTHETIC} {SYNTHETIC_SHAPE}"
        return f"{recipe()} {ground} {self.seed} {self.vary} {self.largest}"

    def build(self, folder: Path) -> tuple[Path, Truth]:
        """The planted picture, written to a folder, and its truth; real hardware is ignored.

        Raises:
            NoGround: the pieces do not fit.
        """
        if self.picture is None:
            side = min(SYNTHETIC_SHAPE[0], self.largest or SYNTHETIC_SHAPE[0])
            here = synthetic((side, side), self.seed)
            planted, objects = plant(here, self.seed, vary=self.vary)
            path = write_synthetic(here, planted, self.seed, folder / f"{self.name}.jp2")
            return path, Truth(path.name, objects)
        source, here, ignore = _ground(self.picture, self.largest)
        planted, objects = plant(here, self.seed, vary=self.vary)
        path = write_planted(source, here, planted, folder / self.name)
        return path, Truth(path.name, objects, ignore)

    @contextmanager
    def open(self, work: Path) -> Iterator[tuple[Subject, Scene, Truth]]:
        """The planted scene, written and ingested in `work`."""
        path, known = self.build(work)
        scene = ingest(path, home=work)
        folder = self.picture.resolve().parent.name if self.picture else ""
        size = scene.width, scene.height
        subject = Subject(self.name, self.ground, folder, self.seed, *size, self.contrast)
        yield subject, scene, known


def series(
    count: int, scenes: Sequence[str | Path], vary: bool = True, largest: int | None = None
) -> list[Planted]:
    """So many seeds on each ground: the pictures named, else the real ones, else synthetic.

    Raises:
        SceneNotFound: a picture named is not there.
    """
    named = scenes or ([REAL] if REAL.is_dir() else [])
    grounds: list[Path | None] = [path for name in named for path in pictures_in(name)]
    return [
        Planted(ground, seed, vary, largest)
        for ground in grounds or [None]
        for seed in range(count)
    ]


@lru_cache(maxsize=1)
def recipe() -> str:
    """A checksum of the code that plants hardware."""
    digest = hashlib.sha256()
    for module in (hardware, planting, camera, site, truth):
        assert module.__file__
        digest.update(Path(module.__file__).read_bytes())
    return digest.hexdigest()[:16]


@lru_cache(maxsize=1)
def _ground(picture: Path, largest: int | None) -> tuple[Scene, Site, tuple[Box, ...]]:
    """A picture as a site, and the boxes of what stands on it in truth, which stay clear."""
    scene = ingest(picture)
    box = _middle(scene, largest or max(scene.width, scene.height))
    patch = scene.read(box)
    known = truth_of(picture, scene) or Truth(scene.name, ())
    boxes = (*(known_object.box.grow(CLEAR) for known_object in known.objects), *known.ignore)
    ignore = tuple(
        Box(
            ignored.x_min - box.x_min,
            ignored.y_min - box.y_min,
            ignored.x_max - box.x_min,
            ignored.y_max - box.y_min,
        )
        for ignored in boxes
        if ignored.overlaps(box)
    )
    free = np.array(patch.valid)
    for ignored in ignore:
        free[max(0, ignored.y_min) : ignored.y_max, max(0, ignored.x_min) : ignored.x_max] = False
    if box.area < scene.width * scene.height:
        scene = replace(scene, crs=None)  # its map begins at another corner
    return scene, Site.of(patch.dn, patch.valid).keeping(free), ignore


def _middle(scene: Scene, largest: int) -> Box:
    width, height = min(scene.width, largest), min(scene.height, largest)
    left, top = (scene.width - width) // 2, (scene.height - height) // 2
    return Box(left, top, left + width, top + height)
