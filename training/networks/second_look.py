"""A second look at single places: what a critic finds, looked at once more, each by itself.

A U-Net judges every block alike and learns mostly ground that nobody asks about. Few places of a
scene come into question, the local maxima of the critic's score; a network of crops, taught at such
places alone, tells better what was put there. It sees a place in full, half and quarter resolution:
contrast to what is around, and the standardised residual of the critic's eye. What it says is added
to the score there and around, so that a place stays where it was. Places are judged one by one, as
the score decides, not the cut of the scene: a scene scored in tiles is scored as if it were whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.networks import BLOCK, critic, guarded, residuals
from training.networks.critic import Convolutions, Critic
from training.networks.guarded import Prediction, without

HALF, SIDE = 64, 32  # px around a place that are seen each way; values along a side of each picture
FACTORS = (1, 2, 4)  # the resolutions of the three pictures
LAYERS = (3, 2, 2)  # of each: contrast and both residuals, then contrast and that of the wider hole
NEAR, FAR, WHOLE, HIDDEN = 16, (48, 96), 128, 64  # channels, from the pictures to the logit
DROPPED = 0.2  # part of the hidden channels that is left out while learning
PLACE = 13  # blocks: side of the square in which one place is the strongest
EDGE = PLACE // 2  # blocks around a place that share what is said of it
RIM = 16  # blocks around an area whose scores decide which are the places in it, in whole steps
SLIGHT = 1e-3  # of a score: what stands out less is rounding, of which flat ground is full
CLOSE = 7  # blocks: as `PLACE` while it learns, so that more is learned of a window
CLIPPED = 20.0  # deviations of ground at which contrast is clipped: glints, deep shadow
LEAST = 0.01  # of a deviation, in 4 robust sigma of the scene: ground is never smoother
MAD_TO_SIGMA = 1.4826  # of a normal distribution
FIRST, OWN = "critic.", "look."  # what the names of weights begin with: the critic's, its own
NOWHERE = -1e30  # what is added where no place is near, before it is told from that
FEATURES = 16  # by which the places of a scene are compared with each other
FURTHEST = 6.0  # deviations of ordinary places at which what is seen of one is clipped


class Look(nn.Module):
    """Logits `[n]` of places `[n, 7, 32, 32]`: how much what is there looks put there."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        near, far, farther, whole, hidden = (
            max(1, round(width * channels)) for channels in (NEAR, *FAR, WHOLE, HIDDEN)
        )
        self.near = nn.ModuleList(_block(layers, near, 2) for layers in LAYERS)
        self.far = nn.Sequential(
            nn.MaxPool2d(2),
            _block(near * len(LAYERS), far, 2),
            nn.MaxPool2d(2),
            _block(far, farther, 2),
            nn.MaxPool2d(2),
            _block(farther, whole, 1),
        )
        self.described_by = 2 * whole
        self.last = nn.Sequential(
            nn.Linear(2 * whole, hidden), nn.ReLU(), nn.Dropout(DROPPED), nn.Linear(hidden, 1)
        )

    def forward(self, places: Tensor) -> Tensor:
        """As above."""
        return self.judged(self.described(places))

    def described(self, places: Tensor) -> Tensor:
        """What the logit is made of, `[n, 2 WHOLE]` of places `[n, 7, 32, 32]`."""
        parts = torch.split(places, list(LAYERS), dim=1)
        seen = torch.cat([look(part) for look, part in zip(self.near, parts, strict=True)], dim=1)
        seen = self.far(seen)
        return torch.cat([seen.mean((2, 3)), seen.amax((2, 3))], dim=1)

    def judged(self, described: Tensor) -> Tensor:
        """Logits `[n]` of what is described."""
        logit: Tensor = self.last(described)
        return logit[:, 0]


@torch.no_grad()
def settle(look: Look, places: Tensor) -> None:
    """Has all that normalises leave what it is given as it is, and know what is usual of places.

    An exported network has its normalisation within its weights; so it says what it said, and can
    be trained on.
    """

    def measure(layer: nn.BatchNorm2d, given: tuple[Tensor]) -> None:
        spread, mean = torch.var_mean(given[0], (0, 2, 3), correction=0)
        for known, value in (
            (layer.running_mean, mean),
            (layer.running_var, spread),
            (layer.bias, mean),
            (layer.weight, torch.sqrt(spread + layer.eps)),
        ):
            assert known is not None
            known.copy_(value)

    layers = [part for part in look.modules() if isinstance(part, nn.BatchNorm2d)]
    hooks = [layer.register_forward_pre_hook(measure) for layer in layers]
    was = look.training
    look.eval()(places)
    look.train(was)
    for hook in hooks:
        hook.remove()


def _block(inputs: int, channels: int, count: int) -> nn.Sequential:
    """Convolutions, each normalised over the batch before its ReLU (Ioffe and Szegedy 2015)."""
    layers = [
        part
        for layer in Convolutions(inputs, channels, count)
        for part in ([layer, nn.BatchNorm2d(channels)] if isinstance(layer, nn.Conv2d) else [layer])
    ]
    return nn.Sequential(*layers)


class SecondLook(nn.Module):
    """A `Critic` that is kept as it is, and the network that looks at its places again."""

    def __init__(self, first: Critic, width: float = 1.0) -> None:
        super().__init__()
        self.critic, self.look = first.requires_grad_(False), Look(width)

    def forward(self, places: Tensor) -> Tensor:
        """Logits `[n]` of what is seen of places, `[n, 7, 32, 32]`."""
        return self.look(places)  # type: ignore[no-any-return]


class Places(NamedTuple):
    """Blocks of a batch of areas, `[n]` each."""

    area: Tensor
    row: Tensor
    col: Tensor


def residual(blocks: Tensor, predicted: Prediction) -> Tensor:
    """Standardised residuals `[N, heads, 16, h, w]` of blocks `[N, 16, h, w]`."""
    expected, log_scale = predicted
    return (blocks[:, None] - expected) * torch.exp(-log_scale)


def surprise(found: Tensor) -> Tensor:
    """How surprising blocks are `[N, h, w]`, of standardised residuals, before any scale."""
    means = found.abs().mean(dim=2)
    measures = [
        torch.log(
            F.avg_pool2d(means, side, 1, side // 2, count_include_pad=False) + residuals.LEAST
        ).mean(dim=1)
        for side in residuals.WINDOWS
    ]
    return torch.stack(measures).mean(dim=0)


def layers_of(ground: Tensor, found: Tensor) -> Tensor:
    """What is looked at, `[N, 3, H, W]`: scaled ground, and the residuals' signed logarithms.

    Of `ground [N, 1, H, W]` and residuals `[N, 2, 16, H / 4, W / 4]`.
    """
    signed = torch.sign(found) * torch.log1p(found.abs())
    return torch.cat([ground, F.pixel_shuffle(signed.flatten(1, 2), BLOCK)], dim=1)


def peaks(heights: Tensor, side: int) -> Tensor:
    """Where no block in a square of so many around is higher, `[N, h, w]` of as much."""
    around = F.max_pool2d(heights[:, None], side, 1, side // 2)[:, 0]
    return heights == around


def places_in(standing: Tensor) -> Tensor:
    """1 where a critic's scores `[N, h, w]` have a place that stands out at all, 0 elsewhere."""
    return (peaks(standing, PLACE) & (standing > SLIGHT)).float()


def seen(layers: Tensor, places: Places, rim: int) -> Tensor:
    """What is seen of places, `[n, 7, 32, 32]` of layers `[N, 3, H, W]`.

    Args:
        layers: as `layers_of` gives them.
        places: whose blocks begin `rim` px within the layers.
        rim: px, `HALF` at least.
    """
    count, height, width = layers.shape[1:]
    side = torch.arange(2 * HALF, device=layers.device)
    offsets = (side[:, None] * width + side[None]).flatten()
    begin = rim + BLOCK // 2 - HALF
    first = BLOCK * places.row + begin, BLOCK * places.col + begin
    start = (places.area * height + first[0]) * width + first[1]
    flat = layers.movedim(1, 0).reshape(count, -1)
    cut = flat[:, start[:, None] + offsets[None]].reshape(count, -1, 2 * HALF, 2 * HALF)
    contrast = _contrast(cut[0])
    pictures = []
    for factor, number in zip(FACTORS, LAYERS, strict=True):
        inner = [contrast, cut[1], cut[2]] if number == len(cut) else [contrast, cut[2]]
        middle = without(torch.stack(inner, dim=1), HALF - SIDE * factor // 2)
        pictures.append(F.avg_pool2d(middle, factor) if factor > 1 else middle)
    return torch.cat(pictures, dim=1)


def _contrast(ground: Tensor) -> Tensor:
    """The signed logarithm of how far ground `[n, 128, 128]` is from its median, in deviations.

    Median and 1.4826 MAD of every fourth pixel, clipped.
    """
    some = ground[:, ::2, ::2].flatten(1)
    level = _median(some)
    spread = MAD_TO_SIGMA * _median((some - level).abs())
    above = ((ground - level[:, None]) / spread[:, None].clamp(min=LEAST)).clamp(-CLIPPED, CLIPPED)
    return torch.sign(above) * torch.log1p(above.abs())


def _median(values: Tensor) -> Tensor:
    """The median of each line, `[n, 1]` of `[n, an even number]`: the mean of the two middle."""
    half = values.shape[1] // 2 + 1
    return torch.topk(values, half, dim=1).values[:, -2:].mean(dim=1, keepdim=True)


class Scorer(nn.Module):
    """From raw DN to one score every 4 px: a critic's, and more where a second look finds more.

    All places that stand out at all are looked at; what the network says beyond `usual`, which
    half of them exceed on ordinary ground, is added to their score. What it sees of them is given
    too, as `FEATURES` numbers: the directions in which ordinary places differ most.
    """

    def __init__(self, network: SecondLook) -> None:
        super().__init__()
        self.first = critic.Scorer(network.critic)
        self.look = network.look
        self.usual: Tensor
        self.register_buffer("usual", torch.tensor(0.0))
        seen = network.look.described_by
        self.ordinary: Tensor
        self.spread: Tensor
        self.axes: Tensor
        self.register_buffer("ordinary", torch.zeros(seen))
        self.register_buffer("spread", torch.ones(seen))
        self.register_buffer("axes", torch.zeros(seen, FEATURES))

    @property
    def margin(self) -> int:
        """Pixels around an area that its scores depend on, each way."""
        return self.first.margin + RIM * BLOCK

    def calibrate(self, measured: Mapping[str, Tensor]) -> None:
        """Has the critic know its scale, and this one what is `usual` and ordinary of places."""
        self.first.calibrate(measured)
        for name in ("usual", "ordinary", "spread", "axes"):
            getattr(self, name).copy_(measured[f"places_{name}"])

    def forward(
        self, dn: Tensor, centre: Tensor, scale: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """`score [N, h, w]`, `completion [N, 1, 4 h, 4 w]` (DN), the critic's `logit [N, h, w]`.

        And what the second look adds to the score, `[N, h, w]`: nothing where no place is near;
        and features of the places, `[N, FEATURES, h, w]`, all 0 elsewhere. Of
        `dn [N, 1, 4 h + 2 margin, 4 w + 2 margin]`, `4 h` and `4 w` multiples of `step`.
        """
        standing, completion, logit, layers, lost = self.standing(dn, centre, scale)
        inner = RIM - EDGE
        top = without(places_in(standing), inner)
        found = torch.nonzero(top)
        found = torch.cat([found, found.new_zeros(1, 3)])  # never none: runtimes differ in that
        places = Places(*found.unbind(dim=1))
        described = self.look.described(seen(layers, places, lost - EDGE * BLOCK))
        change = self.look.judged(described) - self.usual
        added = torch.full_like(top, NOWHERE)
        index = (places.area[:-1], places.row[:-1], places.col[:-1])
        added = added.index_put(index, change[:-1])
        nothing = torch.zeros_like(top)[..., None].repeat(1, 1, 1, FEATURES)
        features = nothing.index_put(index, self.features(described)[:-1])
        most = F.max_pool2d(added[:, None], PLACE, 1)[:, 0]
        gain = torch.where(most > NOWHERE, most, 0.0)
        score = without(standing, RIM) + gain
        there = without(features.movedim(3, 1), EDGE)
        return score, without(completion, RIM * BLOCK), without(logit, RIM), gain, there

    def features(self, described: Tensor) -> Tensor:
        """Features `[n, FEATURES]` of what is described of places."""
        apart = ((described - self.ordinary) / self.spread).clamp(-FURTHEST, FURTHEST)
        return apart @ self.axes

    def described(self, dn: Tensor, centre: Tensor, scale: Tensor) -> Tensor:
        """What is described of the places of an area, `[n, 2 WHOLE]`."""
        standing, _, _, layers, lost = self.standing(dn, centre, scale)
        found = torch.nonzero(without(places_in(standing), RIM))
        places = Places(*found.unbind(dim=1))
        return self.look.described(seen(layers, places, lost))

    def standing(
        self, dn: Tensor, centre: Tensor, scale: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, int]:
        """What the critic gives of an area and `RIM` around: score, completion, logit.

        And the layers that are looked at, and how many px these reach beyond the area.
        """
        first = self.first
        ground = guarded.ground_of(dn, centre, scale)
        blocks = guarded.blocks_of(ground)
        predicted = first.predict(blocks)
        score, completion, _, logit = first.told(dn, (centre, scale), blocks, predicted)
        rim = first.rim
        found = residual(without(blocks, rim), predicted)
        layers = layers_of(without(ground, rim * BLOCK), found)
        return score, completion, logit, layers, self.margin - rim * BLOCK
