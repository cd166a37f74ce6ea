"""What a critic gains by having its last layer fitted anew to the scene at hand.

    python -m tests.benchmarks.refit SCENE [SCENE ...] --run RUN [--seeds 0 4] [--things 1400]

A logistic regression on what the critic's U-Net sees tells the scene's own strongest places, taken
for ground whatever stands there, from things as training plants them, pressed on the same ground.
Those are pressed on the picture as it is given, known objects left clear, and serve all its seeds.
Local maxima alone are ranked, by the critic as it is, by a layer fitted to the whole scene, by that
and the look of the place (Fisher 1932), by one that knows the finest level alone, and by halves:
each half of a chessboard by what was fitted to the strongest places of the other.

Each scene is taken as it is, where its truth is known, and with the article's six pieces planted by
COUNT seeds from FIRST on. One line of JSON a scene and way: the false places above each piece, and
average precision; then one a way, over the planted scenes: by group the median of the costs and the
geometric mean of what cost + 1 is of that of the critic as it is, and the mean average precision.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional as F

from dashboard.detector import Box, Grid, Scene, ScoreMap, find, ingest, looks
from dashboard.detector.chessboard import Chessboard
from dashboard.detector.pieces import Pieces, read, standing_out
from dashboard.detector.store import SIDE, ScanRecord
from dashboard.detector.surprise import surprise
from training import imitations
from training.evaluate.measures import EVERY, Outcome, average_precision, judge
from training.evaluate.planted import CLEAR, Planted
from training.evaluate.subjects import Labelled, labelled
from training.export import Plan, plan_of
from training.networks.critic import LEVELS, TRUST, Scorer
from training.networks.guarded import OCTAVES, TAIL, without
from training.planting import write_planted
from training.sensor import noise_of
from training.site import Site
from training.train import CHECKPOINT, read_checkpoint
from training.truth import Truth, truth_of

AS_IT_IS = "as it is"
MAXIMA = (12_000, 6_000, 6_000)  # the strongest: of score, of logit, of surprise
STRONGEST = 1_500  # places taken for ground
AROUND = 5  # positions: side of the square that a maximum is the largest of
WINDOW, EACH = 512, 9  # px of ground under one light, and how many things are pressed on it
SLACK = 2  # positions around what a thing covers, among which the strongest is its place
SEED = 7  # of what is pressed
RIDGE = 30.0  # weight of the squared coefficients
FREE = 30.0  # times the score's column is larger, so that the ridge hardly holds its coefficient
FURTHEST = 6.0  # standard deviations of ground at which features are clipped
LOOKS = 0.5  # of a look's surprise counts
FINEST = 2 + 2 * LEVELS[0].channels  # features: logit, surprise, those of the finest level
SQUARE = 768  # px of the chessboard

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.intp]


class Places(NamedTuple):
    """Positions of a scene's grid, and what the critic says and sees there."""

    rows: Ints  # [n]
    cols: Ints  # [n]
    score: Floats  # [n]
    features: Floats  # [n, C]: of logit and surprise how far they stand out, then the network's

    def part(self, which: NDArray[Any]) -> Places:
        """Some of them."""
        return Places(*(one[which] for one in self))


@dataclass(frozen=True)
class Seen:
    """A scene as the critic sees it, position by position."""

    grid: Grid
    window: int  # px
    chosen: NDArray[np.bool_]  # [rows, cols]: where there is enough ground
    said: Floats  # [3, rows, cols]: how far score, logit and surprise stand out
    features: NDArray[np.float16]  # [C, rows, cols]

    def at(self, rows: Ints, cols: Ints) -> Places:
        """What is said and seen at some positions."""
        found = [part[:, rows, cols].T for part in (self.said[1:], self.features)]
        features = np.concatenate(found, axis=1, dtype=np.float32)
        return Places(rows, cols, self.said[0][rows, cols], features)

    def maxima(self) -> Places:
        """The local maxima of what is said."""
        picked = np.zeros(self.chosen.shape, bool)
        for part, most in zip(self.said, MAXIMA, strict=True):
            heights = np.where(self.chosen, part, -np.inf)
            peaks = self.chosen & (heights == ndimage.maximum_filter(heights, AROUND))
            cells = np.flatnonzero(peaks)
            picked.flat[cells[np.argsort(-heights.flat[cells], kind="stable")[:most]]] = True
        return self.at(*np.nonzero(picked))

    def strongest_in(self, box: Box) -> tuple[int, int] | None:
        """The position of the strongest score on a thing; None where ground is missing there."""
        first, stride = int(self.grid.origin), self.grid.stride
        left, top = (max(0, (low - first) // stride - SLACK) for low in box[:2])
        right, bottom = (max(0, (high - 1 - first) // stride + SLACK + 1) for high in box[2:])
        score, chosen = (one[top:bottom, left:right] for one in (self.said[0], self.chosen))
        if not score.size or not chosen.all():
            return None
        row, col = np.unravel_index(score.argmax(), score.shape)
        return top + int(row), left + int(col)

    def map_of(self, places: Places, values: NDArray[np.floating]) -> ScoreMap:
        """A score map with values at places alone."""
        scores = np.full(self.chosen.shape, np.nan, np.float32)
        scores[places.rows, places.cols] = values
        return ScoreMap(scores, self.grid, self.window)


def record_of(scene: Scene, facts: Mapping[str, Any]) -> ScanRecord:
    """How a scan would go through a scene."""
    known = {key: facts[key] for key in ("tile", "stride", "around")}
    known |= dict.fromkeys(("model", "model_path", "model_sha256", "created"), "")
    known |= {"scene": scene.name, "scene_path": str(scene.path), "scene_sha256": scene.sha256}
    known |= {"width": scene.width, "height": scene.height, "window": facts["score_window"]}
    return ScanRecord(version=0, batch=SIDE, area=True, **known)


def see(scene: Scene, plan: Plan) -> Seen:
    """What a critic says and sees of a whole scene."""
    assert isinstance(plan.scorer, Scorer), "the run has trained no critic"
    record = record_of(scene, plan.facts)
    shape = record.grid.rows, record.grid.cols
    beyond = tuple(length + record.lag for length in shape)
    chosen, said = np.zeros(shape, bool), np.zeros((3, *beyond), np.float32)
    features = np.zeros((0, *beyond), np.float16)
    for piece in Pieces(record):
        reading = read(record, piece, scene, plan.scorer.sees)
        chosen[piece.part] = reading.chosen
        if reading.empty:
            continue
        told, found = look(plan.scorer, reading.dn, scene)
        if not len(features):
            features = np.zeros((len(found), *beyond), np.float16)
        high, wide = (part.stop - part.start for part in piece.fresh)
        said[:, *piece.fresh] = told[:, :high, :wide]
        features[:, *piece.fresh] = found[:, :high, :wide]
    inner = slice(record.lag // 2, -(record.lag // 2))
    standing = np.stack([standing_out(one, record.around) for one in said])
    return Seen(record.grid, record.window, chosen, standing, features[:, inner, inner])


@torch.inference_mode()
def look(scorer: Scorer, dn: Floats, scene: Scene) -> tuple[Floats, Floats]:
    """Sum, logit and surprise as the score adds them, `[3, h, w]`, and features `[C, h, w]`.

    The features are what the finest level of the U-Net ends with and the largest of that
    around, the same of the coarser levels, and the residual's measures.
    """
    residual, levels = scorer.residual, list[Tensor]()
    hooks = [
        level.register_forward_hook(lambda _level, _given, found: levels.append(found))
        for level in scorer.network.up
    ]
    tile = torch.from_numpy(dn)
    facts = torch.tensor([scene.centre]), torch.tensor([scene.scale])
    logit = scorer.logits(tile, *facts)
    for hook in hooks:
        hook.remove()
    *coarser, fine = levels
    layers = [fine, F.max_pool2d(fine, AROUND, 1, AROUND // 2)]
    layers += [F.interpolate(one, fine.shape[2:]) for one in reversed(coarser)]
    rim = (fine.shape[-1] - logit.shape[-1]) // 2
    measures, _ = residual.measures(without(tile, scorer.sees - residual.sees), *facts)
    low, high = (part.reshape(1, -1, 1, 1) for part in (residual.ordinary, residual.rare))
    measures = TAIL * (measures - low) / (high - low)
    octaves = torch.stack([part.mean(dim=1) for part in measures.chunk(len(OCTAVES), dim=1)])
    placed = TRUST * TAIL * (logit - scorer.doubt[0]) / (scorer.doubt[1] - scorer.doubt[0])
    surprises = octaves.amax(dim=0)
    said = torch.cat([placed + surprises, placed, surprises])
    features = torch.cat([without(torch.cat(layers, dim=1), rim), measures], dim=1)
    return said.numpy(), features[0].numpy()


def press(scene: Scene, clear: Sequence[Box], number: int, work: Path) -> tuple[Path, list[Box]]:
    """A picture of the scene with things pressed on it, and the box of what each covers."""
    rng = np.random.default_rng((SEED, number))
    patch = scene.read(Box(0, 0, scene.width, scene.height))
    dn, taken, boxes = patch.dn.copy(), ~patch.valid, []
    for one in (one.clipped(scene.width, scene.height) for one in clear):
        taken[one.y_min : one.y_max, one.x_min : one.x_max] = True
    for tile in Grid(scene.width, scene.height, WINDOW, WINDOW):
        left, top, right, bottom = tile.read
        window, here = dn[top:bottom, left:right], taken[top:bottom, left:right]
        noise, sun = noise_of(window), imitations.sun_over(window, rng)
        for _ in range(EACH):
            size = imitations._even_in_logarithm(imitations.SIZES, rng)
            sheet = imitations.thing(size, sun, rng)
            at = imitations._free(here, len(sheet.x) // imitations.FINE, rng)
            if at is None:
                continue
            covered = imitations._press(window, sheet, at, (scene.scale, noise), rng)
            least = min(imitations.COVERED, 0.6 * float(covered.max()))
            y, x = (np.flatnonzero((covered >= least).any(axis=axis)) for axis in (1, 0))
            box = Box(int(x[0]), int(y[0]), int(x[-1]) + 1, int(y[-1]) + 1)
            boxes.append(box.moved(left + at[1], top + at[0]))
    site = Site.of(patch.dn, patch.valid)
    return write_planted(scene, site, dn, work / f"pressed-{number}"), boxes


def things_on(picture: Path, plan: Plan, count: int) -> Places:
    """At least so many things pressed on a picture, as the critic sees them."""
    scene = ingest(picture)
    known = truth_of(picture, scene) or Truth(scene.name, ())
    clear = [one.box.grow(CLEAR) for one in known.objects]
    passes: list[Places] = []
    while sum(len(one.rows) for one in passes) < count:
        with tempfile.TemporaryDirectory() as work:
            path, boxes = press(scene, clear, len(passes), Path(work))
            seen = see(ingest(path, home=Path(work)), plan)
        there = [place for place in map(seen.strongest_in, boxes) if place]
        passes.append(seen.at(*np.array(there, np.intp).T))
    return Places(*map(np.concatenate, zip(*passes, strict=True)))


def refitted(places: Places, ground: Ints, things: Places, most: int | None = None) -> Doubles:
    """The places scored anew by what tells things from ground, which some of the places are.

    The first `most` features tell, or all. Things that score less than all of that ground teach
    nothing and are left out; both sides weigh the same.
    """
    own = places.part(ground)
    put = things.part(things.score > own.score.min())
    seen = own.features[:, :most]
    mean, spread = seen.mean(axis=0), seen.std(axis=0) + 1e-6

    def inputs(some: Places) -> Doubles:
        score = FREE * (some.score - own.score.mean()) / own.score.std()
        scaled = np.clip((some.features[:, :most] - mean) / spread, -FURTHEST, FURTHEST)
        return np.column_stack([score, scaled]).astype(np.float64)

    is_put = np.repeat([False, True], [len(own.rows), len(put.rows)])
    weights = np.where(is_put, 1.0, len(put.rows) / len(own.rows))
    layer = LogisticRegression(C=1 / RIDGE, solver="newton-cholesky")
    layer.fit(np.concatenate([inputs(own), inputs(put)]), is_put, weights)
    return np.asarray(layer.decision_function(inputs(places)))


def ways(
    scene: Scene, seen: Seen, places: Places, things: Places
) -> Iterator[tuple[str, NDArray[np.floating]]]:
    """The scores of the places, way by way."""
    yield AS_IT_IS, places.score
    scores = seen.map_of(places, places.score)
    index = np.zeros(seen.chosen.shape, np.intp)
    index[places.rows, places.cols] = np.arange(len(places.rows))
    apart = np.array([index[one.row, one.col] for one in find(scores, top=EVERY)])

    def rare(values: Doubles) -> Doubles:
        return surprise(values[apart], np.ones(len(apart))).of(values)

    whole = refitted(places, apart[:STRONGEST], things)
    yield "whole", whole
    kinds, rarity = looks(scene).kinds(scores)
    yield "whole + looks", rare(whole) + LOOKS * rare(rarity[kinds[places.rows, places.cols]])
    yield "finest", refitted(places, apart[:STRONGEST], things, FINEST)
    grid = seen.grid
    x, y = (np.arange(n) * grid.stride + grid.tile // 2 for n in (grid.cols, grid.rows))
    black = Chessboard(SQUARE, 0).black(x, y)[places.rows, places.cols]
    by_white, by_black = (
        refitted(places, apart[black[apart] == colour][: STRONGEST // 2], things)
        for colour in (False, True)
    )
    yield "halves", np.where(black, by_white, by_black)


def tried(
    trial: Labelled | Planted, plan: Plan, things: Places
) -> Iterator[tuple[str, tuple[Outcome, ...]]]:
    """What becomes of the objects of a scene, way by way."""
    with tempfile.TemporaryDirectory() as work, trial.opened(Path(work)) as (_, scene, truth):
        seen = see(scene, plan)
        places = seen.maxima()
        for way, values in ways(scene, seen, places, things):
            yield way, judge(find(seen.map_of(places, values), top=EVERY), truth).objects


def line(trial: Labelled | Planted, way: str, objects: Sequence[Outcome]) -> str:
    """One result as JSON."""
    precision = round(average_precision(objects) or 0.0, 4)
    costs = {one.name: one.cost for one in objects}
    word = {"scene": trial.name, "way": way}
    return json.dumps(word | {"average_precision": precision, "costs": costs})


def summary(way: str, found: Sequence[Sequence[Outcome]], before: Sequence[Outcome]) -> str:
    """One way over all planted scenes, beside what became of all their objects before, as JSON."""
    groups: dict[str, list[tuple[int, int]]] = {}
    for one, was in zip((one for objects in found for one in objects), before, strict=True):
        groups.setdefault(one.group, []).append((one.cost, was.cost))
    words: dict[str, Any] = {"way": way, "scenes": len(found)}
    for group, costs in groups.items():
        now, then = np.array(costs).T
        ratio = float(np.exp(np.log((now + 1) / (then + 1)).mean()))
        words[group] = {"median": float(np.median(now)), "ratio": round(ratio, 3)}
    precision = float(np.mean([average_precision(objects) or 0.0 for objects in found]))
    return json.dumps(words | {"average_precision": round(precision, 4)})


def main() -> None:
    """Tries every way on each scene, then sums up."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scenes", nargs="+", type=Path)
    parser.add_argument("--run", type=Path, required=True, help="a critic's training run")
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 4), metavar=("FIRST", "COUNT"))
    parser.add_argument("--things", type=int, default=1_400, help="pressed on a scene at least")
    given = parser.parse_args()
    plan, (first, count) = plan_of(read_checkpoint(given.run / CHECKPOINT)), given.seeds
    planted: dict[str, list[tuple[Outcome, ...]]] = {}
    for picture in given.scenes:
        things = things_on(picture, plan, given.things)
        trials: list[Labelled | Planted] = [*labelled([picture])]
        trials += [Planted(picture, seed) for seed in range(first, first + count)]
        for trial in trials:
            for way, objects in tried(trial, plan, things):
                print(line(trial, way, objects), flush=True)
                if isinstance(trial, Planted):
                    planted.setdefault(way, []).append(objects)
    before = [one for objects in planted.get(AS_IT_IS, ()) for one in objects]
    for way, found in planted.items():
        print(summary(way, found, before), flush=True)


if __name__ == "__main__":
    main()
