"""How much a critic's logit should count beside its residual.

    python -m training export RUN alone.onnx --alone
    python -m tests.benchmarks.trust SCENE [SCENE ...] --model critic --alone alone.onnx [--seeds 5]

What a score stands out from is a sum, so that the scores of any weight of the logit follow from
those of the critic as it is and those of its logit alone. Each scene is taken as it is, where its
truth is known, and with the article's six pieces planted by each seed. One line of JSON a scene and
weight: the false places above each piece, and average precision.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dashboard.detector import Scene, ScoreMap
from training.evaluate.cases import Case, case_of
from training.evaluate.contestants import Network, Scored
from training.evaluate.measures import average_precision
from training.evaluate.planted import Planted
from training.evaluate.subjects import Labelled, labelled
from training.networks.critic import TRUST

WEIGHTS = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0, math.inf)


@dataclass(frozen=True)
class Weighed:
    """A critic whose logit counts so much: its scores are known already."""

    weight: float
    both: ScoreMap
    alone: ScoreMap

    @property
    def name(self) -> str:
        return f"logit times {self.weight:g}"

    @property
    def key(self) -> str:
        return self.name

    def sample(self, *names: str) -> str:
        """Not asked for here: what the critic says is."""
        return ""

    def score(self, scene: Scene, home: Path) -> Scored:
        """The scores, at once."""
        if math.isinf(self.weight):
            return Scored(self.alone, 0.0, "")
        values = self.both.values + (self.weight - TRUST) * self.alone.values
        return Scored(replace(self.both, values=values.astype(np.float32)), 0.0, "")


def line(case: Case, weight: float) -> str:
    """One result as JSON."""
    return json.dumps(
        {
            "scene": case.subject.scene,
            "weight": "alone" if math.isinf(weight) else weight,
            "average_precision": round(average_precision(case.objects) or 0.0, 4),
            "costs": {one.name: one.cost for one in case.objects},
        }
    )


def compare(trial: Labelled | Planted, both: Network, alone: Network) -> None:
    """Prints a line a weight."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        with trial.opened(work) as (subject, scene, truth):
            found = [one.score(scene, work).scores for one in (both, alone)]
            for weight in WEIGHTS:
                case = case_of(subject, scene, truth, Weighed(weight, *found), work)
                print(line(case, weight), flush=True)


def main() -> None:
    """Compares the weights on each scene."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scenes", nargs="+", type=Path)
    parser.add_argument("--model", default="critic")
    parser.add_argument("--alone", required=True, help="the same, exported alone")
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    both, alone = Network.load(given.model), Network.load(given.alone)
    known = labelled(given.scenes)
    planted = [Planted(scene, seed) for scene in given.scenes for seed in range(given.seeds)]
    for trial in (*known, *planted):
        compare(trial, both, alone)


if __name__ == "__main__":
    main()
