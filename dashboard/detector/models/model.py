"""An exported network: its card, its session, and the scores it gives."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from dashboard.detector.arrays import Floats
from dashboard.detector.errors import ModelError
from dashboard.detector.models.batch_size import BATCH, best_batch
from dashboard.detector.models.card import ModelCard
from dashboard.detector.models.devices import CPU, Device, options, start

DEFAULT_MODEL = "second-look"
EXPORTED = Path(__file__).resolve().parents[3] / "exported"
SUFFIX = ".onnx"
INPUTS = {"dn", "centre", "scale"}
BLACK = "black"  # input of two cross-fitted networks: which of them is asked
OUTPUTS = {"score", "completion"}
SURPRISE = "surprise"  # of networks whose scores stand out from it
LOGIT = "logit"  # of critics
GAIN, PLACES = "gain", "places"  # of those with a second look


def list_models(folder: Path = EXPORTED) -> list[Path]:
    """The exported networks in a folder, by name."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def find_model(name: str | Path) -> Path:
    """The file that a name (`article`) or a path (`runs/mine.onnx`) means.

    Raises:
        ModelError: there is no such file; the message lists what there is.
    """
    path = Path(name)
    if path.suffix == SUFFIX:
        if path.is_file():
            return path
        raise ModelError(f"{path}: no such model")
    shipped = EXPORTED / f"{name}{SUFFIX}"
    if shipped.parent == EXPORTED and shipped.is_file():
        return shipped
    known = ", ".join(found.stem for found in list_models()) or "none yet"
    raise ModelError(f"no model {str(name)!r} in exported/ (there: {known}), nor a .onnx file")


def read_card(path: Path) -> ModelCard:
    """The card of a model file."""
    return _card_of(_session(_content(path), path), path)


@dataclass(frozen=True)
class Completed:
    """What a network gives for tiles, or for areas."""

    scores: Floats  # [N], of areas [N, h, w]
    completion: Floats  # DN, [N, T/2, T/2], of areas [N, stride h, stride w]
    logits: Floats | None  # [N, h, w], how much a critic thinks something was put there
    gains: Floats | None  # [N, h, w], what a second look adds to the score


@dataclass(frozen=True)
class Model:
    """A network ready to score tiles; safe to use from one thread at a time.

    Where several GPUs work together, the session is that of the first.
    """

    path: Path
    sha256: str
    card: ModelCard
    device: Device
    session: ort.InferenceSession
    beside: tuple[ort.InferenceSession, ...] = ()  # that share a scan, where it is more than one
    batch: int = BATCH  # tiles to score at a time, where tiles are scored

    @classmethod
    def load(cls, name: str | Path, device: str = "auto") -> Model:
        """The model of a name or a file, on the device asked for, tried once.

        Raises:
            ModelError: no such file, not a network, or not one of Needle's.
            DeviceError: the device asked for does not work.
        """
        path = find_model(name)
        content = _content(path)
        card = _card_of(_session(content, path), path)
        session, beside, found = start(content, device)
        digest = hashlib.sha256(content).hexdigest()
        model = cls(path, digest, card, found, session, tuple(beside))
        side = 2 * card.margin + 32 if card.area else card.tile
        for one in dict.fromkeys((session, *beside)):
            replace(model, session=one)._try(1, side)
        if model.provider == CPU or card.area:
            return model
        return replace(model, batch=best_batch(lambda batch: model._try(batch, side)))

    @property
    def shards(self) -> list[Model]:
        """One model a session, each safe to use from a thread of its own."""
        sessions = self.beside or (self.session,)
        return [replace(self, session=session, beside=()) for session in sessions]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of what really runs."""
        return self.device.provider

    @property
    def device_label(self) -> str:
        return self.device.label

    @property
    def fallback_reason(self) -> str | None:
        return self.device.note

    def score(self, dn: Floats, centre: float, scale: float, black: bool = False) -> Floats:
        """Scores `[N]` of tiles `dn [N, 1, T, T]` of a scene with this centre and scale (DN).

        Of a network for areas, scores `[N, h, w]`, one every `stride` px, of areas with their
        margin `[N, 1, stride h + 2 margin, stride w + 2 margin]`. Of two cross-fitted networks
        `black` asks the one that scores black squares.
        """
        (scores,) = self._run(["score"], dn, centre, scale, black)
        return np.asarray(scores, np.float32)

    def surprise(self, dn: Floats, centre: float, scale: float, black: bool = False) -> Floats:
        """What scores are the standing out of, `[N, h, w]`, of areas with less of a margin.

        `dn [N, 1, stride h + 2 sees, stride w + 2 sees]`. Only of a network for areas.
        """
        (found,) = self._run([SURPRISE], dn, centre, scale, black)
        return np.asarray(found, np.float32)

    def look_again(self, dn: Floats, centre: float, scale: float) -> tuple[Floats, Floats]:
        """Scores as for `score`, and features `[N, F, h, w]` of places, all 0 elsewhere.

        Only of a network with a second look.
        """
        score, features = self._run(["score", PLACES], dn, centre, scale)
        return np.asarray(score, np.float32), np.asarray(features, np.float32)

    @property
    def features(self) -> int:
        """By how many numbers it describes a place; 0 where it has no second look."""
        shapes = {output.name: output.shape for output in self.session.get_outputs()}
        return int(shapes[PLACES][1]) if self.card.looks_again else 0

    def complete(self, dn: Floats, centre: float, scale: float, black: bool = False) -> Completed:
        """Scores, completions and what a critic says of the same tiles or areas, as for `score`."""
        card = self.card
        wanted = ["score", "completion"] + [LOGIT] * card.judges + [GAIN] * card.looks_again
        found = dict(zip(wanted, self._run(wanted, dn, centre, scale, black), strict=True))
        return Completed(
            found["score"], found["completion"][:, 0], found.get(LOGIT), found.get(GAIN)
        )

    def _try(self, batch: int, side: int) -> None:
        self.score(np.zeros((batch, 1, side, side), np.float32), 0.0, 1.0)

    def _run(
        self, outputs: list[str], dn: Floats, centre: float, scale: float, black: bool = False
    ) -> list[Floats]:
        """Outputs of the session, its inputs put where it computes before it begins."""
        bound = self.session.io_binding()
        feed = _feed(dn, centre, scale)
        if self.card.square:
            feed[BLACK] = np.array(black)
        for name, values in feed.items():
            bound.bind_cpu_input(name, np.ascontiguousarray(values))
        for name in outputs:
            bound.bind_output(name)
        self.session.run_with_iobinding(bound)
        return list(bound.copy_outputs_to_cpu())


def _feed(dn: Floats, centre: float, scale: float) -> dict[str, NDArray[Any]]:
    return {
        "dn": dn,
        "centre": np.array([centre], np.float32),
        "scale": np.array([scale], np.float32),
    }


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror or error}") from error


def _session(content: bytes, path: Path) -> ort.InferenceSession:
    try:
        return ort.InferenceSession(content, options(), providers=[CPU])
    except Exception as error:  # ONNX Runtime has no common error type
        raise ModelError(f"{path}: not a network that ONNX Runtime can load") from error


def _card_of(session: ort.InferenceSession, path: Path) -> ModelCard:
    names = {node.name for node in session.get_inputs()}
    outputs = {node.name for node in session.get_outputs()}
    if names - {BLACK} != INPUTS or not outputs >= OUTPUTS:
        raise ModelError(
            f"{path}: takes {', '.join(sorted(names))} and gives {', '.join(sorted(outputs))}; "
            f"needed are {', '.join(sorted(INPUTS))} and {', '.join(sorted(OUTPUTS))}"
        )
    try:
        card = ModelCard.from_metadata(session.get_modelmeta().custom_metadata_map)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    if card.around and SURPRISE not in outputs:
        raise ModelError(f"{path}: gives no {SURPRISE}, which its card speaks of; export it again")
    if (BLACK in names) != bool(card.square):
        raise ModelError(f"{path}: graph and card disagree on how many networks it holds")
    if card.judges and LOGIT not in outputs:
        raise ModelError(f"{path}: a critic that gives no {LOGIT}; export it again")
    if card.looks_again and not outputs >= {GAIN, PLACES}:
        raise ModelError(
            f"{path}: a second look of an earlier version, without {PLACES}; make it anew"
        )
    return card
