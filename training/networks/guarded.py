"""A guarded completion network: every pixel predicted from ground outside a hole around it.

Where `article` hides one square and completes it, this network predicts all pixels in one pass:
four half-plane networks (Laine, Karras, Lehtinen and Aila 2019, arXiv 1901.10277), one looking each
way, whose features are shifted outward by the hole before they meet. What stands on a pixel cannot
be seen by the prediction of that pixel: "guard window" is the remote-sensing word for it.

Pixels are taken in blocks of 4 x 4, all of a block predicted at once, so that the network runs on a
sixteenth of the positions. Nothing in it looks further than its receptive field: there is no
normalisation over the tile and no attention, for either would leak the hidden pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BLOCK = 4  # px; a block is predicted as a whole
SPAN = 4.0  # DN are divided by SPAN * scale, as `article` does
ROTATIONS = 4
FLOOR = -7.0  # of the logarithm of a predicted scale: no ground is smoother than its own rounding


class Row(NamedTuple):
    """One half-plane convolution of 2 x 3: this line of blocks and the one `dilation` above it."""

    dilation: int
    channels: int


ROWS = (Row(1, 32), Row(1, 32), Row(2, 32), Row(2, 32), Row(4, 32))
GUARDS = (2, 4)  # blocks by which features are shifted outward, one head each
HIDDEN = 64  # channels of a head


def widened(rows: tuple[Row, ...], width: float) -> tuple[Row, ...]:
    """The rows with `width` times the channels."""
    return tuple(row._replace(channels=max(1, round(row.channels * width))) for row in rows)


def hole_side(guard: int) -> int:
    """Side in px of the square around a block that the head of this guard cannot see."""
    return (2 * guard - 1) * BLOCK


def reach(rows: tuple[Row, ...] = ROWS, guards: tuple[int, ...] = GUARDS) -> int:
    """How far in px beyond a block its prediction can see, each way: the margin of a tile.

    Straight ahead a branch sees its guard and the dilations of its rows; sideways, the dilations.
    """
    return (max(guards) + sum(row.dilation for row in rows)) * BLOCK


class HalfPlane(nn.Module):
    """A 2 x 3 convolution that sees no line of blocks below its own."""

    def __init__(self, inputs: int, row: Row) -> None:
        super().__init__()
        self.dilation = row.dilation
        self.convolution = nn.Conv2d(
            inputs, row.channels, (2, 3), padding=(0, row.dilation), dilation=row.dilation
        )

    def forward(self, features: Tensor) -> Tensor:
        """Features `[N, C, H, W]` of `[N, inputs, H, W]`; 0 above the first line."""
        above = F.pad(features, (0, 0, self.dilation, 0))
        return F.relu(self.convolution(above))


class Guarded(nn.Module):
    """Predicts each pixel's value and the scale of its error, once for each hole.

    Input `[N, 1, H, W]`, H and W multiples of 4, in units of 4 robust sigma around the scene's
    median; output `centre` and `log_scale`, both `[N, heads, H, W]` in those units.
    """

    def __init__(
        self,
        rows: tuple[Row, ...] = ROWS,
        guards: tuple[int, ...] = GUARDS,
        hidden: int = HIDDEN,
    ) -> None:
        super().__init__()
        self.rows, self.guards = rows, guards
        layers, inputs = [], BLOCK * BLOCK
        for row in rows:
            layers.append(HalfPlane(inputs, row))
            inputs = row.channels
        self.branch = nn.Sequential(*layers)
        outputs = 2 * BLOCK * BLOCK
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(ROTATIONS * inputs, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, outputs, 1)
            )
            for _ in guards
        )

    def forward(self, ground: Tensor) -> tuple[Tensor, Tensor]:
        """`centre` and `log_scale`, `[N, heads, H, W]`, of `ground [N, 1, H, W]`."""
        blocks = F.pixel_unshuffle(ground, BLOCK)
        looks = self._look_each_way(blocks)
        parts = [
            F.pixel_shuffle(head(_shifted(looks, guard)), BLOCK)
            for head, guard in zip(self.heads, self.guards, strict=True)
        ]
        both = torch.stack(parts, dim=1)  # [N, heads, 2, H, W]
        return both[:, :, 0], both[:, :, 1].clamp(min=FLOOR)

    def _look_each_way(self, blocks: Tensor) -> list[Tensor]:
        """The features of four turns of the picture, each still turned: up, left, down, right."""
        count = len(blocks)
        upright = self.branch(torch.cat([blocks, torch.rot90(blocks, 2, (2, 3))]))
        lying = self.branch(
            torch.cat([torch.rot90(blocks, 3, (2, 3)), torch.rot90(blocks, 1, (2, 3))])
        )
        return [upright[:count], lying[:count], upright[count:], lying[count:]]


def _shifted(looks: list[Tensor], guard: int) -> Tensor:
    """The four branches shifted outward by the guard and turned back, `[N, 4 C, H, W]`."""
    moved = []
    for turn, features in enumerate(looks):
        outward = F.pad(features, (0, 0, guard, 0))[:, :, : features.shape[2]]
        moved.append(torch.rot90(outward, turn, (2, 3)))
    return torch.cat(moved, dim=1)


def ground_of(dn: Tensor, centre: Tensor, scale: Tensor, octave: int = 0) -> Tensor:
    """The scaled ground of raw `dn [N, 1, H, W]`, halved `octave` times.

    `centre` and `scale` (DN) hold one value for all tiles or one a tile.
    """
    small = F.avg_pool2d(dn, 2**octave) if octave else dn
    return (small - centre.reshape(-1, 1, 1, 1)) / (SPAN * scale.reshape(-1, 1, 1, 1))


def laplace(ground: Tensor, centre: Tensor, log_scale: Tensor) -> Tensor:
    """Mean negative log-likelihood of ground under Laplace distributions, without its constant.

    `|x - c| / b + log b` (heavy-tailed, so that what does not belong pulls little); all
    `[N, heads, H, W]`, the ground `[N, 1, H, W]`.
    """
    return ((ground - centre).abs() * torch.exp(-log_scale) + log_scale).mean()
