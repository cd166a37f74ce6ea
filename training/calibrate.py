"""An exported network calibrated anew: its weights stay, what is ordinary of ground is measured.

For ground unlike what it was trained on, or where its scorer has changed since it was exported; or
to have a second look follow another critic than the one it was trained with.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from dashboard.detector.card import ModelCard
from dashboard.detector.errors import ModelError, OptionError
from training.data import Source
from training.export import kept, made, plan_of
from training.facts import planted_share
from training.files import git_revision, graph_of, model_file
from training.learners import Learner, learner_of
from training.networks.second_look import OWN
from training.presets import PRESETS
from training.train import batch_of, begin_with
from training.weights import start_of, weights_of


def calibrate(
    model: str,
    sources: Sequence[Source],
    target: Path,
    seed: int = 0,
    critic: str | None = None,
) -> ModelCard:
    """Write a model to `target` with what is ordinary of other ground; its card.

    Args:
        model: a name in `exported/`, or a file.
        sources: the ground.
        target: an ONNX file.
        seed: which windows of it are measured, and what is planted in them.
        critic: that a second look is to follow, a name or a file; its own otherwise.

    Raises:
        ModelError: there is no such model, or it has learned a scene; the critic is none; or ONNX
            Runtime and PyTorch disagree. Nothing is written.
        OptionError: it needs no calibration, or follows no critic.
    """
    path = model_file(model)
    card, weights = weights_of(path)
    if card.kind == "article":
        raise OptionError(f"{path.name}: what it scores does not depend on any ground's")
    if card.square or card.preset not in PRESETS:
        raise ModelError(f"{path.name}: has learned a scene; give the model it was before")
    if critic is not None:
        card, weights = _behind(critic, path, card, weights)
    learner = _learner(card, weights, sources, seed)
    state = {
        "settings": {"preset": card.preset},
        "network": learner.network.state_dict(),
        "calibration": learner.calibrate(sources, seed),
    }
    plan = plan_of(state)
    found = replace(
        card,
        **plan.facts,
        planted=planted_share(state["calibration"]),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        git_revision=git_revision(),
    )
    return kept(made(plan, found), target)


def _behind(
    critic: str, path: Path, card: ModelCard, weights: dict[str, Tensor]
) -> tuple[ModelCard, dict[str, Tensor]]:
    """Card and weights of a second look behind another critic."""
    if card.kind != "second-look":
        raise OptionError(f"{path.name}: follows no critic; leave out --critic")
    first = model_file(critic)
    if graph_of(first)[1].kind != "critic":
        raise ModelError(f"{first.name}: is no critic; give one for --critic")
    return replace(card, start=first.stem), {**weights, **start_of(critic, card.kind)}


def _learner(
    card: ModelCard, weights: Mapping[str, Tensor], sources: Sequence[Source], seed: int
) -> Learner:
    """What has learned a network, as it was when it had."""
    recipe = PRESETS[card.preset]
    learner = learner_of(recipe, nullcontext)
    begin_with(learner.network, weights, recipe)
    if any(name.startswith(OWN) for name in weights):
        usual = batch_of(learner.windows(sources, seed, recipe.turns), recipe.batch)
        learner.settle(*(part.float() for part in usual))
    return learner.eval()
