"""How far down its list a model puts the hardware of a scene whose truth is known.

    python -m tests.benchmarks.review_cost SCENE [SCENE ...] [--model article] [--stride 48]

The truth is `STEM.truth.json` beside each scene. An object is found by a detection whose point lies
in its box grown by 24 px; a detection in no grown box and no box to ignore is false. The review
cost is how many false detections rank above the weakest object. One line of JSON a scene.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from dashboard.detector import Box, Detection, Model, ScanStore, find, ingest, scan
from training.data import truth_path

NEAR = 24  # px: half of the article's scored window
EVERY = 10**9  # candidates, however weak
SIGMA = 3.0


def measure(picture: Path, model: Model, stride: int | None) -> dict[str, Any]:
    """Where the objects of one scene rank, and what they cost; scans what is not scanned yet."""
    truth = json.loads(truth_path(picture).read_text(encoding="utf-8"))
    scene = ingest(picture)
    store = ScanStore.for_scan(scene, model, stride)
    began = time.monotonic()
    fresh = sum(step.fresh > 0 for step in scan(store, scene, model)) > 0
    seconds = time.monotonic() - began
    scores = store.scores()
    found = find(scores, top=EVERY)
    objects = {one["name"]: Box(*one["box"]).grow(NEAR) for one in truth["objects"]}
    ignored = [Box(*box) for box in truth.get("ignore", [])]
    false = [one for one in found if not _at(one, [*objects.values(), *ignored])]
    best = {
        name: next((one for one in found if _at(one, [box])), None) for name, box in objects.items()
    }
    costs = {
        name: len(false) if one is None else sum(other.rank < one.rank for other in false)
        for name, one in best.items()
    }
    beyond = [one for one in best.values() if one and one.sigma > SIGMA]
    return {
        "scene": scene.name,
        "model": model.name,
        "stride": store.stride,
        "scored": scores.scored,
        "seconds": round(seconds, 1) if fresh else None,
        "flagged": scores.count_above(SIGMA),
        "places": sum(one.sigma > SIGMA for one in found),
        "found": f"{len(beyond)} of {len(objects)}",
        "false": sum(one.sigma > SIGMA for one in false),
        "review_cost": max(costs.values()),
        "objects": {
            name: {"cost": costs[name], "sigma": None if one is None else round(one.sigma, 2)}
            for name, one in best.items()
        },
    }


def _at(found: Detection, boxes: list[Box]) -> bool:
    return any(box.holds(found.x, found.y) for box in boxes)


def main() -> None:
    """Prints a line a scene."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scenes", nargs="+", type=Path)
    parser.add_argument("--model", default="article")
    parser.add_argument("--stride", type=int)
    given = parser.parse_args()
    model = Model.load(given.model)
    for picture in given.scenes:
        print(json.dumps(measure(picture, model, given.stride)), flush=True)


if __name__ == "__main__":
    main()
