"""Series of planted scenes, each made when it is tried and gone afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from dashboard.detector import Box, Scene, ingest
from training import hardware, planting, sensor, site, truth
from training.data import pictures_in
from training.evaluate.cases import Subject
from training.evaluate.subjects import sha256_of
from training.planting import plant, synthetic, write_planted, write_synthetic
from training.site import Site
from training.truth import Truth, truth_of

SYNTHETIC = "synthetic ground"
SYNTHETIC_SHAPE = (1536, 1536)  # px
CLEAR = 96  # px around real hardware that nothing is planted in, and that counts neither way
REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "scenes"


@dataclass(frozen=True)
class Planted:
    """The article's six pieces, varied by a seed, on a picture or on synthetic ground."""

    picture: Path | None
    seed: int

    @property
    def name(self) -> str:
        return f"{self.picture.stem if self.picture else 'synthetic'}-planted-{self.seed}"

    @cached_property
    def key(self) -> str:
        ground = sha256_of(self.picture) if self.picture else f"{SYNTHETIC} {SYNTHETIC_SHAPE}"
        return f"{recipe()} {ground} {self.seed}"

    @contextmanager
    def opened(self, work: Path) -> Iterator[tuple[Subject, Scene, Truth]]:
        """The planted scene, written and ingested in `work`."""
        ground, folder = SYNTHETIC, ""
        ignore: tuple[Box, ...] = ()
        if self.picture:
            source, here, ignore = _ground(self.picture)
            ground, folder = self.picture.name, self.picture.resolve().parent.name
            planted, objects = plant(here, self.seed, vary=True)
            path = write_planted(source, here, planted, work / self.name)
        else:
            here = synthetic(SYNTHETIC_SHAPE, self.seed)
            planted, objects = plant(here, self.seed, vary=True)
            path = write_synthetic(here, planted, self.seed, work / f"{self.name}.jp2")
        scene = ingest(path, home=work)
        subject = Subject(self.name, ground, folder, self.seed, scene.width, scene.height)
        yield subject, scene, Truth(self.name, objects, ignore)


def series(count: int, scenes: Sequence[str | Path]) -> list[Planted]:
    """So many seeds on each ground: the pictures named, else the real ones, else synthetic.

    Raises:
        SceneNotFound: a picture named is not there.
    """
    named = scenes or ([REAL] if REAL.is_dir() else [])
    grounds: list[Path | None] = [path for one in named for path in pictures_in(one)]
    return [Planted(ground, seed) for ground in grounds or [None] for seed in range(count)]


@lru_cache(maxsize=1)
def recipe() -> str:
    """What decides how things are planted: a checksum of the code that does it."""
    digest = hashlib.sha256()
    for module in (hardware, planting, sensor, site, truth):
        assert module.__file__
        digest.update(Path(module.__file__).read_bytes())
    return digest.hexdigest()[:16]


@lru_cache(maxsize=1)
def _ground(picture: Path) -> tuple[Scene, Site, tuple[Box, ...]]:
    """A picture as a site, and the boxes of what stands on it in truth, which stay clear."""
    scene = ingest(picture)
    whole = scene.read(Box(0, 0, scene.width, scene.height))
    known = truth_of(picture, scene) or Truth(scene.name, ())
    ignore = (*(one.box.grow(CLEAR) for one in known.objects), *known.ignore)
    free = np.array(whole.valid)
    here = Site.of(whole.dn, whole.valid)
    for box in ignore:
        free[max(0, box.y_min) : box.y_max, max(0, box.x_min) : box.x_max] = False
    return scene, here.keeping(free), ignore
