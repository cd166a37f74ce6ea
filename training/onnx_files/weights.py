"""The weights of exported networks, to go on from."""

from __future__ import annotations

from pathlib import Path

from onnx import numpy_helper
from torch import Tensor, from_numpy

from dashboard.detector.errors import ModelError
from dashboard.detector.models.card import ModelCard
from training.model_files import graph_of, model_file
from training.networks.critic import EYE
from training.networks.second_look import FIRST, OWN

# Names in the graph begin with where the exported scorer holds the network. A critic's scorer holds
# its guarded network twice, and the exporter names it by the second place. A second look's own
# weights have what normalised them taken in (`second_look.settle`).
PLACES = {
    "network.": "",
    "residual.network.": EYE,
    "first.network.": FIRST,
    "first.residual.network.": FIRST + EYE,
    OWN: OWN,
}


def weights_of(path: Path) -> tuple[ModelCard, dict[str, Tensor]]:
    """The card and the weights of an exported network, by their names in PyTorch.

    Raises:
        ModelError: it is none of Needle's.
    """
    graph, card = graph_of(path)
    weights = {
        own + weight.name.removeprefix(place): from_numpy(numpy_helper.to_array(weight).copy())
        for place, own in PLACES.items()
        for weight in graph.graph.initializer
        if weight.name.startswith(place)
    }
    return card, weights


def start_of(model: str, network: str) -> dict[str, Tensor]:
    """What a model gives a network of a kind to begin with.

    That is all its weights, a critic's eye, or the critic that a second look follows.

    Raises:
        ModelError: there is no such model, or its weights do not fit the kind.
    """
    path = model_file(model)
    card, weights = weights_of(path)
    if (card.kind, network) == ("guarded", "critic"):
        return {EYE + name: weight for name, weight in weights.items()}
    if (card.kind, network) == ("critic", "second-look"):
        return {FIRST + name: weight for name, weight in weights.items()}
    if card.kind != network:
        raise ModelError(f"{path.name}: a network of kind {card.kind}; needed is {network}")
    return weights
