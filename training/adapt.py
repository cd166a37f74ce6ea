"""Learning one scene: some minutes of training on its own ground, from the weights of a model.

Every terrain differs. What stands on the scene is seen too, but only as often as its few pixels
come into a random window: the article trained on its own scene in the same way.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from dashboard.detector.card import ModelCard
from dashboard.detector.errors import ModelError
from training.data import gather
from training.export import export
from training.presets import PRESETS
from training.train import TrainSettings, train

PRESET = "guarded-adapt"
PREFIX = "network."
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


def weights_of(path: Path) -> dict[str, Tensor]:
    """The weights in an exported `guarded` network, by their names in PyTorch.

    Raises:
        ModelError: it is none of Needle's, or of another kind.
    """
    try:
        graph = onnx.load(path)
    except Exception as error:  # protobuf's own, which onnx does not name
        raise ModelError(f"{path.name}: not a network") from error
    card = ModelCard.from_metadata({entry.key: entry.value for entry in graph.metadata_props})
    if card.kind != "guarded":
        raise ModelError(f"{path.name}: a network of kind {card.kind} cannot learn a scene")
    return {
        weight.name.removeprefix(PREFIX): torch.from_numpy(numpy_helper.to_array(weight).copy())
        for weight in graph.graph.initializer
        if weight.name.startswith(PREFIX)
    }


def adapt(picture: Path, model: str, target: Path, epochs: int | None = None) -> ModelCard:
    """Writes to `target` the model after it has learned the picture's own ground; its card.

    The run's checkpoint and logs lie beside it, in `NAME.run`; the same call goes on with it.

    Raises:
        SceneError: the picture cannot be used.
        ModelError: the model cannot learn, or PyTorch and ONNX Runtime disagree in the end.
        StoreError: the run cannot be written, or belongs to another scene.
    """
    start = weights_of(model_file(model))
    settings = TrainSettings(
        PRESET, epochs or PRESETS[PRESET].epochs, (picture.name,), polluted=True
    )
    run = target.with_suffix(".run")
    train(run, settings, lambda: gather([picture], polluted=True), start)
    return export(run, target)
