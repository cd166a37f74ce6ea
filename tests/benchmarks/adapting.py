"""What learning the scene gains, and whether it learns the objects too.

    python -m tests.benchmarks.adapting pathfinder.png --model guarded --work DIR [--seed 1]

Scores a scene with a model as it is, after `adapt` has learned the whole scene, after it has
learned halves (each half of a chessboard scored by a network that has learned the other), and after
the last layer alone was fitted, which a critic has. With
`--seed` the article's six pieces are planted first. One line of JSON each, with the false places
above each object; the models stay in DIR, and the same command goes on with them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from training.evaluate.cases import Case, case_of
from training.evaluate.contestants import Contestant, Network
from training.evaluate.measures import review_cost
from training.evaluate.planted import Planted
from training.evaluate.subjects import Labelled
from training.scene_adaptation.adapt import FITS, HALVES, WHOLE, adapt


def contestants(
    picture: Path, model: str, fits: Sequence[str], work: Path
) -> Iterator[tuple[str, Contestant, float]]:
    """Each with the seconds that learning took."""
    yield "as it is", Network.load(model), 0.0
    for fit in fits:
        target = work / f"{picture.stem}-{Path(model).stem}-{fit}.onnx"
        began = time.monotonic()
        if not target.exists():
            adapt(picture, model, target, fit=fit)
        yield fit, Network.load(str(target)), time.monotonic() - began


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
    parser.add_argument("--fits", nargs="+", choices=FITS, default=(WHOLE, HALVES))
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
        ways = contestants(picture, given.model, given.fits, given.work)
        for word, contestant, seconds in ways:
            case = case_of(subject, scene, truth, contestant, given.work)
            print(line(word, case, seconds), flush=True)


if __name__ == "__main__":
    main()
