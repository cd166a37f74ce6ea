"""What a critic sees of a scene as it is, and of things put on a copy of it, square by square.

Squares are kept one by one as they are seen, so that the looking can be stopped and goes on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Self

import numpy as np
import onnx
import onnxruntime
from scipy import ndimage

from dashboard.detector.errors import NoGround, StoreError
from dashboard.detector.models.card import ModelCard
from dashboard.detector.models.devices import start
from dashboard.detector.scanning.pieces import Piece, Pieces, Reading, read
from dashboard.detector.scanning.store import ScanRecord
from dashboard.detector.scenes.scene import Scene
from dashboard.detector.tiling import Box
from training import synthetic_anomalies
from training.model_files import write
from training.progress import LOOKING, PLANTING, Report
from training.scene_adaptation import graph_surgery, logistic_layer
from training.scene_adaptation.graph_surgery import BEFORE, Anatomy, feed, seeing
from training.scene_adaptation.logistic_layer import HOLDS, Floats, Hold, Places

SQUARE = 256  # positions along a side of what is looked at at a time: 1,024 px
POSITIONS = 1_000_000  # of ground that are looked at: 16 Mpx, or all of a smaller scene
PLACE = 13  # positions: side of the square in which one place is the strongest
THINGS, PASSES = 1_000, 40  # put on the ground at least, in so many passes at most
USUAL, SEED = 3, 7  # passes that are usual; of what is put
WINDOW, EACH = 512, 9  # px of ground under one light, and how many things are put on it
PLAIN = 2.5  # units of roughness: the least contrast of large things; fainter ones mislead a layer
SLACK = 2  # positions around what a thing covers, among which the strongest is its place

Look = Callable[[Piece, np.random.Generator], "Places"]


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
            things = synthetic_anomalies.put(part, scene.scale, count, rng, PLAIN)
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
    here, things = Path(__file__), Path(str(synthetic_anomalies.__file__)).parent.glob("*.py")
    code = (
        here,
        *(Path(str(one.__file__)) for one in (logistic_layer, graph_surgery)),
        *sorted(things),
    )
    digest = hashlib.sha256()
    for path in code:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


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
