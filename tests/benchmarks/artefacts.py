"""What leaving out likely artefacts saves a reviewer, and what it hides.

    python -m tests.benchmarks.artefacts SCENE [SCENE ...] [--model places] [--seeds 0 4]

Scenes whose truth is known as they are, and all with the article's six pieces planted by COUNT
seeds from FIRST on, are scanned. Their places are ranked with and without those that the camera or
the file may have made, as `scan --hide-artefacts` and the page do. One line of JSON a scene: how
many false places rank above each piece either way, places in all, and which pieces are hidden.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from dashboard.detector import (
    DEFAULT_MODEL,
    Finished,
    Model,
    ScanSettings,
    ScanStore,
    scan,
    sigma_map,
)
from training.evaluate.measures import EVERY, judge
from training.evaluate.planted import Planted
from training.evaluate.subjects import Labelled, labelled


def tried(model: Model, trial: Labelled | Planted) -> str:
    """What becomes of a scene's pieces, as JSON."""
    with tempfile.TemporaryDirectory() as work, trial.opened(Path(work)) as (_, scene, truth):
        store = ScanStore.for_scan(scene, model)
        for _ in scan(store, scene, model):
            pass
        scores = store.scores()
        settings = ScanSettings(top=EVERY)
        every = Finished(store, scene, scores, settings, sigmas=sigma_map(scores)).every
        clean = [one for one in every if not one.artefacts]
        both = [judge(places, truth).objects for places in (every, clean)]
    hidden = [one.name for one, now in zip(*both, strict=True) if one.found and not now.found]
    costs = [{one.name: one.cost for one in objects} for objects in both]
    line = {"scene": trial.name, "model": model.name, "all": costs[0], "without": costs[1]}
    return json.dumps(line | {"places": len(every), "left": len(clean), "hidden": hidden})


def main() -> None:
    """Prints a line a scene."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scenes", nargs="+", type=Path)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 4), metavar=("FIRST", "COUNT"))
    given = parser.parse_args()
    model, (first, count) = Model.load(given.model), given.seeds
    for picture in given.scenes:
        trials: list[Labelled | Planted] = [*labelled([picture])]
        trials += [Planted(picture, seed) for seed in range(first, first + count)]
        for trial in trials:
            print(tried(model, trial), flush=True)


if __name__ == "__main__":
    main()
