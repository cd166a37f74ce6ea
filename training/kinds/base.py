"""A kind of network: a row of the table in `kinds/__init__.py`, with learner and plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from training.windows import Source, Windows

INPUTS = ("dn", "centre", "scale")
OUTPUTS = ("score", "completion")

Precision = Callable[[], AbstractContextManager[Any]]  # mixed, where the device is faster so


class Learner(nn.Module):
    """A network and its loss; `forward` gives the loss of a batch, so that processes can share it.

    A batch holds what its `windows` give: `dn [N, 1, 256, 256]` raw, `centre` and `scale` (DN)
    `[N]`, and whatever else the loss needs.
    """

    def __init__(self, network: nn.Module, precision: Precision) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.precision = precision

    workers = 0  # processes that prepare windows while a CPU trains; reading alone is quick

    def windows(self, sources: Sequence[Source], seed: int, turns: bool) -> Windows:
        """The windows that it learns from."""
        return Windows(sources, seed, turns)

    def forward(self, *batch: Tensor) -> Tensor:
        """The loss, a scalar."""
        raise NotImplementedError

    def preview(self, *batch: Tensor) -> list[Tensor]:
        """Pictures `[N, 1, H, W]` in [-1, 1] to be shown side by side."""
        raise NotImplementedError

    def calibrate(self, sources: Sequence[Source], seed: int) -> dict[str, Tensor]:
        """Measures of ordinary ground that the scorer needs, taken when the training has ended."""
        return {}

    def run(self, ground: Tensor) -> Any:
        """The network's outputs, in mixed precision where that is faster."""
        with self.precision():
            return self.network(ground.contiguous(memory_format=torch.channels_last))


@dataclass(frozen=True)
class Plan:
    """How a trained network becomes a graph: what is exported, and what it is compared on."""

    scorer: nn.Module  # takes `inputs`, gives `outputs`
    facts: dict[str, Any]  # of the card: what a caller must know
    tolerance: float  # largest difference between ONNX Runtime and PyTorch
    example: tuple[int, int]  # px, height and width of the DN that the graph is traced with
    sizes: Sequence[tuple[int, int]]  # px, of the three DN on which parity is measured
    dynamic: dict[int, Any] = field(default_factory=dict)  # dimensions of DN, beside the batch
    outputs: tuple[str, ...] = OUTPUTS
    inputs: tuple[str, ...] = INPUTS


@dataclass(frozen=True)
class Kind:
    """One kind of network, from its untrained weights to the plan of its export."""

    name: str  # in presets and on cards
    network: Callable[[float], nn.Module]  # untrained, of a width
    learner: Callable[[nn.Module, Precision], Learner]
    # Of the trained network and what `calibrate` measured. Raises ModelError where it lacks that.
    plan: Callable[[Any, Mapping[str, Tensor]], Plan]
    # Of parts of the network that learn alone, when the rest has learned, by the recipe's name.
    parts: Mapping[str, Callable[[nn.Module, Precision], Learner]] = field(default_factory=dict)
