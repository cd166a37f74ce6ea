"""The weights of exported networks, to go on from."""

from __future__ import annotations

from pathlib import Path

from onnx import numpy_helper
from torch import Tensor, from_numpy

from dashboard.detector.errors import ModelError
from dashboard.detector.models.card import ModelCard
from training.model_files import graph_of, model_file

PLACE = "network."  # where an exported scorer holds its network; other networks are exported bare


def weights_of(path: Path) -> tuple[ModelCard, dict[str, Tensor]]:
    """The card and the weights of an exported network, by their names in PyTorch.

    Raises:
        ModelError: it is none of Needle's.
    """
    graph, card = graph_of(path)
    named = {weight.name: weight for weight in graph.graph.initializer}
    place = PLACE if any(name.startswith(PLACE) for name in named) else ""
    weights = {
        name.removeprefix(place): from_numpy(numpy_helper.to_array(weight).copy())
        for name, weight in named.items()
        if name.startswith(place) and name.endswith((".weight", ".bias"))
    }
    return card, weights


def start_of(model: str, kind: str) -> dict[str, Tensor]:
    """The weights that a model gives a network of a kind to begin with: all of its own.

    Raises:
        ModelError: there is no such model, or it is of another kind.
    """
    path = model_file(model)
    card, weights = weights_of(path)
    if card.kind != kind:
        raise ModelError(f"{path.name}: a network of kind {card.kind}; needed is {kind}")
    return weights
