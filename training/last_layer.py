"""A critic's last layer fitted to one scene: two minutes, and nothing else of it changes.

What a network sees is good for more grounds than what its last layer makes of it (Kirichenko,
Izmailov and Wilson 2022, arXiv 2204.02937). A logistic regression on what the U-Net sees tells the
scene's own strongest places, taken for ground whatever stands there, from things as training plants
them, put on the same ground. One object among 1,500 places moves a line of a hundred numbers
little: what stands on the scene is hardly learned as ground.

The line judges places alone, that is local maxima of the score: it was fitted to nothing else. What
it adds there is added to what is around too, so that a place stays where it was (`rescored`).

Behind a second look it presses most of the strongest places down and leaves few on top, a tail that
tells little of how many go beyond a threshold. There a last bend, which changes no rank, gives
ground the distribution of its scores before (`Bend`): a threshold promises what it promised.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.linear_model import LogisticRegression

from dashboard.detector.card import ModelCard
from dashboard.detector.devices import CPU, start
from dashboard.detector.errors import ModelError, NoGround, StoreError
from dashboard.detector.pieces import Piece, Pieces, Reading, read
from dashboard.detector.scene import Scene
from dashboard.detector.store import ScanRecord
from dashboard.detector.tiling import Box
from training import graft, imitations
from training.files import git_revision, graph_of, write
from training.graft import BEFORE, FURTHEST, NOWHERE, RIM, TOP, Anatomy, feed, judging, seeing
from training.progress import LOOKING, PLANTING, Report

PRESET = "critic-last"  # of the card of what has been fitted
SQUARE = 256  # positions along a side of what is looked at at a time: 1,024 px
POSITIONS = 1_000_000  # of ground that are looked at: 16 Mpx, or all of a smaller scene
STRONGEST = 1_500  # places taken for ground
PLACE = 13  # positions: side of the square in which one place is the strongest
THINGS, PASSES = 1_000, 40  # put on the ground at least, in so many passes at most
FEWEST = 50  # places, and things that stand out among them, that can teach anything
USUAL, SEED = 3, 7  # passes that are usual; of what is put
WINDOW, EACH = 512, 9  # px of ground under one light, and how many things are put on it
PLAIN = 2.5  # units of roughness: the least contrast of large things; fainter ones mislead a layer
SLACK = 2  # positions around what a thing covers, among which the strongest is its place
FREE = 10.0  # times the score's column is larger, so that the ridge hardly holds its coefficient
LEAST = 0.05  # part of ground that changes less than what is near no place
KNOTS = 24  # of a bend at most
FLAT, STEEP = 0.05, 20.0  # its slopes at least and at most: it changes no rank
TOLERANCE = 1e-3  # of the graph's scores
SEPARATION = "separation.csv"  # in the run's folder

Floats = NDArray[np.float32]


class Hold(NamedTuple):
    """How a layer is held to what a kind of model says by itself."""

    ridge: float  # weight of the squared coefficients
    bends: bool  # ground keeps the distribution of its scores, not their mean and spread alone


HOLDS = {"critic": Hold(30.0, bends=False), "second-look": Hold(1000.0, bends=True)}  # by kind
Look = Callable[[Piece, np.random.Generator], "Places"]


class Places(NamedTuple):
    """Positions of a scene, and what a critic says and sees there."""

    score: Floats  # [n]
    features: Floats  # [n, C]

    def part(self, which: NDArray[Any]) -> Places:
        """Some of them."""
        return Places(self.score[which], self.features[which])

    def strongest(self) -> Places:
        """Those that are taken for ground."""
        return self.part(np.argsort(-self.score, kind="stable")[:STRONGEST])

    @classmethod
    def of(cls, parts: list[Places]) -> Places:
        """All of several."""
        return cls(*(np.concatenate(both) for both in zip(*parts, strict=True)))


@dataclass(frozen=True)
class Bend:
    """A broken line that changes scores and no rank; beyond its ends its slope is 1."""

    knots: Floats  # [K], rising
    turns: Floats  # [K], by how much the slope changes there
    shift: float  # added to all

    @classmethod
    def none(cls) -> Self:
        """The one that changes nothing."""
        return cls(np.zeros(1, np.float32), np.zeros(1, np.float32), 0.0)

    @classmethod
    def back(cls, before: Floats, after: Floats) -> Self:
        """The one that gives scores the distribution that they had before, `[n]` both.

        It goes through the scores at ranks that are a ratio apart: the strongest decide how many go
        beyond a threshold, and of them there are few.
        """
        ranks = np.unique(np.rint(np.geomspace(1, len(after), KNOTS)).astype(int)) - 1
        had, has = (np.sort(scores)[::-1][ranks[::-1]].astype(float) for scores in (before, after))
        knots, first = np.unique(has, return_index=True)
        slopes = np.clip(np.diff(had[first]) / np.diff(knots), FLAT, STEEP)
        turns = np.diff(slopes, prepend=1.0, append=1.0)
        return cls(knots.astype(np.float32), turns.astype(np.float32), float(had[0] - knots[0]))

    def of(self, scores: Floats) -> Floats:
        """Scores of any shape, bent."""
        above = np.maximum(scores[..., None] - self.knots, 0)
        return np.asarray(scores + above @ self.turns + self.shift, np.float32)


@dataclass(frozen=True)
class Layer:
    """What tells things from ground, as a change to the score, in its units."""

    mean: Floats  # [C], of the features of ground
    spread: Floats  # [C]
    weight: Floats  # [C], of features in such units
    gain: float  # of the score
    bias: float
    least: float  # the change where no place is near
    bend: Bend  # of the changed scores
    loss: float  # cross-entropy, ground and things weighing the same

    def change(self, places: Places) -> Floats:
        """What is added to the score of places, `[n]`."""
        seen = standard(places.features, self.mean, self.spread)
        return np.asarray(seen @ self.weight + self.gain * places.score + self.bias, np.float32)

    def after(self, places: Places) -> Floats:
        """The score of places once the scene is learned, `[n]`."""
        return self.bend.of(places.score + self.change(places))

    def scored(self, standing: Floats, change: Floats) -> Floats:
        """Scores `[h - 2 RIM, w - 2 RIM]` of scores and their change, `[h, w]` both."""
        return self.bend.of(rescored(standing, change, self.least))


def standard(features: Floats, mean: Floats, spread: Floats) -> Floats:
    """Features `[n, C]` in standard deviations of ground, none further than `FURTHEST`."""
    return np.asarray(np.clip((features - mean) / spread, -FURTHEST, FURTHEST), np.float32)


def fitted(places: Places, things: Places, hold: Hold) -> Layer:
    """The layer that tells things from the strongest of places.

    Things that score less than all of that ground teach nothing and are left out; both sides weigh
    the same. The scores of that ground keep their mean and their spread, and where it `bends` their
    distribution.

    Raises:
        NoGround: there are too few places, or too few things stand out among them.
    """
    ground = places.strongest()
    put = things.part(things.score > ground.score.min(initial=np.inf))
    if min(len(ground.score), len(put.score)) < FEWEST:
        raise NoGround(
            f"too little ground to learn: {len(ground.score)} places on it, and {len(put.score)} "
            f"things put there that stand out; {FEWEST} are needed. Scan it without learning"
        )
    mean, spread = ground.features.mean(axis=0), ground.features.std(axis=0) + 1e-6
    level, scale = float(ground.score.mean()), float(ground.score.std()) + 1e-6

    def inputs(some: Places) -> NDArray[np.float64]:
        score = FREE * (some.score - level) / scale
        return np.column_stack([score, standard(some.features, mean, spread)]).astype(np.float64)

    is_put = np.repeat([False, True], [len(ground.score), len(put.score)])
    weights = np.where(is_put, 1.0, len(put.score) / len(ground.score))
    line = LogisticRegression(C=1 / hold.ridge, solver="newton-cholesky", max_iter=500)
    told = inputs(Places.of([ground, put]))
    said = line.fit(told, is_put, weights).decision_function(told)
    loss = float(np.average(np.logaddexp(0, np.where(is_put, -said, said)), weights=weights))
    of_ground = said[~is_put]
    unit = scale / (float(of_ground.std()) + 1e-6)
    steepness, *weight = unit * line.coef_[0]
    slope = FREE * float(steepness) / scale
    bias = level * (1 - slope) + unit * float(line.intercept_[0] - of_ground.mean())
    coefficients = np.asarray(weight, np.float32)
    layer = Layer(mean, spread, coefficients, slope - 1, bias, 0.0, Bend.none(), loss)
    change = layer.change(ground)
    bend = Bend.back(ground.score, ground.score + change) if hold.bends else layer.bend
    return replace(layer, least=float(np.quantile(change, LEAST)), bend=bend)


def rescored(standing: Floats, change: Floats, least: float) -> Floats:
    """Scores `[h - 2 RIM, w - 2 RIM]` of scores and what a layer adds to them, `[h, w]` both.

    What is added at a local maximum is added around it too; where several are near, the most.
    """
    top = standing == ndimage.maximum_filter(standing, TOP)
    most = ndimage.maximum_filter(np.where(top, change, NOWHERE), TOP)
    found = standing + np.where(most > NOWHERE, most, least)
    return np.asarray(found[RIM:-RIM, RIM:-RIM], np.float32)


@dataclass(frozen=True)
class Eye:
    """A critic that says what it sees of a scene."""

    session: onnxruntime.InferenceSession
    anatomy: Anatomy
    card: ModelCard
    scene: Scene
    device: str  # in words

    @classmethod
    def of(cls, model: onnx.ModelProto, card: ModelCard, scene: Scene) -> Self:
        """That of a critic's graph, on the GPU where there is one."""
        anatomy = Anatomy.of(model, card)
        session, _, device = start(seeing(model, anatomy).SerializeToString(), "auto")
        return cls(session, anatomy, card, scene, device.label)

    @property
    def hold(self) -> Hold:
        """How the layer is held: more where a second look has told things from ground."""
        return HOLDS[self.card.kind]

    def look(self, dn: Floats) -> tuple[Floats, Floats]:
        """Scores `[h, w]` and features `[C, h, w]` of `dn [1, 1, H, W]` with a margin."""
        inputs = feed(dn, self.scene.centre, self.scene.scale)
        said = self.session.run([f"{BEFORE}score", "features"], inputs)
        return said[0][0], said[1][0]

    @cached_property
    def record(self) -> ScanRecord:
        """How it goes through the scene: in squares."""
        scene, card = self.scene, self.card
        return ScanRecord(
            version=0,
            scene=scene.name,
            scene_path=str(scene.path),
            scene_sha256=scene.sha256,
            width=scene.width,
            height=scene.height,
            tile=card.tile,
            window=card.score_window,
            stride=card.stride,
            batch=SQUARE,
            area=True,
            model="",
            model_path="",
            model_sha256="",
            created="",
        )

    @cached_property
    def squares(self) -> list[Piece]:
        """Squares with ground, from all over the scene: as many as are looked at.

        Raises:
            NoGround: there are none.
        """
        pieces, found, seen = Pieces(self.record), list[Piece](), 0
        for number in np.random.default_rng(0).permutation(len(pieces)).tolist():
            if seen >= POSITIONS:
                break
            there = read(self.record, pieces[number], self.scene, 0).chosen
            if there.any():
                found.append(pieces[number])
                seen += int(np.count_nonzero(there))
        if not found:
            raise NoGround(f"{self.scene.name}: there is no ground to learn; give a fuller picture")
        return found

    def read(self, square: Piece) -> Reading:
        """A square's ground with the margin that its scores need."""
        return read(self.record, square, self.scene, self.card.margin)

    def ground(self, square: Piece, _: np.random.Generator) -> Places:
        """The places of a square: where no score around is larger."""
        reading = self.read(square)
        score, features = self.look(reading.dn)
        rows, cols = reading.chosen.shape
        heights = np.where(reading.chosen, score[:rows, :cols], -np.inf)
        top = reading.chosen & (heights == ndimage.maximum_filter(heights, PLACE))
        return Places(heights[top].astype(np.float32), features[:, :rows, :cols][:, top].T)

    def things(self, square: Piece, rng: np.random.Generator) -> Places:
        """Things put on a square, each where it scores most."""
        reading, margin, stride = self.read(square), self.card.margin, self.card.stride
        dn, chosen = reading.dn.copy(), reading.chosen
        boxes = put(dn[0, 0, margin:-margin, margin:-margin], self.scene, rng)
        score, features = self.look(dn)
        found = list[Places]()
        for box in boxes:
            top, left = (max(0, low // stride - SLACK) for low in (box.y_min, box.x_min))
            bottom, right = ((high - 1) // stride + SLACK + 1 for high in (box.y_max, box.x_max))
            there = chosen[top:bottom, left:right]
            if there.size and there.all():
                near = score[top:bottom, left:right][: there.shape[0], : there.shape[1]]
                row, col = np.unravel_index(near.argmax(), near.shape)
                row, col = row + top, col + left
                found.append(Places(score[None, row, col], features[None, :, row, col]))
        empty = Places(np.zeros(0, np.float32), np.zeros((0, len(features)), np.float32))
        return Places.of([empty, *found])


def put(dn: Floats, scene: Scene, rng: np.random.Generator) -> list[Box]:
    """Things put on ground of a scene in place, as its file would hold them; what they cover."""
    boxes = list[Box]()
    for top in range(0, dn.shape[0], WINDOW):
        for left in range(0, dn.shape[1], WINDOW):
            part = dn[top : top + WINDOW, left : left + WINDOW]
            count = round(EACH * part.size / WINDOW**2)
            things = imitations.put(part, scene.scale, count, rng, PLAIN)
            boxes += [one.moved(left, top) for one in things]
    if scene.bits <= 16:
        np.clip(np.rint(dn, out=dn), 0, 2**scene.bits - 1, out=dn)
    return boxes


@dataclass(frozen=True)
class Run:
    """The folder that keeps what a critic has seen of a scene, so that the looking can go on."""

    folder: Path

    def claim(self, scene: str, model: str) -> None:
        """Makes it that of a scene and a model, by their checksums.

        What another version of this code has kept is forgotten.

        Raises:
            StoreError: it is that of others.
        """
        path, facts = self.folder / "last_layer.json", {"scene": scene, "model": model}
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if known and facts.items() - known.items():
            raise StoreError(f"{self.folder}: of another scene or model; give another --out")
        if known.get("recipe") != recipe():
            for kept in self.folder.glob("*.npz"):
                kept.unlink()
        write(path, json.dumps(facts | {"recipe": recipe()}, indent=1).encode())

    def kept(self, name: str, made: Callable[[], Places]) -> Places:
        """What was kept by a name, or is made and kept now."""
        path = self.folder / f"{name}.npz"
        try:
            with np.load(path) as stored:
                return Places(stored["score"], stored["features"])
        except (OSError, ValueError, KeyError):
            places = made()
            partly = path.with_suffix(".part.npz")
            np.savez(partly, **places._asdict())
            partly.replace(path)
            return places


@lru_cache(maxsize=1)
def recipe() -> str:
    """What decides how a scene is learned: a checksum of the code that does it."""
    digest = hashlib.sha256()
    for path in (Path(__file__), *(Path(str(one.__file__)) for one in (graft, imitations))):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def learn(path: Path, scene: Scene, folder: Path, report: Report) -> tuple[bytes, ModelCard]:
    """The ONNX file of a critic whose last layer is fitted to a scene, and its card.

    Args:
        path: of the critic.
        scene: to be learned.
        folder: keeps what has been seen; the same call goes on with it.
        report: told what is done, and which part of the looking is.

    Raises:
        ModelError: it is no critic, or has learned a scene.
        NoGround: the scene is too small, or nothing put on it stands out.
        StoreError: the folder is that of another scene or model.
    """
    began = time.monotonic()
    model, card = graph_of(path)
    eye, run = Eye.of(model, card, scene), Run(folder)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    run.claim(scene.sha256, digest)
    looking = Looking(eye, run, report)
    places, things = looking.ground(), looking.things()
    layer = fitted(places, things, eye.hold)
    write(folder / SEPARATION, separation(layer, places, things).encode())
    weights = asdict(layer)
    weights |= weights.pop("bend")
    del weights["loss"]
    graph = judging(model, eye.anatomy, card.stride, weights)
    learned = replace(
        card,
        preset=PRESET,
        start=path.stem,
        margin=card.margin + RIM * card.stride,
        around=0,
        score_unit=f"{card.score_unit}; fitted anew to the scene",
        epochs=0.0,
        windows_seen=len(things.score),
        hours=round((time.monotonic() - began) / 3600, 2),
        hardware=eye.device,
        loss=round(layer.loss, 5),
        scenes=(scene.name,),
        polluted=True,
        parameters=card.parameters + len(layer.weight) + 1,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        git_revision=git_revision(),
    )
    worst = max(card.parity, parity(graph, eye, layer, learned))
    learned = replace(learned, parity=worst)
    onnx.helper.set_model_props(graph, learned.to_metadata())
    return graph.SerializeToString(), learned


def separation(layer: Layer, places: Places, things: Places) -> str:
    """What a layer tells apart as CSV: whether it was put there, its score before and after."""
    lines = ["put,before,after"]
    for put, some in ((0, places.strongest()), (1, things)):
        pairs = zip(some.score, layer.after(some), strict=True)
        lines += [f"{put},{x:.4f},{y:.4f}" for x, y in pairs]
    return "\n".join(lines) + "\n"


def parity(graph: onnx.ModelProto, eye: Eye, layer: Layer, card: ModelCard) -> float:
    """The largest difference of a fitted graph's scores from those reckoned of what the eye sees.

    Raises:
        ModelError: it is larger than allowed.
    """
    dn = read(eye.record, eye.squares[0], eye.scene, card.margin).dn
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=[CPU])
    (theirs,) = session.run(["score"], feed(dn, eye.scene.centre, eye.scene.scale))
    score, features = eye.look(dn)
    flat = Places(score.reshape(-1), features.reshape(len(features), -1).T)
    ours = layer.scored(score, layer.change(flat).reshape(score.shape))
    worst = float(np.abs(theirs[0] - ours).max())
    if not worst <= TOLERANCE:
        raise ModelError(f"the fitted graph differs by {worst:.2e}; nothing was written")
    return worst


class Looking:
    """Looking at a scene as it is, then with things on it, square by square, and saying how far."""

    def __init__(self, eye: Eye, run: Run, report: Report) -> None:
        self.eye, self.run, self.report = eye, run, report
        self.part = 0.0  # of all that is done

    def ground(self) -> Places:
        """The places of the scene as it is."""
        return self._all(LOOKING, 0, self.eye.ground, 1 + USUAL)

    def things(self) -> Places:
        """Things put on the scene, pass by pass, until there are enough."""
        passes = list[Places]()
        while len(passes) < PASSES and (lack := THINGS - sum(len(one.score) for one in passes)) > 0:
            left = -(-lack // max(1, len(passes[0].score))) if passes else USUAL
            left = min(left, PASSES - len(passes))
            passes.append(self._all(PLANTING, len(passes), self.eye.things, left))
        return Places.of(passes)

    def _all(self, doing: str, turn: int, look: Look, left: int) -> Places:
        """What a look at every square finds; so many times all squares are left to be looked at."""
        found, squares = list[Places](), self.eye.squares
        share = (1 - self.part) / left / len(squares)
        for number, square in enumerate(squares):
            rng = np.random.default_rng((SEED, turn, number))
            made = partial(look, square, rng)
            found.append(self.run.kept(f"{doing}-{turn}-{number}", made))
            self.part += share
            self.report(doing, self.part)
        return Places.of(found)
