"""From a run's checkpoint to one ONNX file that is the whole contract.

Everything between raw DN and score is in the graph. The file is written only if ONNX Runtime and
PyTorch agree on inputs and batch sizes other than the export's own.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from dashboard.detector.errors import ModelError
from dashboard.detector.models.card import ModelCard
from training.kinds.learners import network_of
from training.model_files import write
from training.networks import article, guarded, places, residuals
from training.onnx_files.card import (
    OPSET,
    article_facts,
    card_of,
    guarded_facts,
    places_facts,
)
from training.onnx_files.parity import (
    INPUTS,
    OUTPUTS,
    PARITY,
    Sample,
    WindowSample,
    checksum,
    parity,
    parity_samples,
)
from training.presets import PRESETS
from training.trainer.trainer import CHECKPOINT, read_checkpoint

AREA_OUTPUTS = (*OUTPUTS, "surprise")
WINDOW_INPUTS, PLACES_OUTPUTS = ("windows",), ("logit", "description")
TOLERANCE = 1e-4  # largest difference allowed, in units of 4 robust sigma: a score is about 0.1
AREA_TOLERANCE = 1e-3  # of scores in standard deviations, and completions in those units
EXPORT_BATCH = 2
AREA_STEP = 32  # px of which the sides of an area are multiples
AREAS = ((256, 256), (64, 160), (192, 96))  # px of the areas compared, beside their margins


class Scorer(nn.Module):
    """The exported graph of `article`: raw DN in, score and completion (DN) out."""

    def __init__(self, network: article.Article) -> None:
        super().__init__()
        self.network = network
        self.mask: Tensor
        self.register_buffer("mask", article.hole())

    def forward(self, dn: Tensor, centre: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """`score [N]` and `completion [N, 1, 128, 128]` (DN) of `dn [N, 1, 256, 256]`."""
        tiles = article.query(dn, centre, scale)
        completion = self.network(article.hide(tiles, self.mask))
        return article.score(tiles, completion), completion * (article.SPAN * scale) + centre


@dataclass(frozen=True)
class Plan:
    """How one kind of network is exported."""

    scorer: nn.Module
    example: Tensor  # DN
    dynamic: dict[int, Any]  # its dimensions that may change
    samples: list[Sample]
    tolerance: float
    facts: dict[str, Any]  # of the card: what a caller must know
    outputs: tuple[str, ...] = OUTPUTS
    inputs: tuple[str, ...] = INPUTS


def plan_of(state: Mapping[str, Any]) -> Plan:
    """How the network of a checkpoint is exported.

    Raises:
        ModelError: the training has not ended, so that its scores mean nothing yet.
    """
    network = network_of(PRESETS[state["settings"]["preset"]])
    network.load_state_dict(state.get("average") or state["network"])
    network.eval()
    batch = torch.export.Dim("batch", min=1)
    if isinstance(network, article.Article):
        sizes = [(article.TILE, article.TILE)] * len(PARITY)
        example = torch.rand(EXPORT_BATCH, 1, *sizes[0]) * 255
        tile_scorer = Scorer(network).eval()
        facts = article_facts()
        return Plan(tile_scorer, example, {0: batch}, parity_samples(sizes), TOLERANCE, facts)
    if isinstance(network, places.Places):
        return places_plan(network, batch)
    scorer = area_scorer(network, state.get("calibration") or {})
    rim = 2 * scorer.margin
    tall, wide = (torch.export.Dim(name, min=5, max=1024) for name in ("tall", "wide"))
    return Plan(
        scorer,
        torch.rand(EXPORT_BATCH, 1, rim + 8 * AREA_STEP, rim + 4 * AREA_STEP) * 255,
        {0: batch, 2: AREA_STEP * tall, 3: AREA_STEP * wide},
        parity_samples([(rim + height, rim + width) for height, width in AREAS]),
        AREA_TOLERANCE,
        guarded_facts(scorer),
        AREA_OUTPUTS,
    )


def places_plan(network: places.Places, batch: Any) -> Plan:
    """How a network of single places is exported."""
    sizes = [(places.WINDOW, places.WINDOW)] * len(PARITY)
    samples = [WindowSample(one.dn, one.centre, one.scale) for one in parity_samples(sizes)]
    return Plan(
        network,
        torch.from_numpy(samples[1].dn),
        {0: batch},
        list(samples),
        AREA_TOLERANCE,
        places_facts(),
        PLACES_OUTPUTS,
        WINDOW_INPUTS,
    )


def area_scorer(network: nn.Module, calibration: Mapping[str, Tensor]) -> residuals.Scorer:
    """The scorer of a network that scores areas, calibrated.

    Raises:
        ModelError: it has not been calibrated, for its training has not ended.
    """
    if not calibration:
        raise ModelError("the training has not ended; the same command goes on with it")
    assert isinstance(network, guarded.Guarded)
    scorer = residuals.Scorer(network).eval()
    scorer.calibrate(calibration)
    return scorer


@dataclass(frozen=True)
class Made:
    """A run's network as a graph that has been compared with PyTorch."""

    plan: Plan
    graph: onnx.ModelProto
    card: ModelCard


def made_of(run: Path) -> Made:
    """A run's network as a graph with its card.

    Raises:
        StoreError: the run has no checkpoint.
        ModelError: ONNX Runtime and PyTorch disagree, or the training has not ended.
    """
    state = read_checkpoint(run / CHECKPOINT)
    plan = plan_of(state)
    return made(plan, card_of(run, state, plan.scorer, plan.facts))


def made(plan: Plan, card: ModelCard) -> Made:
    """A network as a graph with its card, on which parity is still to be said.

    Raises:
        ModelError: ONNX Runtime and PyTorch disagree.
    """
    graph = to_onnx(plan.scorer, plan.example, plan.dynamic, plan.outputs, plan.inputs)
    worst = agreed(plan, graph)
    return Made(plan, graph, replace(card, parity=worst, parity_checksum=checksum(plan.samples)))


def agreed(plan: Plan, graph: onnx.ModelProto) -> float:
    """The parity of a plan's network and a graph.

    Raises:
        ModelError: ONNX Runtime and PyTorch disagree.
    """
    worst = parity(plan.scorer, graph.SerializeToString(), plan.samples, plan.outputs)
    if not worst <= plan.tolerance:
        raise ModelError(
            f"ONNX Runtime and PyTorch differ by {worst:.2e}; at most {plan.tolerance:.0e} is "
            "allowed, so nothing was written"
        )
    return worst


def export(run: Path, target: Path) -> ModelCard:
    """Write a run's network to `target`, an ONNX file; its card.

    Args:
        run: the run's folder.
        target: the file.

    Raises:
        StoreError: the run has no checkpoint.
        ModelError: ONNX Runtime and PyTorch disagree, or the training has not ended; nothing is
            written.
    """
    return kept(made_of(run), target)


def kept(one: Made, target: Path) -> ModelCard:
    """Write a graph with its card to `target`, an ONNX file; the card."""
    onnx.helper.set_model_props(one.graph, one.card.to_metadata())
    write(target, one.graph.SerializeToString())
    return one.card


def to_onnx(
    scorer: nn.Module,
    dn: Tensor,
    dynamic: dict[int, Any],
    outputs: tuple[str, ...] = OUTPUTS,
    inputs: tuple[str, ...] = INPUTS,
) -> onnx.ModelProto:
    """The graph, opset 18, weights inside.

    Args:
        scorer: takes DN, and centre and scale where there are three inputs.
        dn: an example.
        dynamic: the dimensions of DN that may change.
        outputs: the names of what the scorer gives.
        inputs: the names of what it takes.
    """
    example = (dn, torch.tensor([100.0]), torch.tensor([20.0]))[: len(inputs)]
    for name in ("torch.onnx", "onnx_ir"):  # of what they leave out and guess
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        program = torch.onnx.export(
            scorer,
            example,
            dynamo=True,
            opset_version=OPSET,
            external_data=False,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=(dynamic, None, None)[: len(inputs)],
            verbose=False,
        )
    if program is None:
        raise ModelError("the exporter gave nothing back")
    proto: onnx.ModelProto = program.model_proto
    proto.graph.doc_string = ""
    for node in proto.graph.node:
        node.ClearField("metadata_props")  # stack traces of the exporting machine
        node.ClearField("doc_string")
    return proto
