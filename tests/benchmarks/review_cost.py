"""How far down its list a model puts the hardware of a scene whose truth is known.

    python -m tests.benchmarks.review_cost SCENE [SCENE ...] [--model article] [--stride 48]

One line of JSON a scene; `python -m training evaluate` measures the same and more, with a report.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from training.evaluate.command import run_trials
from training.evaluate.contestants import Network
from training.evaluate.measures import review_cost
from training.evaluate.subjects import labelled_pictures


def main() -> None:
    """Prints a line a scene."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scenes", nargs="+")
    parser.add_argument("--model", default="article")
    parser.add_argument("--stride", type=int)
    given = parser.parse_args()
    model = Network.load(given.model, given.stride)
    with tempfile.TemporaryDirectory() as work:
        cases, _ = run_trials(labelled_pictures(given.scenes), [model], Path(work))
    for case in cases:
        line = {
            "scene": case.subject.scene,
            "model": case.contestant,
            "scored": case.scored,
            "seconds": round(case.seconds, 1),
            "flagged": case.flagged,
            "places": case.places,
            "found": f"{sum(one.found for one in case.objects)} of {len(case.objects)}",
            "false": case.false,
            "review_cost": review_cost(case.objects),
            "objects": {
                one.name: {"cost": one.cost, "sigma": one.sigma and round(one.sigma, 2)}
                for one in case.objects
            },
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
