"""How far an exported graph is from the network in PyTorch, on inputs other than its export's."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime
import torch

from training.kinds.base import Plan
from training.networks import article

COMPLETION = "completion"  # in DN; other outputs have units of their own
PARITY = ((1, 8), (3, 10), (5, 16))  # (batch, bits of the DN) of the inputs compared


@dataclass(frozen=True)
class Sample:
    """One input of the parity check."""

    dn: np.ndarray  # [N, 1, 256, 256] float32
    centre: float
    scale: float

    def feed(self, inputs: Sequence[str]) -> dict[str, np.ndarray]:
        """Values by the names of a graph's inputs; one that takes DN alone gets DN alone."""
        facts = (np.array([value], np.float32) for value in (self.centre, self.scale))
        return dict(zip(inputs, (self.dn, *facts), strict=False))


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


def parity(plan: Plan, graph: bytes, samples: Sequence[Sample]) -> float:
    """Largest absolute difference of ONNX Runtime from PyTorch over all samples and outputs.

    Of scores in their own units, of completions in units of 4 robust sigma.
    """
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    worst = 0.0
    for sample in samples:
        feed = sample.feed(plan.inputs)
        theirs = session.run(list(plan.outputs), feed)
        with torch.inference_mode():
            ours = plan.scorer(*(torch.from_numpy(part) for part in feed.values()))
        for name, mine, other in zip(plan.outputs, ours, theirs, strict=True):
            unit = article.SPAN * sample.scale if name == COMPLETION else 1.0
            worst = max(worst, float(np.abs(mine.numpy() - other).max()) / unit)
    return worst


def checksum(samples: Sequence[Sample]) -> str:
    """SHA-256 over the parity samples' pixels."""
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(np.ascontiguousarray(sample.dn).tobytes())
    return digest.hexdigest()
