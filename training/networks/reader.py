"""Reads what completion leaves: how much a residual looks as if something had been put there.

A residual's size says that ground is hard to foresee; its picture says more. A boulder leaves a
bright side and a dark one, a ripple a line, a lander neither. The reader sees residuals and ground
at three resolutions and gives one logit a block; it takes a sixth of the time of the completion.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.networks import BLOCK

CHANNELS = 16
SPREAD = 4.0  # deviations, or units of 4 robust sigma of ground, up to which much is told apart
READ = 2 * BLOCK * BLOCK  # of each block the residual of every pixel, and the ground itself
# Convolutions of 3 x 3 by octave, the finest first: the coarsest sees far enough with one.
DEPTHS = (3, 3, 1)
# Blocks of each octave around an area that its logits depend on: those of its convolutions, and
# the one of the last convolution, which is of the finest octave.
AROUND = (4, 4, 2)


class Reader(nn.Module):
    """Logits `[N, h, w]` of blocks, of residuals and ground at three octaves.

    Of octave `o` it takes `[N, 32, h / 2^o + 2 a, w / 2^o + 2 a]`, where `a` is its `AROUND`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.octaves = nn.ModuleList(_stack(depth) for depth in DEPTHS)
        self.join = nn.Conv2d(CHANNELS, CHANNELS, 3)
        self.last = nn.Conv2d(CHANNELS, 1, 1, bias=False)
        nn.init.zeros_(self.last.weight)

    def forward(self, seen: Sequence[Tensor]) -> Tensor:
        """As above."""
        total = self.octaves[0](seen[0])
        for octave in range(1, len(DEPTHS)):
            found = self.octaves[octave](seen[octave])
            fine = F.interpolate(found, scale_factor=2**octave)
            over = (AROUND[octave] - DEPTHS[octave]) * 2**octave - 1
            total = total + F.pad(fine, (-over, -over, -over, -over))
        logit: Tensor = self.last(F.relu(self.join(F.relu(total))))
        return logit[:, 0]


def _stack(depth: int) -> nn.Sequential:
    """Three convolutions, of which the first so many see 3 x 3 blocks."""
    layers: list[nn.Module] = []
    for number in range(max(DEPTHS)):
        inputs = CHANNELS if number else READ
        layers += [nn.Conv2d(inputs, CHANNELS, 3 if number < depth else 1), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def squashed(values: Tensor) -> Tensor:
    """Values in -1 to 1, of which those far beyond `SPREAD` are alike."""
    return torch.tanh(values / SPREAD)
