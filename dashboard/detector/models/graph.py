"""The graph in a model file: its content, a session of it, and its card."""

from __future__ import annotations

from pathlib import Path

import onnxruntime as ort

from dashboard.detector.errors import ModelError
from dashboard.detector.models.card import ModelCard
from dashboard.detector.models.devices import CPU, options

INPUTS = {"dn", "centre", "scale"}
OUTPUTS = {"score", "completion"}
SURPRISE = "surprise"  # of networks whose scores stand out from it
WINDOWS, LOGIT, DESCRIPTION = "windows", "logit", "description"  # of judges of places


def content_of(path: Path) -> bytes:
    """The bytes of a model file.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror or error}") from error


def cpu_session(content: bytes, path: Path) -> ort.InferenceSession:
    """A session of a graph on the CPU.

    Raises:
        ModelError: ONNX Runtime cannot load it.
    """
    try:
        return ort.InferenceSession(content, options(), providers=[CPU])
    except Exception as error:  # ONNX Runtime has no common error type
        raise ModelError(f"{path}: not a network that ONNX Runtime can load") from error


def card_of(session: ort.InferenceSession, path: Path) -> ModelCard:
    """The card of a graph, which takes and gives what a network of its kind must.

    Raises:
        ModelError: it is none of Needle's, or of another version.
    """
    names = {node.name for node in session.get_inputs()}
    outputs = {node.name for node in session.get_outputs()}
    judges_places = names == {WINDOWS}
    if not judges_places and (names != INPUTS or not outputs >= OUTPUTS):
        raise ModelError(
            f"{path}: takes {', '.join(sorted(names))} and gives {', '.join(sorted(outputs))}; "
            f"needed are {', '.join(sorted(INPUTS))} and {', '.join(sorted(OUTPUTS))}"
        )
    try:
        card = ModelCard.from_metadata(session.get_modelmeta().custom_metadata_map)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    except ValueError as error:  # of ONNX Runtime, which takes it for UTF-8
        raise ModelError(f"{path}: the model card is no text; export the model again") from error
    if card.judges_places != judges_places or judges_places > (outputs >= {LOGIT, DESCRIPTION}):
        raise ModelError(f"{path}: graph and card disagree on what it judges; export it again")
    if card.around and SURPRISE not in outputs:
        raise ModelError(f"{path}: gives no {SURPRISE}, which its card speaks of; export it again")
    return card
