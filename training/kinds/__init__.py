"""Kinds of network: a new one is a network, a file of this folder and a row here."""

from __future__ import annotations

from torch import nn

from training.kinds.article import ARTICLE
from training.kinds.base import Kind, Learner, Precision
from training.kinds.guarded import GUARDED
from training.kinds.places import PLACES
from training.presets import Preset

KINDS = {
    kind.name: kind
    for kind in (
        ARTICLE,
        GUARDED,
        PLACES,
    )
}

__all__ = ["KINDS", "Kind", "learner_of", "network_of"]


def network_of(recipe: Preset) -> nn.Module:
    """The untrained network of a recipe."""
    return KINDS[recipe.kind].network(recipe.width)


def learner_of(recipe: Preset, precision: Precision) -> Learner:
    """The untrained network of a recipe with its loss."""
    kind = KINDS[recipe.kind]
    learner = kind.parts[recipe.part] if recipe.part else kind.learner
    return learner(network_of(recipe), precision)
