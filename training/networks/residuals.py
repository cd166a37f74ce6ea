"""From a guarded network's residuals to scores: which ground is harder to predict than ordinary.

Residuals are standardised, averaged over windows of several sizes in three resolutions and put on
one scale; what their reader says is added, and the local mean is taken off. It takes raw DN, so
that it is exported as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.networks import BLOCK
from training.networks.guarded import (
    OCTAVES,
    SPAN,
    Guarded,
    blocks_of,
    ground_of,
    reach,
    without,
)
from training.networks.reader import AROUND, squashed

WINDOWS = (3, 5)  # blocks: sides of the windows over which residuals are averaged
LOCAL_MEAN = 65  # blocks: side of the square whose mean is subtracted
TAIL = 3.09  # standard deviations beyond which one of a thousand normal values lies
LEAST = 1e-4  # of a mean residual, before its logarithm is taken
# Blocks of each octave around an area: what its windows or its reader see.
RIMS = tuple(max(around, max(WINDOWS) // 2) for around in AROUND)


class Look(NamedTuple):
    """What a network leaves of the ground at one octave, with a rim of blocks around an area."""

    blocks: Tensor  # the scaled ground, `[N, 16, h, w]`
    expected: Tensor  # by the head of the narrowest hole, likewise
    residuals: list[Tensor]  # of each head, the narrowest hole's first, in predicted scales

    @property
    def picture(self) -> Tensor:
        """What a reader sees of it, `[N, 32, h, w]`: the narrowest hole's residual, and ground."""
        return squashed(torch.cat([self.residuals[0], self.blocks], dim=1))


class Scorer(nn.Module):
    """From raw DN to one score every 4 px: how surprising the ground is there.

    At each octave and for each hole the residuals `|x - c| / b` are averaged over windows of
    several sizes. Each of these measures is put on one scale by how it is distributed on ordinary
    ground: 0 at the median, `TAIL` where one position of a thousand lies beyond, in the logarithm.
    The surprise is their mean over holes and windows, at the octave where that is largest. What
    looks put there to the reader adds to it, and nothing takes away from it, for the reader knows
    what it was shown alone. The score is how far it stands out from the surprise around: where all
    ground is hard to foresee, among boulders or on ripples, none of it is news.
    """

    def __init__(self, network: Guarded) -> None:
        super().__init__()
        self.network = network
        self.ordinary: Tensor
        self.rare: Tensor
        count = len(OCTAVES) * len(network.guards) * len(WINDOWS)
        self.register_buffer("ordinary", torch.zeros(count))
        self.register_buffer("rare", torch.ones(count))

    @property
    def margin(self) -> int:
        """Pixels around an area that its scores depend on, each way."""
        return self.sees + LOCAL_MEAN // 2 * BLOCK

    @property
    def sees(self) -> int:
        """Pixels around an area that its measures depend on, each way."""
        return max(self._margin(octave) for octave in OCTAVES)

    def calibrate(self, measured: Mapping[str, Tensor]) -> None:
        """Puts the measures on the scale of `ordinary` and `rare` ones, `[measures]` each."""
        self.ordinary.copy_(measured["ordinary"])
        self.rare.copy_(measured["rare"])

    def _margin(self, octave: int) -> int:
        network_sees = reach(self.network.rows, self.network.guards)
        return int((network_sees + RIMS[octave] * BLOCK) * 2**octave)

    def forward(self, dn: Tensor, centre: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`score [N, h, w]`, `completion [N, 1, 4 h, 4 w]` (DN) and what `surprise` gives.

        Of `dn [N, 1, 4 h + 2 margin, 4 w + 2 margin]`, `4 h` and `4 w` multiples of 16. The
        surprise reaches as far beyond the scores as they look around.
        """
        looks = self.looks(dn, centre, scale)
        surprise = self.surprise(looks)
        expected = without(looks[0].expected, RIMS[0] + LOCAL_MEAN // 2)
        seen = expected * (SPAN * scale.reshape(-1, 1, 1, 1)) + centre.reshape(-1, 1, 1, 1)
        return minus_local_mean(surprise), F.pixel_shuffle(seen, BLOCK), surprise

    def surprise(self, looks: list[Look]) -> Tensor:
        """How surprising ground is by itself `[N, h, w]`, each octave placed in its resolution."""
        lows, highs = (part.reshape(len(looks), 1, -1, 1, 1) for part in (self.ordinary, self.rare))
        found = list[Tensor]()
        for octave, look in enumerate(looks):
            low, high = lows[octave], highs[octave]
            placed = TAIL * (self._measures(look, octave) - low) / (high - low)
            found.append(_enlarged(placed.mean(dim=1, keepdim=True), octave))
        read = self.network.reader([look.picture for look in looks])
        return reduce(torch.maximum, found)[:, 0] + F.softplus(read)

    def looks(self, dn: Tensor, centre: Tensor, scale: Tensor) -> list[Look]:
        """What the network leaves at each octave of `dn [N, 1, 4 h + 2 sees, 4 w + 2 sees]`."""
        found, small = [], dn
        sees = reach(self.network.rows, self.network.guards) // BLOCK
        for octave in OCTAVES:
            small = F.avg_pool2d(small, 2) if octave else dn
            area = without(small, (self.sees - self._margin(octave)) // 2**octave)
            blocks = blocks_of(ground_of(area, centre, scale))
            predicted = self.network.predict(blocks, sees)
            inner = without(blocks, sees)
            left = [(inner - centre) * torch.exp(-log_scale) for centre, log_scale in predicted]
            found.append(Look(inner, predicted[0][0], left))
        return found

    def measures(self, looks: list[Look]) -> Tensor:
        """Logarithms of all mean residuals, `[N, measures, h, w]`."""
        found = [
            _enlarged(self._measures(look, octave), octave) for octave, look in enumerate(looks)
        ]
        return torch.cat(found, dim=1)

    @staticmethod
    def _measures(look: Look, octave: int) -> Tensor:
        """Those of one octave in its own resolution, all heads' over one window after another's."""
        rim = RIMS[octave]
        means = torch.cat([part.abs().mean(dim=1, keepdim=True) for part in look.residuals], dim=1)
        found = [F.avg_pool2d(without(means, rim - window // 2), window, 1) for window in WINDOWS]
        return torch.log(torch.cat(found, dim=1) + LEAST)


def _enlarged(part: Tensor, octave: int) -> Tensor:
    """Values of an octave at the resolution of the first."""
    return F.interpolate(part, scale_factor=2**octave) if octave else part


def minus_local_mean(surprise: Tensor) -> Tensor:
    """The surprise less its local mean, `[N, H - 64, W - 64]` of `[N, H, W]`.

    The square of `LOCAL_MEAN` is averaged along lines, then along columns made lines.
    """
    rows = F.avg_pool2d(surprise[:, None], (1, LOCAL_MEAN), 1)
    local_mean = F.avg_pool2d(rows.mT, (1, LOCAL_MEAN), 1).mT
    return (without(surprise[:, None], LOCAL_MEAN // 2) - local_mean)[:, 0]
