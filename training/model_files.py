"""Model files: which is meant, what its card says, and how one is written."""

from __future__ import annotations

import subprocess
from pathlib import Path

import onnx

from dashboard.detector.errors import ModelError
from dashboard.detector.models.card import ModelCard
from dashboard.detector.system.whole_file import whole_file

EXPORTED = Path(__file__).resolve().parents[1] / "exported"


def model_file(model: str) -> Path:
    """The file that a name (`guarded`) or a path (`runs/mine.onnx`) means.

    Raises:
        ModelError: there is none.
    """
    path = Path(model) if model.endswith(".onnx") else EXPORTED / f"{model}.onnx"
    if not path.is_file():
        raise ModelError(f"{path}: no such model; give a name in exported/, or a file")
    return path


def graph_of(path: Path) -> tuple[onnx.ModelProto, ModelCard]:
    """The graph of a model file, and its card.

    Raises:
        ModelError: it is none of Needle's.
    """
    try:
        graph = onnx.load(path)
    except Exception as error:  # protobuf's own, which onnx does not name
        raise ModelError(f"{path.name}: not a network") from error
    return graph, ModelCard.from_metadata(
        {entry.key: entry.value for entry in graph.metadata_props}
    )


def git_revision() -> str:
    """The revision of the code, marked where it has uncommitted changes; empty outside git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    root = Path(__file__).resolve().parent
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def write(target: Path, content: bytes) -> None:
    """Write a file in one step: it is whole or not there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target) as file:
        file.write(content)
