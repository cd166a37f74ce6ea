"""What a critic gains by having its last layer fitted to the scene at hand.

    python -m tests.benchmarks.last_layer SCENE [SCENE ...] --model CRITIC.onnx [--seeds 0 4]

Each scene is taken as it is, where its truth is known, and with the article's six pieces planted by
COUNT seeds from FIRST on. The layer is fitted as `training adapt` does, to the very scene that is
judged, objects and all; only the things that are put on the ground serve all seeds of a ground.
Places are ranked by the critic as it is and by the fitted layer, both by score alone and among
look-alikes (the dashboard's rule). One line of JSON a scene and way: the false places above each
piece, those beyond 3 sigma, average precision; then one a way, over the planted scenes: by group
the median of the costs and the geometric mean of what cost + 1 is of that of the critic as it is,
with two standard errors over scenes, and the mean average precision.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from dashboard.detector import (
    Looks,
    ModelCard,
    Scene,
    ScoreMap,
    ingest,
    looks,
    read_card,
    sigma_map,
)
from dashboard.detector.scanning.pieces import Pieces, read
from training.evaluate.measures import EVERY, Outcome, average_precision, judge
from training.evaluate.planted import Planted
from training.evaluate.subjects import Labelled, labelled
from training.model_files import model_file
from training.progress import nobody
from training.scene_adaptation.features import Eye, Looking, Run
from training.scene_adaptation.graph_surgery import RIM
from training.scene_adaptation.logistic_layer import Places, fitted
from training.truth import Truth

AS_IT_IS, FITTED = "as it is", "fitted"
RULES = {"": "mean", ", among look-alikes": "alike"}
SIGMA = 3.0


@dataclass(frozen=True)
class Critic:
    """A critic that is to be fitted."""

    model: onnx.ModelProto
    card: ModelCard

    def looking(self, scene: Scene, folder: Path) -> Looking:
        """A look at a scene."""
        return Looking(Eye.of(self.model, self.card, scene), Run(folder), nobody)

    def maps(self, scene: Scene, things: Places, work: Path) -> dict[str, ScoreMap]:
        """The scores of a whole scene, as they are and with a layer fitted to it."""
        looking = self.looking(scene, work)
        eye = looking.eye
        layer = fitted(looking.ground(), things, eye.hold)
        record = replace(eye.record, batch=max(scene.width, scene.height))
        margin = self.card.margin + RIM * self.card.stride
        reading = read(record, Pieces(record)[0], scene, margin)
        score, features = eye.look(reading.dn)
        lines = zip(score, features.swapaxes(0, 1), strict=True)
        change = np.stack([layer.change(Places(line, seen.T)) for line, seen in lines])
        rows, cols = reading.chosen.shape
        found = {AS_IT_IS: score[RIM:-RIM, RIM:-RIM], FITTED: layer.scored(score, change)}
        return {
            way: ScoreMap(
                np.where(reading.chosen, values[:rows, :cols], np.nan).astype(np.float32),
                record.grid,
                record.window,
            )
            for way, values in found.items()
        }


def ways(
    trial: Labelled | Planted, critic: Critic, things: Places
) -> Iterator[tuple[str, tuple[Outcome, ...], int]]:
    """What becomes of the objects of a scene, and how many false places are flagged, way by way."""
    with tempfile.TemporaryDirectory() as work, trial.opened(Path(work)) as (_, scene, truth):
        look = looks(scene)
        for way, scores in critic.maps(scene, things, Path(work)).items():
            for word, rule in RULES.items():
                objects, false = judged(scores, rule, look, truth)
                yield way + word, objects, false


def judged(
    scores: ScoreMap, rule: str, look: Looks, truth: Truth
) -> tuple[tuple[Outcome, ...], int]:
    """What becomes of the objects by a rule, and the false places beyond `SIGMA`."""
    found = judge(sigma_map(scores, rule, looks=look).find(top=EVERY), truth)
    return found.objects, sum(one.sigma > SIGMA for one in found.false)


def line(name: str, way: str, objects: Sequence[Outcome], false: int) -> str:
    """One result as JSON."""
    precision = round(average_precision(objects) or 0.0, 4)
    costs = {one.name: one.cost for one in objects}
    word = {"scene": name, "way": way, "average_precision": precision, "false": false}
    return json.dumps(word | {"costs": costs})


def summary(
    way: str, found: Sequence[Sequence[Outcome]], before: Sequence[Sequence[Outcome]]
) -> str:
    """One way over all planted scenes, beside what became of their objects before, as JSON."""
    words: dict[str, Any] = {"way": way, "scenes": len(found)}
    for group in dict.fromkeys(one.group for objects in found for one in objects):
        costs, ratios = list[int](), list[float]()
        for now, then in zip(found, before, strict=True):
            pairs = [(a.cost, b.cost) for a, b in zip(now, then, strict=True) if a.group == group]
            costs += [cost for cost, _ in pairs]
            ratios.append(float(np.mean([np.log((a + 1) / (b + 1)) for a, b in pairs])))
        middle, error = np.mean(ratios), 2 * np.std(ratios) / np.sqrt(len(ratios))
        ends = [round(float(np.exp(middle + way)), 2) for way in (-error, 0.0, error)]
        words[group] = {"median": float(np.median(costs)), "ratio": ends}
    precision = float(np.mean([average_precision(objects) or 0.0 for objects in found]))
    return json.dumps(words | {"average_precision": round(precision, 4)})


def main() -> None:
    """Tries every way on each scene, then sums up."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scenes", nargs="+", type=Path)
    parser.add_argument("--model", default="critic")
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 4), metavar=("FIRST", "COUNT"))
    given = parser.parse_args()
    path, (first, count) = model_file(given.model), given.seeds
    critic = Critic(onnx.load(path), read_card(path))
    planted: dict[str, list[tuple[Outcome, ...]]] = {}
    for picture in given.scenes:
        with tempfile.TemporaryDirectory() as work:
            things = critic.looking(ingest(picture), Path(work)).things()
        trials: list[Labelled | Planted] = [*labelled([picture])]
        trials += [Planted(picture, seed) for seed in range(first, first + count)]
        for trial in trials:
            for way, objects, false in ways(trial, critic, things):
                print(line(trial.name, way, objects, false), flush=True)
                if isinstance(trial, Planted):
                    planted.setdefault(way, []).append(objects)
    for way, found in planted.items():
        print(summary(way, found, planted[AS_IT_IS]), flush=True)


if __name__ == "__main__":
    main()
