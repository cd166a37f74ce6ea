"""The ranking is the ground's: it outlives gain and offset, bit depth and turning the scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from dashboard.detector import Box, Model, ScoreMap, find, ingest
from tests.detector import rasters
from tests.detector.scans import finish_scan

Pixels = NDArray[np.uint16]

DEMO = Path(__file__).resolve().parents[2] / "dashboard" / "demo" / "landing-site.jp2"
CROP = Box(1504, 1536, 2528, 2560)  # parachute and rover among craters; sides multiples of 4 px
STRONGEST = 20
NEAR = 12  # px between one place's points in two scans


def scored(pixels: Pixels, model: Model, path: Path) -> ScoreMap:
    """The score map of pixels `[H, W]`, scanned whole."""
    scene = ingest(rasters.write(path, pixels))
    store = finish_scan(scene, model, stride=model.card.stride)
    return store.scores()


def strongest(scores: ScoreMap, count: int) -> NDArray[np.int64]:
    """Points `[count, 2]` of the strongest places, as row and column of the grid."""
    half, stride = scores.grid.tile // 2, scores.grid.stride
    return np.array(
        [((p.y - half) // stride, (p.x - half) // stride) for p in find(scores, top=count)]
    )


def kept(ours: NDArray[np.int64], theirs: NDArray[np.int64]) -> int:
    """How many of our places lie near one of theirs."""
    apart = np.abs(ours[:, None] - theirs[None]).max(axis=2).min(axis=1)
    return int((apart <= NEAR // 4).sum())


@pytest.fixture(scope="module")
def crop() -> Pixels:
    """A part of the demo scene, 10 bit, `[1024, 1024]`."""
    return np.asarray(ingest(DEMO).read(CROP).dn).astype(np.uint16)


@dataclass(frozen=True)
class Change:
    """Another version of the same ground, and how close its ranking has to stay."""

    change: Callable[[Pixels], NDArray[Any]]
    correlation: float  # Spearman's, of all scores
    stays: int  # of the strongest places, that are among a few more of the other's strongest
    back: Callable[[NDArray[np.float32]], NDArray[np.float32]] = np.asarray  # to our positions


CHANGES = {
    "gain and offset": Change(lambda dn: dn * 2 + 100, 0.999, 20),
    "8 bit": Change(lambda dn: (dn // 4).astype("u1"), 0.88, 18),
    "turned": Change(np.rot90, 0.85, 15, back=lambda scores: np.rot90(scores, -1)),
}


@pytest.mark.parametrize("name", ["guarded"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_the_ranking_stays(crop: Pixels, tmp_path: Path, name: str, change: Change) -> None:
    model = Model.load(name, "cpu")
    ours = scored(crop, model, tmp_path / "ours.tif")
    changed = np.ascontiguousarray(change.change(crop))
    theirs = scored(changed, model, tmp_path / "theirs.tif")
    theirs = replace(theirs, values=np.ascontiguousarray(change.back(theirs.values)))
    rho = stats.spearmanr(ours.values.ravel(), theirs.values.ravel()).statistic
    assert rho > change.correlation
    assert kept(strongest(ours, STRONGEST), strongest(theirs, STRONGEST + 10)) >= change.stays
