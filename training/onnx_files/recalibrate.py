"""An exported network calibrated anew: its weights stay, what is ordinary of ground is measured.

For ground unlike what it was trained on, or where its scorer has changed since it was exported; or
to have a second look follow another critic than the one it was trained with. Of a critic's logit
alone, what it says can be calibrated too: on ground that it has learned it is surer than elsewhere.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from torch import Tensor

from dashboard.detector.errors import ModelError, OptionError
from dashboard.detector.models.card import ModelCard
from training.kinds.calibration import PLANTED, judgements, platt
from training.kinds.learners import Learner, learner_of
from training.model_files import git_revision, graph_of, model_file, write
from training.networks.critic import Critic
from training.networks.second_look import OWN, SecondLook
from training.onnx_files.card import planted_share
from training.onnx_files.export import kept, made, plan_of
from training.onnx_files.weights import start_of, weights_of
from training.presets import PRESETS
from training.trainer.trainer import batch_of, begin_with
from training.windows import Plantings, Source

LOGIT = "logit"  # the output, and what it is before it is multiplied and raised
RAW, SCALED = "logit_raw", "logit_scaled"
LINE = ("logit_gain", "logit_offset")  # names of the two numbers


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


def calibrate_logit(
    model: str, sources: Sequence[Source], target: Path, seed: int = 0
) -> ModelCard:
    """Write a critic, or what follows one, to `target` with its logit calibrated; its card.

    Of the graph the output `logit` alone is another: scores stay what they are, to the last bit.

    Args:
        model: a name in `exported/`, or a file.
        sources: the ground, best such as it has not learned.
        target: an ONNX file.
        seed: what is planted, and in which windows.

    Raises:
        ModelError: there is no such model, or it has learned a scene. Nothing is written.
        OptionError: it gives no logit.
    """
    path = model_file(model)
    card, weights = weights_of(path)
    if not card.judges:
        raise OptionError(f"{path.name}: gives no logit; give a critic, or a second look")
    if card.square or card.preset not in PRESETS:
        raise ModelError(f"{path.name}: has learned a scene; give the model it was before")
    network = _learner(card, weights, sources, seed).network
    critic = network.critic if isinstance(network, SecondLook) else network
    assert isinstance(critic, Critic)
    logits, planted = judgements(critic, Plantings(sources, seed, turns=True), PLANTED)
    gain, offset = platt(logits, planted).tolist()
    graph, _ = graph_of(path)
    lined(graph.graph, gain, offset)
    found = replace(card, planted=round(float(planted.mean()), 5))
    onnx.helper.set_model_props(graph, found.to_metadata())
    write(target, graph.SerializeToString())
    return found


def line_of(model: str) -> tuple[float, float]:
    """What a model's `logit` is multiplied by, and raised by, beyond what its weights say."""
    graph, _ = graph_of(model_file(model))
    known = {weight.name: weight for weight in graph.graph.initializer}
    if LINE[0] not in known:
        return 1.0, 0.0
    gain, offset = (float(numpy_helper.to_array(known[name])) for name in LINE)
    return gain, offset


def lined(graph: onnx.GraphProto, gain: float, offset: float) -> None:
    """Has a critic's output `logit` multiplied and raised, in place, instead of any such before."""
    numbers = [
        numpy_helper.from_array(np.array(number, np.float32), name)
        for name, number in zip(LINE, (gain, offset), strict=True)
    ]
    known = {weight.name: weight for weight in graph.initializer}
    if LINE[0] in known:
        for number in numbers:
            known[number.name].CopyFrom(number)
        return
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [RAW if name == LOGIT else name for name in names]
    graph.initializer.extend(numbers)
    graph.node.append(onnx.helper.make_node("Mul", [RAW, LINE[0]], [SCALED]))
    graph.node.append(onnx.helper.make_node("Add", [SCALED, LINE[1]], [LOGIT]))


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
