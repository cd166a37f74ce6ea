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
from dashboard.detector.models.devices import CPU, Device, shrinking, start
from dashboard.detector.models.graph import SURPRISE, card_of, content_of, cpu_session
from dashboard.detector.models.judge import WINDOW, Judge
from dashboard.detector.system.gdal_errors import reason

DEFAULT_MODEL = "places"
EXPORTED = Path(__file__).resolve().parents[3] / "exported"
SUFFIX = ".onnx"
FINDER = "guarded"  # that points at the places which a judge looks at


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
    return card_of(cpu_session(content_of(path), path), path)


@dataclass(frozen=True)
class Completed:
    """A network's outputs for tiles, or for areas."""

    scores: Floats  # [N], of areas [N, h, w]
    completion: Floats  # DN, [N, T/2, T/2], of areas [N, stride h, stride w]


@dataclass(frozen=True)
class Model:
    """A network ready to score tiles; safe to use from one thread at a time.

    Where several GPUs work together, the session is that of the first. A model of two files is a
    finder, whose path, checksum and card these are, and the judge that names it.
    """

    path: Path
    sha256: str
    card: ModelCard
    device: Device
    session: ort.InferenceSession
    parallel_sessions: tuple[ort.InferenceSession, ...] = ()  # where several share a scan
    batch: int = BATCH  # tiles to score at a time, where tiles are scored
    judge: Judge | None = None  # that looks at the strongest places

    @classmethod
    def load(cls, name: str | Path, device: str = "auto") -> Model:
        """The model of a name or a file, on the device asked for, tried once.

        Raises:
            ModelError: no such file, not a network, or not one of Needle's.
            DeviceError: the device asked for does not work.
        """
        path = find_model(name)
        content = content_of(path)
        card = card_of(cpu_session(content, path), path)
        if card.judges_places:
            return cls._with_judge(path, device)
        session, parallel_sessions, found = start(content, device)
        digest = hashlib.sha256(content).hexdigest()
        model = cls(path, digest, card, found, session, tuple(parallel_sessions))
        for each in dict.fromkeys((session, *parallel_sessions)):
            try:
                replace(model, session=each)._try(1, model._side)
            except Exception as error:  # ONNX Runtime has no common error type
                raise ModelError(f"{path}: the network does not run ({reason(error)})") from error
        if model.provider == CPU or card.area:
            return model
        return replace(model, batch=best_batch(lambda batch: model._try(batch, model._side)))

    @classmethod
    def _with_judge(cls, path: Path, device: str) -> Model:
        """The judge in a file, and the finder beside it, else the shipped one."""
        own = path.with_name(f"{FINDER}{SUFFIX}")
        finder = cls.load(own if own.is_file() else FINDER, device)
        if not finder.card.area or finder.card.tile != WINDOW:
            raise ModelError(f"{finder.path}: does not find places for {path.name}; export both")
        return replace(finder, judge=Judge.load(path, device))

    @property
    def checksums(self) -> str:
        """What decides its scores: the checksum of its file, and of its judge's if it has one."""
        return f"{self.sha256} {self.judge.sha256}" if self.judge else self.sha256

    @property
    def shards(self) -> list[Model]:
        """One model a session, each safe to use from a thread of its own."""
        sessions = self.parallel_sessions or (self.session,)
        return [replace(self, session=session, parallel_sessions=()) for session in sessions]

    @property
    def name(self) -> str:
        return self.judge.name if self.judge else self.path.stem

    @property
    def file(self) -> Path:
        """The file that names it: its judge's, where it has one."""
        return self.judge.path if self.judge else self.path

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

    def score(self, dn: Floats, centre: float, scale: float) -> Floats:
        """Scores `[N]` of tiles `dn [N, 1, T, T]` of a scene with this centre and scale (DN).

        Of a network for areas, scores `[N, h, w]`, one every `stride` px, of areas with their
        margin `[N, 1, stride h + 2 margin, stride w + 2 margin]`.
        """
        (scores,) = self._run(["score"], dn, centre, scale)
        return np.asarray(scores, np.float32)

    def raw_scores(self, dn: Floats, centre: float, scale: float) -> Floats:
        """Scores before their local mean is subtracted, `[N, h, w]`, of areas with less margin.

        `dn [N, 1, stride h + 2 sees, stride w + 2 sees]`. Only of a network for areas.
        """
        (found,) = self._run([SURPRISE], dn, centre, scale)
        return np.asarray(found, np.float32)

    def complete(self, dn: Floats, centre: float, scale: float) -> Completed:
        """Scores and completions of tiles or areas, as for `score`."""
        scores, completion = self._run(["score", "completion"], dn, centre, scale)
        return Completed(scores, completion[:, 0])

    def shrink(self) -> None:
        """Has the sessions on a CPU hand back the memory that they keep for the next run."""
        for model in (replace(self, parallel_sessions=()), *self.shards):
            model._try(1, self._side)
        if self.judge:
            self.judge.shrink()

    @property
    def _side(self) -> int:
        """Pixels along the side of the smallest input."""
        return 2 * self.card.margin + 32 if self.card.area else self.card.tile

    def _try(self, batch: int, side: int) -> None:
        """Runs the network once, after which the session keeps no memory."""
        dn = np.zeros((batch, 1, side, side), np.float32)
        self._run(["score"], dn, 0.0, 1.0, shrinking(self.provider))

    def _run(
        self,
        outputs: list[str],
        dn: Floats,
        centre: float,
        scale: float,
        how: ort.RunOptions | None = None,
    ) -> list[Floats]:
        """Outputs of the session, its inputs put where it computes before it begins."""
        bound = self.session.io_binding()
        feed = _feed(dn, centre, scale)
        for name, values in feed.items():
            bound.bind_cpu_input(name, np.ascontiguousarray(values))
        for name in outputs:
            bound.bind_output(name)
        self.session.run_with_iobinding(bound, how)
        return list(bound.copy_outputs_to_cpu())


def _feed(dn: Floats, centre: float, scale: float) -> dict[str, NDArray[Any]]:
    return {
        "dn": dn,
        "centre": np.array([centre], np.float32),
        "scale": np.array([scale], np.float32),
    }
