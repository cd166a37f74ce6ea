"""What learning the scene gains, and whether it learns the objects too.

    python -m tests.benchmarks.adapting pathfinder.png --model guarded --work DIR [--seed 1]

Scores a scene with a model as it is, after `adapt` has learned the whole scene, and cross-fitted:
each half of a chessboard scored by a model that has learned the other. With `--seed` the article's
six pieces are planted first. One line of JSON each, with the false places above each object; the
models stay in DIR, and the same command goes on with them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dashboard.detector import Scene, ScoreMap
from training.adapt import adapt, squares
from training.evaluate.cases import Case, case_of
from training.evaluate.contestants import Contestant, Network, Scored
from training.evaluate.measures import review_cost
from training.evaluate.planted import Planted
from training.evaluate.subjects import Labelled


@dataclass(frozen=True)
class CrossFitted:
    """Two networks, each for the squares that it has not learned."""

    of_black: Network  # has learned the white squares
    of_white: Network
    name: str = "cross-fitted"

    @property
    def key(self) -> str:
        return f"{self.of_black.key} {self.of_white.key}"

    def sample(self, *names: str) -> str:
        """Neither has seen what it scores."""
        return "out"

    def score(self, scene: Scene, home: Path) -> Scored:
        """The scores of one on the black squares, of the other on the white."""
        black, white = (one.score(scene, home) for one in (self.of_black, self.of_white))
        values = np.where(_on_black(scene, black.scores), black.scores.values, white.scores.values)
        scores = replace(white.scores, values=values)
        return Scored(scores, black.seconds + white.seconds, white.device)


def _on_black(scene: Scene, scores: ScoreMap) -> np.ndarray:
    """True `[rows, cols]` where a score's place lies on a black square."""
    step = scores.grid.stride
    first = scores.scored_box(0, 0).centre
    marked = np.zeros(scores.values.shape, bool)
    for box in squares(scene, black=True):
        low = [int(np.ceil((edge - at) / step)) for edge, at in zip(box[:2], first, strict=True)]
        high = [int(np.ceil((edge - at) / step)) for edge, at in zip(box[2:], first, strict=True)]
        marked[max(0, low[1]) : max(0, high[1]), max(0, low[0]) : max(0, high[0])] = True
    return marked


def contestants(picture: Path, model: str, work: Path) -> Iterator[tuple[str, Contestant, float]]:
    """Each with the seconds that learning took."""
    yield "as it is", Network.load(model), 0.0
    seconds, learned = 0.0, {}
    for word, black in (("whole", None), ("black", True), ("white", False)):
        target = work / f"{picture.stem}-{Path(model).stem}-{word}.onnx"
        began = time.monotonic()
        if not target.exists():
            adapt(picture, model, target, black=black)
        seconds = time.monotonic() - began
        learned[word] = Network.load(str(target))
        if word == "whole":
            yield "adapted", learned["whole"], seconds
    yield "cross-fitted", CrossFitted(learned["white"], learned["black"]), 2 * seconds


def line(word: str, case: Case, seconds: float) -> str:
    """One result as JSON."""
    return json.dumps(
        {
            "scene": case.subject.scene,
            "model": word,
            "learned_s": round(seconds),
            "flagged": case.flagged,
            "false": case.false,
            "review_cost": review_cost(case.objects),
            "objects": {one.name: one.cost for one in case.objects},
        }
    )


def main() -> None:
    """Prints a line a way of scoring."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("picture", type=Path)
    parser.add_argument("--model", default="guarded")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seed", type=int, help="plant on the picture first")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    if given.seed is None:
        trial: Labelled | Planted = Labelled(given.picture)
        picture = given.picture
    else:
        trial = Planted(given.picture, given.seed)
        picture, _ = trial.made(given.work)
    with trial.opened(given.work) as (subject, scene, truth):
        for word, contestant, seconds in contestants(picture, given.model, given.work):
            case = case_of(subject, scene, truth, contestant, given.work)
            print(line(word, case, seconds), flush=True)


if __name__ == "__main__":
    main()
