"""From a run's checkpoint to one ONNX file that is the whole contract.

Everything between raw DN and score is in the graph. The file is written only if ONNX Runtime and
PyTorch agree on inputs and batch sizes other than the export's own.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor

from dashboard.detector.errors import ModelError
from dashboard.detector.models.card import ModelCard
from training.kinds import KINDS
from training.kinds.base import Plan
from training.model_files import write
from training.onnx_files.card import OPSET, card_of
from training.onnx_files.parity import Sample, checksum, parity, parity_samples
from training.presets import PRESETS
from training.trainer.trainer import CHECKPOINT, read_checkpoint

EXPORT_BATCH = 2


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
    state = read_checkpoint(run / CHECKPOINT)
    plan = plan_of(state)
    parameters = sum(weight.numel() for weight in plan.scorer.parameters())
    card = card_of(run, state, parameters, plan.facts)
    graph, samples = to_onnx(plan), parity_samples(plan.sizes)
    worst = check_parity(plan, graph, samples)
    card = replace(card, parity=worst, parity_checksum=checksum(samples))
    onnx.helper.set_model_props(graph, card.to_metadata())
    write(target, graph.SerializeToString())
    return card


def plan_of(state: Mapping[str, Any]) -> Plan:
    """How the network of a checkpoint is exported.

    Raises:
        ModelError: the training has not ended, so that its scores mean nothing yet.
    """
    recipe = PRESETS[state["settings"]["preset"]]
    kind = KINDS[recipe.kind]
    network = kind.network(recipe.width)
    network.load_state_dict(state.get("average") or state["network"])
    return kind.plan(network.eval(), state.get("calibration") or {})


def check_parity(plan: Plan, graph: onnx.ModelProto, samples: Sequence[Sample]) -> float:
    """The parity of a plan's network and a graph.

    Raises:
        ModelError: ONNX Runtime and PyTorch disagree.
    """
    worst = parity(plan, graph.SerializeToString(), samples)
    if not worst <= plan.tolerance:
        raise ModelError(
            f"ONNX Runtime and PyTorch differ by {worst:.2e}; at most {plan.tolerance:.0e} is "
            "allowed, so nothing was written"
        )
    return worst


def to_onnx(plan: Plan) -> onnx.ModelProto:
    """The graph of a plan's network, opset 18, weights inside."""
    dn = torch.rand(EXPORT_BATCH, 1, *plan.example) * 255
    example: tuple[Tensor, ...] = (dn, torch.tensor([100.0]), torch.tensor([20.0]))
    dynamic = {0: torch.export.Dim("batch", min=1)} | plan.dynamic
    count = len(plan.inputs)
    for name in ("torch.onnx", "onnx_ir"):  # of what they leave out and guess
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        program = torch.onnx.export(
            plan.scorer,
            example[:count],
            dynamo=True,
            opset_version=OPSET,
            external_data=False,
            input_names=list(plan.inputs),
            output_names=list(plan.outputs),
            dynamic_shapes=(dynamic, None, None)[:count],
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
