"""A guarded completion network, a blind-spot network: each pixel predicted from outside its hole.

Where `article` hides one square and completes it, this network predicts all pixels in one pass:
four half-plane networks (Laine, Karras, Lehtinen and Aila 2019, arXiv 1901.10277), one looking each
way, whose features are shifted outward by the hole before they meet. What stands on a pixel cannot
be seen by the prediction of that pixel: "guard window" is the remote-sensing word for it.

Pixels are taken in blocks of 4 x 4, all of a block predicted at once, so that the network runs on a
sixteenth of the positions. Nothing in it looks further than its receptive field: there is no
normalisation over the tile and no attention, for either would leak the hidden pixels.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.networks import BLOCK
from training.networks.reader import Reader

SPAN = 4.0  # DN are divided by SPAN * scale, as `article` does
ROTATIONS = 4
FLOOR = -7.0  # of the logarithm of a predicted scale: no ground is smoother than its own rounding


class Row(NamedTuple):
    """One half-plane convolution of 2 x 3: this line of blocks and the one `dilation` above it."""

    dilation: int
    channels: int


ROWS = (Row(1, 16), Row(2, 16), Row(4, 16))
GUARDS = (2, 4)  # blocks by which features are shifted outward, one head each
HIDDEN = 32  # channels of a head
OCTAVES = (0, 1, 2)  # the ground is looked at in full, half and quarter resolution

# `centre` and `log_scale` of every pixel, block by block, `[N, 16, h, w]` each, by each head
Prediction = list[tuple[Tensor, Tensor]]


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
    """A 2 x 3 convolution that sees no line of blocks below its own, nor in any of four turns."""

    def __init__(self, inputs: int, row: Row) -> None:
        super().__init__()
        self.dilation = row.dilation
        self.convolution = nn.Conv2d(inputs, row.channels, (2, 3), dilation=row.dilation)

    def forward(self, features: Tensor, turn: int = 0, within: bool = False) -> Tensor:
        """Features `[N, C, H, W]` of `[N, inputs, H, W]`, looking up or so many turns to the left.

        The kernel is turned, not the picture. Beyond the picture all is 0; with `within` only those
        are given that see nothing beyond it: `dilation` lines fewer ahead and on either side.
        """
        weight, far = self.convolution.weight, self.dilation
        kernel = torch.rot90(weight, turn, (2, 3)) if turn else weight
        aside = (0, 0)
        if not within:
            features = F.pad(features, _sides(turn, far))
            aside = (0, far) if turn % 2 == 0 else (far, 0)
        found = F.conv2d(features, kernel, self.convolution.bias, 1, aside, far)
        return F.relu(found)


class Head(nn.Module):
    """A prediction from what the branches see, `inputs` channels each, taken one after another.

    As if they lay side by side, in half of the memory.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        whole = nn.Conv2d(ROTATIONS * inputs, hidden, 1)  # for the spread of its first weights
        self.parts = nn.ModuleList(
            nn.Conv2d(inputs, hidden, 1, bias=not turn) for turn in range(ROTATIONS)
        )
        with torch.no_grad():
            for part, weight in zip(self.parts, whole.weight.chunk(ROTATIONS, dim=1), strict=True):
                cast(nn.Conv2d, part).weight.copy_(weight)
        self.last = nn.Conv2d(hidden, 2 * BLOCK * BLOCK, 1)

    def part(self, seen: Tensor, turn: int) -> Tensor:
        """One branch's addition to the head's input, `[N, hidden, h, w]` of `[N, inputs, h, w]`."""
        found: Tensor = self.parts[turn](seen)
        return found

    def forward(self, added: Tensor) -> Tensor:
        """Centres and scales `[N, 32, h, w]` of the sum of all parts."""
        found: Tensor = self.last(F.relu(added))
        return found


class Guarded(nn.Module):
    """Predicts each pixel's value and the scale of its error, once for each hole.

    Input `[N, 1, H, W]`, H and W multiples of 4, in units of 4 robust sigma around the scene's
    median; output `centre` and `log_scale`, both `[N, heads, H, W]` in those units. The `reader`
    of what is left is learned apart, when the rest has been; until then it says 0.
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
        self.heads = nn.ModuleList(Head(inputs, hidden) for _ in guards)
        self.reader = Reader()

    def forward(self, ground: Tensor) -> tuple[Tensor, Tensor]:
        """`centre` and `log_scale`, `[N, heads, H, W]`, of `ground [N, 1, H, W]`."""
        centres, log_scales = zip(*self.predict(blocks_of(ground)), strict=True)
        centre, log_scale = (
            F.pixel_shuffle(torch.cat(parts, dim=1), BLOCK) for parts in (centres, log_scales)
        )
        return centre, log_scale

    def predict(self, blocks: Tensor, rim: int = 0) -> Prediction:
        """`centre` and `log_scale` of blocks `[N, 16, h, w]`, but for a rim of so many blocks.

        A rim is as wide as a prediction sees, or wider; without one there is nothing but 0 beyond
        the blocks that are given.
        """
        if rim:
            blocks = without(blocks, rim - reach(self.rows, self.guards) // BLOCK)
        heads = cast(list[Head], list(self.heads))
        added: list[Tensor] = []
        for turn in range(ROTATIONS):
            look = self._looking(blocks, turn, bool(rim))
            parts = [
                head.part(self._moved(look, turn, guard, bool(rim)), turn)
                for head, guard in zip(heads, self.guards, strict=True)
            ]
            added = (
                [total + more for total, more in zip(added, parts, strict=True)] if turn else parts
            )
        more, pixels = self._more if rim else 0, BLOCK * BLOCK
        found = [without(head(part), more) for head, part in zip(heads, added, strict=True)]
        return [(part[:, :pixels], part[:, pixels:].clamp(min=FLOOR)) for part in found]

    @property
    def _more(self) -> int:
        """Lines more that a branch looks at than one guard needs, so that it serves all."""
        return max(self.guards) - min(self.guards)

    def _looking(self, features: Tensor, turn: int, within: bool) -> Tensor:
        """Features of the ground up, left, down, or right of each block, `[N, C, h, w]`.

        With `within`, where a prediction needs it: as far as the guards reach ahead of all blocks
        but the rim.
        """
        if within:
            nearest, furthest = min(self.guards), max(self.guards)
            behind = reach(self.rows, self.guards) // BLOCK + nearest
            features = F.pad(features, _sides(turn, 0, -behind, -furthest))
        for layer in self.branch:
            features = layer(features, turn, within)
        return features

    def _moved(self, look: Tensor, turn: int, guard: int, within: bool) -> Tensor:
        """A branch's features moved away from where it looks by a guard, one a prediction.

        With `within` there are `_more` lines around the predictions, and nothing is cut off: what
        is added up need not be copied.
        """
        if within:
            ahead, behind = guard - min(self.guards), max(self.guards) - guard
            return F.pad(look, _sides(turn, ahead, behind, self._more))
        height, width = look.shape[2:]
        top, left = (guard if turn == 2 else 0), (guard if turn == 3 else 0)
        return F.pad(look, _sides(turn, guard))[:, :, top : top + height, left : left + width]


def _sides(turn: int, ahead: int, behind: int = 0, aside: int = 0) -> tuple[int, int, int, int]:
    """`F.pad`'s numbers for lines ahead of where a branch of this turn looks, behind and aside."""
    along = (ahead, behind) if turn < ROTATIONS // 2 else (behind, ahead)
    return (aside, aside, *along) if turn % 2 == 0 else (*along, aside, aside)


def blocks_of(ground: Tensor) -> Tensor:
    """Ground `[N, 1, H, W]` with the 16 pixels of each block as channels, `[N, 16, H / 4, W / 4]`.

    `F.pixel_unshuffle` as a convolution, which runtimes do several times faster.
    """
    count = BLOCK * BLOCK
    pick = torch.eye(count, dtype=ground.dtype, device=ground.device)
    return F.conv2d(ground, pick.reshape(count, 1, BLOCK, BLOCK), stride=BLOCK)


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


def without(part: Tensor, rim: int) -> Tensor:
    """`[..., H, W]` without `rim` positions on every side, in one copy."""
    return F.pad(part, (-rim, -rim, -rim, -rim)) if rim else part
