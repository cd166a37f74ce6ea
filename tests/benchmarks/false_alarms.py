"""Whether a threshold that promises N false alarms keeps its word.

    python -m tests.benchmarks.false_alarms SCENE [SCENE ...] [--model guarded] [--seed 0] [--learn]

Scenes are scored once. From each, random crops of the score map are taken, and cut into blocks like
a chessboard; what is fitted on the white blocks sets thresholds that promise 1, 10 and 100 places
on the black ones, where they are counted. Boxes of known objects (`STEM.truth.json`), grown by a
tile, are left out. With `--learn` the model learns each scene first. One line of JSON a scene and
rule, and one for all.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.detector import (
    RULES,
    Box,
    Model,
    ScoreMap,
    SigmaMap,
    ingest,
    sigma_map,
)
from tests.detector.scans import finish_scan
from training.scene_adaptation.adapt import adapt

PROMISES = (1, 10, 100)
SIDE = 1536  # px of a crop
BLOCK = 128  # px


@dataclass(frozen=True)
class Trial:
    """The promise of one crop, and the count there."""

    counted: tuple[int, ...]  # for each promise
    doubts: tuple[str, ...]
    shape: float


def having_learned(picture: Path, model: str) -> Model:
    """A model after it has learned a picture's ground."""
    with tempfile.TemporaryDirectory() as work:
        target = Path(work) / "learned.onnx"
        adapt(picture, model, target)
        return Model.load(target)


def crops(scores: ScoreMap, number: int, seed: int) -> Iterator[ScoreMap]:
    """Random crops of a score map, the rest of it NaN."""
    rng = np.random.default_rng(seed)
    side = SIDE // scores.grid.stride
    for _ in range(number):
        row = rng.integers(max(1, scores.grid.rows - side))
        col = rng.integers(max(1, scores.grid.cols - side))
        inside = np.zeros(scores.values.shape, bool)
        inside[row : row + side, col : col + side] = True
        yield only(scores, inside)


def halves(crop: ScoreMap) -> tuple[ScoreMap, ScoreMap]:
    """The white and the black blocks of a crop."""
    step = max(1, BLOCK // crop.grid.stride)
    rows, cols = np.indices(crop.values.shape, sparse=True)
    white = (rows // step + cols // step) % 2 == 0
    return only(crop, white), only(crop, ~white)


def only(scores: ScoreMap, mask: NDArray[np.bool_]) -> ScoreMap:
    """A score map with the scores and the places of some positions alone."""
    values, table = np.where(mask, scores.values, np.float32("nan")), scores.places
    if table is not None:
        table = table.chosen(np.isfinite(values[table.rows, table.cols]))
    return replace(scores, values=values, places=table)


def attempt(crop: ScoreMap, rule: str) -> Trial:
    """Fits on one half of a crop and counts on the other."""
    white, black = halves(crop)
    learned = sigma_map(white, rule)
    judged = (
        sigma_map(black, "places", learned) if learned.looked else SigmaMap(black, learned.measure)
    )
    share = white.scored / black.scored
    limits = [learned.tail.sigma_of(promise * share) for promise in PROMISES]
    counted = tuple(int((judged.places >= limit).sum()) for limit in limits)
    return Trial(counted, learned.tail.doubts, learned.tail.shape)


def without_objects(scores: ScoreMap, picture: Path) -> ScoreMap:
    """The scores less those of tiles near known objects."""
    truth = picture.with_name(f"{picture.stem}.truth.json")
    if not truth.exists():
        return scores
    free, stride = np.ones(scores.values.shape, bool), scores.grid.stride
    for one in json.loads(truth.read_text(encoding="utf-8"))["objects"]:
        left, top, right, bottom = Box(*one["box"]).grow(scores.grid.tile)
        tile = scores.grid.tile
        rows = slice(max(0, (top - tile) // stride), max(0, bottom // stride))
        free[rows, max(0, (left - tile) // stride) : max(0, right // stride)] = False
    return only(scores, free)


def summary(trials: list[Trial]) -> dict[str, Any]:
    """Means over the crops, of all and of those without a warning."""
    calm = [trial.counted for trial in trials if not trial.doubts]

    def means(counts: list[tuple[int, ...]]) -> dict[str, Any]:
        found = np.array(counts, float).reshape(-1, len(PROMISES))
        if not len(found):
            return {}
        error = found.std(axis=0) / np.sqrt(len(found))
        pairs = zip(PROMISES, found.mean(axis=0), error, strict=True)
        return {str(promise): f"{mean:.2f} +- {off:.2f}" for promise, mean, off in pairs}

    return {
        "crops": len(trials),
        "counted": means([trial.counted for trial in trials]),
        "warned": len(trials) - len(calm),
        "counted_without_warning": means(calm),
        "shape": round(float(np.median([trial.shape for trial in trials])), 2),
    }


def main() -> None:
    """Prints a line a scene and rule."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scenes", nargs="+", type=Path)
    parser.add_argument("--model", default="guarded")
    parser.add_argument("--crops", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the crops")
    parser.add_argument("--rules", nargs="+", choices=RULES, default=list(RULES))
    parser.add_argument("--learn", action="store_true", help="learn each scene first")
    given = parser.parse_args()
    everything: dict[str, list[Trial]] = {rule: [] for rule in given.rules}
    for number, picture in enumerate(given.scenes):
        scene = ingest(picture)
        model = having_learned(picture, given.model) if given.learn else Model.load(given.model)
        store = finish_scan(scene, model)
        scores = without_objects(store.scores(), picture)
        for rule, trials in everything.items():
            own = [attempt(crop, rule) for crop in crops(scores, given.crops, given.seed + number)]
            trials.extend(own)
            print(json.dumps({"scene": scene.name, "rule": rule} | summary(own)), flush=True)
    for rule, trials in everything.items():
        print(json.dumps({"scene": "all", "rule": rule} | summary(trials)), flush=True)


if __name__ == "__main__":
    main()
