"""From a guarded network's residuals to scores: which ground is harder to predict than ordinary.

Residuals are standardised, averaged over windows of several sizes in three resolutions, put on one
scale, and less their local mean. It takes raw DN, so that it is exported as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping

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

WINDOWS = (3, 5)  # blocks: sides of the windows over which residuals are averaged
LOCAL_MEAN = 65  # blocks: side of the square whose mean is subtracted
TAIL = 3.09  # standard deviations beyond which one of a thousand normal values lies
LEAST = 1e-4  # of a mean residual, before its logarithm is taken


class Scorer(nn.Module):
    """From raw DN to one score every 4 px: how surprising the ground is there.

    At each octave and for each hole the residuals `|x - c| / b` are averaged over windows of
    several sizes. Each of these measures is put on one scale by how it is distributed on ordinary
    ground: 0 at the median, `TAIL` where one position of a thousand lies beyond, in the logarithm.
    The surprise is their mean over holes and windows, at the octave where that is largest; the
    score is how far it stands out from the surprise around, for where all ground is hard to
    foresee, among boulders or on ripples, none of it is news.
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
        return self._margin(max(OCTAVES))

    def calibrate(self, measured: Mapping[str, Tensor]) -> None:
        """Puts the measures on the scale of `ordinary` and `rare` ones, `[measures]` each."""
        self.ordinary.copy_(measured["ordinary"])
        self.rare.copy_(measured["rare"])

    def _margin(self, octave: int) -> int:
        network_sees = reach(self.network.rows, self.network.guards)
        return int((network_sees + max(WINDOWS) // 2 * BLOCK) * 2**octave)

    def forward(self, dn: Tensor, centre: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`score [N, h, w]`, `completion [N, 1, 4 h, 4 w]` (DN) and what `surprise` gives.

        Of `dn [N, 1, 4 h + 2 margin, 4 w + 2 margin]`, `4 h` and `4 w` multiples of 16. The
        surprise reaches as far beyond the scores as they look around.
        """
        surprise, completion = self.surprise(dn, centre, scale)
        return minus_local_mean(surprise), without(completion, self.margin - self.sees), surprise

    def surprise(self, dn: Tensor, centre: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """How surprising ground is by itself `[N, h, w]`, and completion, of DN with `sees`."""
        measures, completion = self.measures(dn, centre, scale)
        low, high = (part.reshape(1, -1, 1, 1) for part in (self.ordinary, self.rare))
        placed = TAIL * (measures - low) / (high - low)
        octaves = [part.mean(dim=1) for part in placed.chunk(len(OCTAVES), dim=1)]
        return torch.stack(octaves).amax(dim=0), completion

    def measures(self, dn: Tensor, centre: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Logarithms of all mean residuals `[N, measures, h, w]`, and the completion in DN.

        Of `dn [N, 1, 4 h + 2 sees, 4 w + 2 sees]`.
        """
        found = []
        completion = dn
        for octave in OCTAVES:
            rim = self.sees - self._margin(octave)
            area = without(dn, rim)
            ground = ground_of(area, centre, scale, octave)
            sees = reach(self.network.rows, self.network.guards) // BLOCK
            blocks = blocks_of(ground)
            expected, log_scale = self.network.predict(blocks, sees)
            residual = (without(blocks, sees)[:, None] - expected) * torch.exp(-log_scale)
            small = self._averages(residual.abs().mean(dim=2))
            found.append(F.interpolate(small, scale_factor=2**octave) if octave else small)
            if octave == 0:
                inner = F.pixel_shuffle(without(expected[:, 0], max(WINDOWS) // 2), BLOCK)
                completion = inner * (SPAN * scale.reshape(-1, 1, 1, 1))
                completion = completion + centre.reshape(-1, 1, 1, 1)
        return torch.log(torch.cat(found, dim=1) + LEAST), completion

    @staticmethod
    def _averages(blocks: Tensor) -> Tensor:
        """Means over all windows, `[N, windows heads, h, w]`, of means `[N, heads, H, W]`."""
        return torch.cat(
            [
                F.avg_pool2d(without(blocks, (max(WINDOWS) - window) // 2), window, 1)
                for window in WINDOWS
            ],
            dim=1,
        )


def minus_local_mean(surprise: Tensor) -> Tensor:
    """The surprise less its local mean, `[N, H - 64, W - 64]` of `[N, H, W]`.

    The square of `LOCAL_MEAN` is averaged row by row, then column by column.
    """
    rows = F.avg_pool2d(surprise[:, None], (1, LOCAL_MEAN), 1)
    local_mean = F.avg_pool2d(rows, (LOCAL_MEAN, 1), 1)
    return (without(surprise[:, None], LOCAL_MEAN // 2) - local_mean)[:, 0]
