"""How far an exported graph is from the network in PyTorch, on inputs other than its export's."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import nn

from training.networks import article

INPUTS = ("dn", "centre", "scale")
COMPLETION = "completion"
OUTPUTS = ("score", COMPLETION)
PARITY = ((1, 8), (3, 10), (5, 16))  # (batch, bits of the DN) of the inputs compared


@dataclass(frozen=True)
class Sample:
    """One input of the parity check."""

    dn: np.ndarray  # [N, 1, 256, 256] float32
    centre: float
    scale: float

    def feed(self) -> dict[str, np.ndarray]:
        centre, scale = (np.array([value], np.float32) for value in (self.centre, self.scale))
        return dict(zip(INPUTS, (self.dn, centre, scale), strict=True))


@dataclass(frozen=True)
class WindowSample(Sample):
    """One input of the parity check of a network that takes windows of DN alone."""

    def feed(self) -> dict[str, np.ndarray]:
        return {"windows": self.dn}


def parity_samples(sizes: Sequence[tuple[int, int]], seed: int = 0) -> list[Sample]:
    """Smooth ground with noise and a bright spot, at several depths, batches and sizes (px)."""
    rng = np.random.default_rng(seed)
    samples = []
    for (batch, bits), (height, width) in zip(PARITY, sizes, strict=True):
        coarse = rng.normal(size=(batch, 1, -(-height // 8), -(-width // 8)))
        coarse = coarse.repeat(8, axis=2).repeat(8, axis=3)[:, :, :height, :width]
        ground = 0.5 + 0.08 * coarse + 0.02 * rng.normal(size=(batch, 1, height, width))
        y, x = height // 2, width // 2
        ground[..., y - 8 : y + 2, x - 4 : x + 8] += 0.4
        dn = np.round(np.clip(ground, 0, 1) * (2**bits - 1)).astype(np.float32)
        centre = float(np.median(dn))
        samples.append(Sample(dn, centre, float(1.4826 * np.median(np.abs(dn - centre)))))
    return samples


def parity(
    scorer: nn.Module,
    graph: bytes,
    samples: list[Sample],
    outputs: tuple[str, ...] = OUTPUTS,
    fixed: Mapping[str, Any] | None = None,
) -> float:
    """Largest absolute difference of ONNX Runtime from PyTorch over all samples and outputs.

    Of scores in their own units, of completions in units of 4 robust sigma. `fixed` are inputs that
    the graph alone takes.
    """
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    worst = 0.0
    for sample in samples:
        feed = sample.feed()
        theirs = session.run(list(outputs), feed | dict(fixed or {}))
        with torch.inference_mode():
            ours = scorer(*(torch.from_numpy(part) for part in feed.values()))
        units = (article.SPAN * sample.scale if name == COMPLETION else 1.0 for name in outputs)
        for unit, mine, other in zip(units, ours, theirs, strict=True):
            worst = max(worst, float(np.abs(mine.numpy() - other).max()) / unit)
    return worst


def checksum(samples: list[Sample]) -> str:
    """SHA-256 over the parity samples' pixels."""
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(np.ascontiguousarray(sample.dn).tobytes())
    return digest.hexdigest()
