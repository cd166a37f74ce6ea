"""A critic: tells what was put on the ground from what the ground does by itself.

A completion residual is large wherever ground is surprising, at crater rims and boulders too
(Haselmann and Gruber 2019 found the same). The critic looks at a place with its completion and its
standardised residual and gives one logit a block of 4 x 4 px: how much it looks put there. It is a
small U-Net (Ronneberger, Fischer and Brox 2015) of plain convolutions; nothing in it is global, so
that a scene scored in tiles is scored as if it were whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.networks import BLOCK, guarded, residuals
from training.networks.guarded import Guarded, Prediction, blocks_of

KERNEL = 3
AROUND = 15  # blocks: side of the surroundings that a pixel's contrast is measured against
BRIGHTEST = 6.0  # contrasts are clipped there: glints, deep shadow
LEAST = 0.02  # of a local standard deviation, in 4 robust sigma: ground is never smoother
TRUST = 1.0  # times the residual's weight in the score
EYE = "guarded."  # what the names of the guarded network's weights begin with
QUIET = -5.0  # the first bias: one position of 150 is hardware, before anything is learned


class Level(NamedTuple):
    """One resolution of the U-Net: so many convolutions of 3 x 3 going down, one or more up."""

    channels: int
    down: int
    up: int


LEVELS = (Level(48, 1, 1), Level(64, 2, 1), Level(96, 2, 1), Level(96, 2, 0))
FINE, HALF = (16, 32), 2  # channels of the closer look, before and after it is halved to blocks
LAYERS = 2  # what is looked at so: contrast, and the residual of the narrowest hole


def widened(levels: tuple[Level, ...], width: float) -> tuple[Level, ...]:
    """The levels with `width` times the channels."""
    return tuple(one._replace(channels=max(1, round(one.channels * width))) for one in levels)


def step(levels: tuple[Level, ...] = LEVELS) -> int:
    """Pixels of which a tile's side and place must be multiples: a block of the coarsest level."""
    return int(BLOCK * 2 ** (len(levels) - 1))


def reach(levels: tuple[Level, ...] = LEVELS) -> int:
    """How far in px beyond a block its logit can see of the features, rounded up to whole steps.

    Each convolution sees one position more each way, at the size its level has; halving and
    doubling see no further than the coarser position that holds a finer one.
    """
    blocks: int = 1 + sum(  # 1 for the closer look: two convolutions of 2 px each way
        (one.down + one.up) * 2**depth + (2**depth - 1 if depth else 0)
        for depth, one in enumerate(levels)
    )
    return -(-blocks * BLOCK // step(levels)) * step(levels)


class Convolutions(nn.Sequential):
    """Convolutions of 3 x 3, each followed by a ReLU."""

    def __init__(self, inputs: int, channels: int, count: int) -> None:
        layers: list[nn.Module] = []
        for number in range(count):
            layers.append(nn.Conv2d(channels if number else inputs, channels, KERNEL, padding=1))
            layers.append(nn.ReLU())
        super().__init__(*layers)


class CloserLook(nn.Module):
    """What there is to see in half resolution, where a thing of 2 px is one wherever it lies.

    Blocks of 4 x 4 px as channels make 16 different patterns of one small spot, each of which would
    have to be learned by itself.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        before, after = (max(1, round(width * channels)) for channels in FINE)
        self.near = Convolutions(LAYERS * HALF * HALF, before, 2)
        self.halving = nn.Conv2d(before, after, HALF, HALF)

    def forward(self, blocks: Tensor) -> Tensor:
        """Features `[N, C, h, w]` of layers of blocks `[N, 16 LAYERS, h, w]`."""
        halves = F.pixel_shuffle(blocks[:, _halves()], HALF)
        return F.relu(self.halving(self.near(halves)))


def _halves() -> list[int]:
    """The order of the pixels of blocks in which `F.pixel_shuffle` lays out their halves."""
    sides = range(HALF)
    return [
        BLOCK * BLOCK * layer + BLOCK * (HALF * i + down) + HALF * j + right
        for layer in range(LAYERS)
        for down in sides
        for right in sides
        for i in sides
        for j in sides
    ]


class Critic(nn.Module):
    """A `Guarded` network that is kept as it is, and the U-Net that judges what it finds."""

    def __init__(
        self, eye: Guarded, levels: tuple[Level, ...] = LEVELS, closer: float = 1.0
    ) -> None:
        super().__init__()
        self.guarded, self.levels = eye.requires_grad_(False), levels
        heads = len(eye.guards)
        self.closer = CloserLook(closer)
        inputs = BLOCK * BLOCK * (1 + heads) + heads + 2 + max(1, round(closer * FINE[1]))
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level in levels:
            self.down.append(Convolutions(inputs, level.channels, level.down))
            inputs = level.channels
        for level in reversed(levels[:-1]):
            self.up.append(Convolutions(inputs + level.channels, level.channels, level.up))
            inputs = level.channels
        self.logit = nn.Conv2d(inputs, 1, 1)
        nn.init.constant_(self.logit.bias, QUIET)  # type: ignore[arg-type]

    def forward(self, ground: Tensor) -> Tensor:
        """Logits `[N, 1, H / 4, W / 4]` of scaled `ground [N, 1, H, W]`, multiples of `step`."""
        with torch.no_grad():
            blocks = blocks_of(ground)
            features = self.features(blocks, self.guarded.predict(blocks))
        return self.judge(features)

    def features(self, blocks: Tensor, predicted: Prediction, rim: int = 0) -> Tensor:
        """What is judged of blocks of scaled ground, `[N, features, h, w]` of `[N, 16, h, w]`.

        But for a rim of so many blocks, which the prediction lacks already.

        The ground's contrast to its surroundings, the signed logarithms of the standardised
        residuals, the scales of these, the surroundings' own level and roughness.
        """
        expected, log_scale = predicted
        level, rough = (guarded.without(part, rim) for part in surroundings(blocks))
        blocks = guarded.without(blocks, rim)
        residual = (blocks[:, None] - expected) * torch.exp(-log_scale)
        signed = torch.sign(residual) * torch.log1p(residual.abs())
        contrast = ((blocks - level) / rough).clamp(-BRIGHTEST, BRIGHTEST)
        scales = log_scale.mean(dim=2) / guarded.SPAN
        return torch.cat([contrast, signed.flatten(1, 2), scales, level, torch.log(rough)], dim=1)

    def judge(self, features: Tensor) -> Tensor:
        """Logits `[N, 1, h, w]` of features, h and w multiples of a coarsest block."""
        near = self.closer(features[:, : LAYERS * BLOCK * BLOCK])
        features = torch.cat([features, near], dim=1)
        kept = []
        for depth, block in enumerate(self.down):
            features = block(F.max_pool2d(features, 2) if depth else features)
            kept.append(features)
        for block, finer in zip(self.up, reversed(kept[:-1]), strict=True):
            features = block(torch.cat([F.interpolate(features, scale_factor=2.0), finer], dim=1))
        return self.logit(features)  # type: ignore[no-any-return]


def surroundings(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation around each block, `[N, 1, h, w]` each of `[N, 16, h, w]`.

    Over squares of `AROUND` blocks: a critic, unlike a completion, may look at the place itself.
    """

    def mean(part: Tensor) -> Tensor:
        small = part.mean(dim=1, keepdim=True)
        return F.avg_pool2d(small, AROUND, 1, padding=AROUND // 2, count_include_pad=False)

    level = mean(blocks)
    return level, torch.sqrt((mean(blocks**2) - level**2).clamp(min=LEAST**2))


def focal(logit: Tensor, target: Tensor, weight: Tensor, focus: float = 1.5) -> Tensor:
    """Weighted cross-entropy in which what is judged well already counts little, a scalar.

    Lin et al. 2017 (arXiv 1708.02002): `(1 - p)^focus` times the cross-entropy, p being the
    probability given to what is true. All `[N, 1, h, w]`; the sum is divided by the weight of
    what is 1, so that ground, however much there is of it, does not drown the objects.
    """
    entropy = F.binary_cross_entropy_with_logits(logit, target, reduction="none")
    doubt = 1 - torch.exp(-entropy)
    found = (weight * target).sum().clamp(min=1.0)
    return (weight * doubt**focus * entropy).sum() / found


class Scorer(nn.Module):
    """From raw DN to one score every 4 px: how much it looks put there, or merely surprising.

    The logit is put on the scale of the residual's surprise (`residuals.Scorer`): 0 is ordinary
    ground, `TAIL` what one position of a thousand exceeds there. Both are added, the logit counting
    `TRUST` times, so that what no critic was taught is still found by its residual; the score is
    how far the sum stands out from what is around. `alone`, the logit is all that counts: to see
    what either gives.
    """

    def __init__(self, network: Critic, alone: bool = False) -> None:
        super().__init__()
        self.network, self.alone = network, alone
        self.residual = residuals.Scorer(network.guarded)
        self.doubt: Tensor
        self.register_buffer("doubt", torch.tensor([0.0, residuals.TAIL]))

    @property
    def margin(self) -> int:
        """Pixels around an area that its scores depend on, each way."""
        return self.sees + residuals.AROUND // 2 * BLOCK

    @property
    def sees(self) -> int:
        """Pixels around an area that its logits and residuals depend on, each way."""
        return max(self.residual.sees, reach(self.network.levels) + self._seen)

    def calibrate(self, measured: Mapping[str, Tensor]) -> None:
        """Has the logit say how often such a block was planted, and the score know its scale.

        Args:
            measured: what the residual's scorer must know; `platt [2]`, gain and offset of the
                logit (Platt 1999), which the network takes over; and `doubt [2]`, what is ordinary
                and what is rare on ground, before that.
        """
        self.residual.calibrate(measured)
        gain, offset = measured["platt"]
        with torch.no_grad():
            self.network.logit.weight.mul_(gain)
            assert self.network.logit.bias is not None
            self.network.logit.bias.mul_(gain).add_(offset)
            self.doubt.copy_(gain * measured["doubt"] + offset)

    def forward(
        self, dn: Tensor, centre: Tensor, scale: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """`score [N, h, w]`, `completion [N, 1, 4 h, 4 w]` (DN), the sum scored, `logit [N, h, w]`.

        Of `dn [N, 1, 4 h + 2 margin, 4 w + 2 margin]`, `4 h` and `4 w` multiples of `step`. The sum
        reaches as far beyond the scores as they look around.
        """
        blocks = blocks_of(guarded.ground_of(dn, centre, scale))
        return self.told(dn, (centre, scale), blocks, self.predict(blocks))

    def told(
        self, dn: Tensor, facts: tuple[Tensor, Tensor], blocks: Tensor, predicted: Prediction
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What `forward` gives of DN and its centre and scale, where a caller has the rest already.

        That is the blocks of scaled ground, and what `predict` gives of them.
        """
        centre, scale = facts
        rim = self.sees - self.residual.sees
        lost = rim // BLOCK + self.residual.rim - self.rim
        known = (guarded.without(predicted[0], lost), guarded.without(predicted[1], lost))
        surprise, completion = self.residual.surprise(
            guarded.without(dn, rim), centre, scale, known
        )
        low, high = self.doubt[0], self.doubt[1]
        logit = self._logits(blocks, predicted)
        placed = residuals.TAIL * (logit - low) / (high - low)
        both = placed if self.alone else TRUST * placed + surprise
        completion = guarded.without(completion, self.margin - self.sees)
        logit = guarded.without(logit, (self.margin - self.sees) // BLOCK)
        return residuals.standing_out(both), completion, both, logit

    def logits(self, dn: Tensor, centre: Tensor, scale: Tensor) -> Tensor:
        """Logits `[N, h, w]` of DN with `sees` around."""
        blocks = blocks_of(guarded.ground_of(dn, centre, scale))
        return self._logits(blocks, self.predict(blocks))

    def predict(self, blocks: Tensor) -> Prediction:
        """The prediction of blocks `[N, 16, h, w]`, but for `rim` of them around."""
        return self.network.guarded.predict(blocks, self.rim)

    @property
    def rim(self) -> int:
        """Blocks around an area that its features look at, each way."""
        return self._seen // BLOCK

    def _logits(self, blocks: Tensor, predicted: Prediction) -> Tensor:
        logit = self.network.judge(self.network.features(blocks, predicted, self.rim))
        return guarded.without(logit, (self.sees - self._seen) // BLOCK)[:, 0]

    @property
    def _seen(self) -> int:
        """How far in px the features of a block see, rounded up to whole steps."""
        eye, whole = self.network.guarded, step(self.network.levels)
        sees = max(guarded.reach(eye.rows, eye.guards), AROUND // 2 * BLOCK)
        return -(-sees // whole) * whole
