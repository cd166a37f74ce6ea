"""What judging ground by its kind saves: false places at equal recall of planted hardware.

    python -m tests.benchmarks.strata SCENE [--model guarded] [--first 0] [--seeds 10] [--learn]
        [--no-dark-spots]

The article's six pieces are planted in the scene with each seed and the scene is scanned anew. For
each rule, thresholds are set that find a given part of all the pieces, and the false places beyond
them are counted, a scene. Places in a piece's box grown by 24 px find it; places in boxes to ignore
do not count. With `--learn` the model learns each planted scene too, objects and all, and is
compared with what it was at the same recalls. With `--no-dark-spots` spots darker than the ground
they were planted on count neither way: on ground full of dark spots they are such as it has by
itself. One line of JSON a rule.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from dashboard.detector import (
    RULES,
    Detection,
    Model,
    ScanStore,
    Scene,
    ingest,
    looks,
    scan,
    sigma_map,
    survey,
)
from training.evaluate.measures import SPOTS, group_of
from training.scene_adaptation.adapt import adapt
from training.simulation.planting import plant_scene
from training.truth import Truth, truth_of

NEAR = 24  # px: half of the article's scored window
RECALLS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
LOWEST = -1.0  # sigma: weaker places are not asked for
NEVER = -9.0  # the sigma of a piece that no place met
AS_IT_IS, LEARNED = "as it is", "learned"

Measured = tuple[list[float], list[float]]  # sigma of the best place of each object, of all false


def measured(found: list[Detection], truth: Truth) -> Measured:
    """Sigma of the best place of each object, and of all false ones."""
    objects = [one.box.grow(NEAR) for one in truth.objects]
    apart = [*objects, *truth.ignore]
    best = [max([p.sigma for p in found if box.holds(p.x, p.y)], default=NEVER) for box in objects]
    return best, [p.sigma for p in found if not any(box.holds(p.x, p.y) for box in apart)]


def without_dark_spots(truth: Truth, scene: Scene, before: Scene) -> Truth:
    """The truth of a planted scene; spots darker than what was there are to be ignored."""
    dark = [
        one
        for one in truth.objects
        if group_of(one.kind) == SPOTS
        and scene.read(one.box).dn.mean() < before.read(one.box).dn.mean()
    ]
    kept = tuple(one for one in truth.objects if one not in dark)
    return replace(
        truth, objects=kept, ignore=(*truth.ignore, *(one.box.grow(NEAR) for one in dark))
    )


def planted(
    picture: Path, model: Model, seed: int, learn: bool, dark_spots: bool
) -> dict[tuple[str, str], Measured]:
    """The same for each model and rule, on the scene with hardware planted in it."""
    with tempfile.TemporaryDirectory() as work:
        path, _ = plant_scene(picture, seed, Path(work))
        scene = ingest(path)
        truth = truth_of(path, scene)
        assert truth is not None
        if not dark_spots:
            truth = without_dark_spots(truth, scene, ingest(picture))
        models = {AS_IT_IS: model}
        if learn:
            learned = Path(work) / "learned.onnx"
            adapt(path, str(model.path), learned)
            models[LEARNED] = Model.load(learned)
    return {
        (word, rule): found
        for word, one in models.items()
        for rule, found in ruled(scene, one, truth).items()
    }


def ruled(scene: Scene, model: Model, truth: Truth) -> dict[str, Measured]:
    """The same for each rule, by one model."""
    store = ScanStore.for_scan(scene, model)
    for _ in scan(store, scene, model):
        pass
    ground = survey(scene, store.folder)
    look = looks(scene, store.folder)
    maps = {rule: sigma_map(store.scores(), rule, ground, look) for rule in RULES}
    return {rule: measured(one.find(LOWEST), truth) for rule, one in maps.items()}


def main() -> None:
    """Prints a line a rule."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scene", type=Path, metavar="SCENE")
    parser.add_argument("--model", default="guarded")
    parser.add_argument("--first", type=int, default=0, help="seed")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--learn", action="store_true", help="learn each planted scene too")
    either = argparse.BooleanOptionalAction
    parser.add_argument("--dark-spots", action=either, default=True, help="count these")
    given = parser.parse_args()
    model = Model.load(given.model)
    seeds = range(given.first, given.first + given.seeds)
    trials = [planted(given.scene, model, seed, given.learn, given.dark_spots) for seed in seeds]
    plain = np.concatenate([trial[AS_IT_IS, "mean"][0] for trial in trials])
    usual = float((plain > 3).mean())  # what the article's threshold finds
    for way in trials[0]:
        best = np.concatenate([trial[way][0] for trial in trials])
        false = np.concatenate([trial[way][1] for trial in trials])
        limits = {
            part: np.quantile(best, 1 - part, method="lower")
            for part in sorted({*RECALLS, round(usual, 2)})
        }
        line = {
            "scene": given.scene.name,
            "model": way[0],
            "rule": way[1],
            "objects": len(best),
            "found_at_3_sigma": round(float((best > 3).mean()), 2),
            "false_at_3_sigma": round(float((false > 3).sum() / len(trials)), 1),
            "false_at_recall": {
                str(part): round(float((false >= limit).sum() / len(trials)), 1)
                for part, limit in limits.items()
            },
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
