"""The completion network of Haselmann, Gruber and Tabatabai (2018), arXiv 1811.06861: inpainting.

The table is the definition: sizes, parameters and receptive field are derived from it. It is used
as the article "Anomaly Detection on Mars Using Deep Learning" (2021) used it: a 256 x 256 px tile
is halved to 128 x 128, its centre 32 x 32 is hidden, and the score is the mean absolute residual
over the centre 24 x 24.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TILE = 256  # px of the scene that one tile reads
SIDE = 128  # px of the halved tile: what the network sees
HIDDEN = 32  # px of the halved tile that are hidden
SCORED = 24  # px of the halved tile that are scored: the rim of the hole is the easy part
SPAN = 4.0  # DN are divided by SPAN * scale, so [-1, 1] spans +-4 robust standard deviations


class Row(NamedTuple):
    """One convolution; `up` doubles the map by bilinear interpolation first."""

    kernel: int
    stride: int
    dilation: int
    channels: int
    up: bool = False


ROWS = (
    Row(5, 1, 1, 32),
    Row(3, 1, 1, 64),
    Row(3, 1, 1, 64),
    Row(3, 2, 1, 128),
    Row(3, 1, 1, 128),
    Row(3, 1, 1, 128),
    Row(3, 1, 2, 128),
    Row(3, 1, 4, 128),
    Row(3, 1, 8, 128),
    Row(3, 1, 16, 128),
    Row(3, 1, 1, 128),
    Row(3, 1, 1, 128),
    Row(3, 1, 1, 64, up=True),
    Row(3, 1, 1, 64),
    Row(3, 1, 1, 32),
    Row(3, 1, 1, 16),
    Row(3, 1, 1, 1),
)


def widened(rows: tuple[Row, ...], width: float) -> tuple[Row, ...]:
    """The rows with `width` times the channels, the last row's single channel kept."""
    inner = [row._replace(channels=max(1, round(row.channels * width))) for row in rows[:-1]]
    return (*inner, rows[-1])


class Article(nn.Module):
    """Completes the hidden centre of halved tiles: `[N, 1, 128, 128]` to the same, in [-1, 1].

    Mirror padding everywhere, ELU after all but the last convolution, whose output is clipped.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.rows = widened(ROWS, width)
        layers: list[nn.Module] = []
        inputs = 1
        for kernel, stride, dilation, channels, up in self.rows:
            if up:
                layers.append(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False))
            padding = dilation * (kernel // 2)
            layers.append(
                nn.Conv2d(
                    inputs, channels, kernel, stride, padding, dilation, padding_mode="reflect"
                )
            )
            layers.append(nn.ELU())
            inputs = channels
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, hidden: Tensor) -> Tensor:
        """The completion of `hidden [N, 1, 128, 128]`, clipped to [-1, 1]."""
        completed: Tensor = self.layers(hidden)
        return completed.clamp(-1.0, 1.0)


def query(dn: Tensor, centre: Tensor, scale: Tensor) -> Tensor:
    """The halved, scaled tile `[N, 1, 128, 128]` of raw `dn [N, 1, 256, 256]`; not clipped.

    `centre` and `scale` (DN) hold one value for all tiles or one a tile. Bilinear interpolation
    to exactly half the size is the mean of 2 x 2 pixels.
    """
    halved = F.avg_pool2d(dn, 2)
    return (halved - centre.reshape(-1, 1, 1, 1)) / (SPAN * scale.reshape(-1, 1, 1, 1))


def hole(side: int = HIDDEN, device: torch.device | None = None) -> Tensor:
    """A mask `[1, 1, 128, 128]` float32 that is 1 in the centre `side` x `side` px, else 0."""
    rim = (SIDE - side) // 2
    return F.pad(torch.ones(1, 1, side, side, device=device), (rim, rim, rim, rim))


def hide(tiles: Tensor, mask: Tensor) -> Tensor:
    """`tiles [N, 1, 128, 128]` with what `mask` marks filled with 0, the scene's own median."""
    return tiles * (1.0 - mask)


def score(tiles: Tensor, completion: Tensor) -> Tensor:
    """Mean absolute residual over the centre 24 x 24: `[N]`, in units of 4 robust sigma."""
    rim = (SIDE - SCORED) // 2
    residual = (tiles - completion)[:, :, rim:-rim, rim:-rim]
    return residual.abs().mean(dim=(1, 2, 3))


class Scorer(nn.Module):
    """The exported graph: raw DN in, score and completion (DN) out."""

    def __init__(self, network: Article) -> None:
        super().__init__()
        self.network = network
        self.mask: Tensor
        self.register_buffer("mask", hole())

    def forward(self, dn: Tensor, centre: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """`score [N]` and `completion [N, 1, 128, 128]` (DN) of `dn [N, 1, 256, 256]`."""
        tiles = query(dn, centre, scale)
        completion = self.network(hide(tiles, self.mask))
        return score(tiles, completion), completion * (SPAN * scale) + centre
