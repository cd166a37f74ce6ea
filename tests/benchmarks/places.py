"""How a network of single places ranks what was planted: by logit, residual, novelty and sums.

    python -m tests.benchmarks.places MODEL.onnx [MODEL.onnx ...] --scenes PICTURE [PICTURE ...]
        [--planted 3 | --odd 24] [--largest 1536] [--per-mpx 250] [--finder MODEL]
        [--work FOLDER]

Lets a finder point at the places of each picture, has each model look at them, and counts for each
object how many false places rank above it: by residual, by logit, and by sums of surprises; logit +
novelty is the default rule. With `--planted` the six pieces of the article are planted with so many
seeds on each picture, with `--odd` so many of each shape of `tests.benchmarks.odd_shapes`;
otherwise its own truth counts. One line of JSON a model and scene, with how many objects rank above
so many false places (`--alarms` per 10 Mpx); then geometric means of cost + 1, less 1, by picture.
Places and planted scenes are kept in the work folder, so that another model takes seconds.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.detector import Box, ingest
from dashboard.detector.models.judge import AROUND, Judge, Judgement
from dashboard.detector.rules.places import Surprises
from dashboard.detector.rules.surprisal import Surprisal
from dashboard.detector.scanning import peaks
from dashboard.detector.scanning.judging import windows
from dashboard.detector.scanning.nearest import novelty
from tests.benchmarks.odd_shapes import strewn
from training.evaluate.contestants import Network
from training.evaluate.measures import NEAR
from training.evaluate.planted import Planted
from training.truth import KnownObject, truth_of

Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Found:
    """The places of a scene that `guarded` points at, and what is known of it."""

    x: NDArray[np.intp]  # px
    y: NDArray[np.intp]
    residual: Doubles
    dn: NDArray[np.float32]  # [n, 1, 134, 134]
    objects: tuple[KnownObject, ...]
    ignore: tuple[Box, ...]
    area: int  # px of the scene

    def inside(self, boxes: Sequence[Box]) -> Mask:
        """Which places lie in any of some boxes."""
        held = np.zeros(len(self.x), bool)
        for box in boxes:
            held |= (
                (self.x >= box.x_min)
                & (self.x < box.x_max)
                & (self.y >= box.y_min)
                & (self.y < box.y_max)
            )
        return held

    def on(self) -> list[Mask]:
        """Which places lie on each object."""
        return [self.inside([one.box.grow(NEAR)]) for one in self.objects]


def strewn_pictures(scenes: Sequence[Path], each: int, work: Path) -> Iterator[Path]:
    """The pictures strewn with odd shapes, their truth beside them, made where they are not yet."""
    for scene in scenes:
        kept = list(work.glob(f"{scene.stem}-odd.truth.json"))
        if kept:
            yield next(one for one in work.glob(f"{scene.stem}-odd.*") if one != kept[0])
            continue
        path, truth = strewn(scene, each, 0, work)
        truth.write(path)
        yield path


def pictures(scenes: Sequence[Path], seeds: int, largest: int | None, work: Path) -> Iterator[Path]:
    """The pictures with their truth beside them; planted ones are made where they are not yet."""
    for scene in scenes:
        if not seeds:
            yield scene
        for seed in range(seeds):
            planted = Planted(scene, seed, largest=largest)
            folder = work / f"{planted.name}-{largest}"
            kept = [one for one in folder.glob("*") if one.suffix in (".png", ".jp2", ".tif")]
            if not kept or not list(folder.glob("*.truth.json")):
                folder.mkdir(parents=True, exist_ok=True)
                path, truth = planted.build(folder)
                truth.write(path)
                kept = [path]
            yield kept[0]


def found(picture: Path, finder: Network, per_mpx: float, work: Path) -> Found:
    """The places of a picture that a finder points at, kept in `work`."""
    scene = ingest(picture)
    known = truth_of(picture, scene)
    assert known is not None, f"{picture}: nothing is known of it"
    key = f"{scene.sha256[:8]}-{finder.model.sha256[:8]}-{per_mpx:g}-{AROUND}"
    kept = work / f"{picture.stem}-{key}.npz"
    if not kept.exists():
        scores = finder.score(scene, work).scores
        top = peaks.places(scores, per_mpx)
        xs, ys = (
            line * scores.grid.stride + scores.grid.tile // 2 for line in (top.cols, top.rows)
        )
        np.savez(kept, x=xs, y=ys, residual=top.scores, dn=windows(scene, xs, ys))
    with np.load(kept) as stored:
        parts = (stored[name] for name in ("x", "y", "residual", "dn"))
        return Found(*parts, known.objects, known.ignore, scene.width * scene.height)


def ranked(seen: Found, said: Judgement) -> dict[str, Doubles]:
    """The scores of all places, by how they are made."""
    values = (seen.residual, said.logits, novelty(said.descriptions))
    found = Surprises(*(Surprisal.of(value)(value) for value in values))
    return {
        "residual": found.residual,
        "logit": found.logit,
        "residual + logit": found.residual + found.logit,
        "logit + novelty": found.total,
    }


def costs(seen: Found, scores: Doubles) -> list[int]:
    """For each object how many false places rank above its best; all of them where it has none."""
    on = seen.on()
    false = ~np.any([*on, seen.inside(seen.ignore)], axis=0)
    return [
        int(np.count_nonzero(false & (scores > (scores[here].max() if here.any() else -np.inf))))
        for here in on
    ]


def mean_of(values: Sequence[int]) -> float:
    """The geometric mean of cost + 1, less 1."""
    return round(float(np.exp(np.log1p(values).mean()) - 1), 2)


def summary(by_ground: Mapping[tuple[str, str], Mapping[str, list[int]]]) -> Iterator[Any]:
    """The geometric means of each model on each ground, and of all grounds of a model together."""
    together: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for (model, ground), ways in by_ground.items():
        yield {"model": model, "ground": ground} | {way: mean_of(one) for way, one in ways.items()}
        for way, one in ways.items():
            together[model][way] += one
    for model, ways in together.items():
        pieces = len(next(iter(ways.values())))
        yield {"model": model, "pieces": pieces} | {way: mean_of(one) for way, one in ways.items()}


def main() -> None:
    """Prints a line a model and scene, then the means."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--scenes", nargs="+", required=True, type=Path)
    parser.add_argument("--planted", type=int, default=0, metavar="SEEDS")
    parser.add_argument("--odd", type=int, default=0, metavar="EACH", help="of each odd shape")
    parser.add_argument("--alarms", type=float, default=100.0, help="false places per 10 Mpx")
    parser.add_argument("--largest", type=int, help="px; of a larger picture the middle is taken")
    parser.add_argument("--per-mpx", type=float, default=250.0)
    parser.add_argument("--finder", default="guarded", help="a name in exported/, or a file")
    parser.add_argument("--work", type=Path, default=Path("places-work"))
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    finder = Network.load(given.finder, device="cpu")
    judges = [Judge.load(path, "cpu") for path in given.models]
    ways: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    tried = pictures(given.scenes, given.planted, given.largest, given.work)
    if given.odd:
        tried = strewn_pictures(given.scenes, given.odd, given.work)
    for picture in tried:
        seen = found(picture, finder, given.per_mpx, given.work)
        ground = picture.stem.partition("-planted-")[0]
        for judge in judges:
            line: dict[str, Any] = {"model": judge.name, "scene": picture.stem}
            line["places"] = len(seen.x)
            line["objects"] = [one.name for one in seen.objects]
            line["at a place"] = [bool(here.any()) for here in seen.on()]
            for way, scores in ranked(seen, judge.look(seen.dn)).items():
                line[way] = costs(seen, scores)
                most = given.alarms * seen.area / 1e7
                line[f"{way}, found"] = sum(cost <= most for cost in line[way])
                ways[judge.name, ground][way] += line[way]
            print(json.dumps(line), flush=True)
    for one in summary(ways):
        print(json.dumps(one), flush=True)


if __name__ == "__main__":
    main()
