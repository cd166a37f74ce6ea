"""How the network of single places learns: from places seen a few times over, each time otherwise.

Making places takes longer than learning from them, so those made are kept for a while. A batch
holds each of its places twice, as two views of the same: their descriptions are to be more alike
than those of other places (Chen et al. 2020, arXiv 2002.05709), so that likeness means something.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.kinds.base import Learner, Precision
from training.kinds.candidates import GROUND, PICTURE, THING, Candidates
from training.networks import places
from training.windows import Source

KEPT = {THING: 1_500, GROUND: 16_000}  # places in memory
MILD = 2.0  # of logit make one e times as likely
# Of each batch: places at random, and rather those that look like things (Schaul et al. 2015).
DRAWN = {THING: (16, 0), GROUND: (12, 20)}
ALIKE, WARMTH = 0.1, 0.2  # the weight of likeness in the loss, and its temperature
STEADY = 0.1  # the weight of how far apart the logits of two views of a place are, squared
RESAMPLED = 0.5  # odds of a view that is turned and zoomed by any amount
TURNED, ZOOMED, MOVED = math.radians(20), 0.14, 4.0  # at most; zoomed in the logarithm, moved in px
BENT, NOISY, ROUNDED = 0.2, 0.2, 0.15  # odds of another gamma, of noise, of few grey levels


class Memory:
    """The places that came last, up to `most` of them, each with its latest logit."""

    def __init__(self, most: int) -> None:
        self.pictures = torch.zeros(most, PICTURE, PICTURE, dtype=torch.float16)
        self.logits = torch.zeros(most)
        self.seen = 0  # since the beginning

    def add(self, pictures: Tensor, logits: Tensor) -> None:
        """Keeps pictures `[n, 144, 144]` and their logits `[n]`, in place of the oldest."""
        most = len(self.pictures)
        where = (self.seen + torch.arange(len(pictures))) % most
        self.pictures[where] = pictures.clamp(-6e4, 6e4).half()
        self.logits[where] = logits
        self.seen += len(pictures)

    def draw(self, alike: int, hard: int) -> Tensor:
        """The numbers of so many places at random, and of so many rather of high logits.

        None where it holds none.
        """
        there = min(self.seen, len(self.pictures))
        if not there:
            return torch.zeros(0, dtype=torch.long)
        drawn = torch.randint(there, (alike,))
        if not hard:
            return drawn
        odds = torch.softmax(self.logits[:there] / MILD, 0)
        return torch.cat([drawn, torch.multinomial(odds, hard, replacement=True)])


class PlacesLearner(Learner):
    """Tells places on things from natural ones, and rather from those that it takes for things."""

    workers = 1  # making places takes a third of a step

    def __init__(self, network: nn.Module, precision: Precision) -> None:
        assert isinstance(network, places.Places)
        network.trunk.load_state_dict(places.pretrained())
        network.trunk.freeze(places.FROZEN)
        super().__init__(network, precision)
        self.memories = {kind: Memory(most) for kind, most in KEPT.items()}

    def windows(self, sources: Sequence[Source], seed: int, turns: bool) -> Candidates:
        """The dataset: candidate places of windows, labelled."""
        return Candidates(sources, seed, turns)

    def forward(self, *batch: Tensor) -> Tensor:
        """Cross-entropy of things against ground, and how unlike two views of a place are told.

        Of places that came before, too: `pictures [N, 12, 144, 144]`, and what they are, `[N, 12]`.
        """
        pictures, kinds = (part.flatten(0, 1) for part in batch)
        drawn, told = dict[int, Tensor](), list[Tensor]()
        for kind, memory in self.memories.items():
            new = pictures[kinds == kind]
            memory.add(new.cpu(), self._logits(new).cpu())
            drawn[kind] = memory.draw(*DRAWN[kind])
            told.append(torch.full((len(drawn[kind]),), float(kind), device=pictures.device))
        seen = torch.cat([self.memories[kind].pictures[some] for kind, some in drawn.items()])
        seen = seen.to(pictures.device).float()
        logit, described = self.run(torch.cat([view_of(seen), view_of(seen)]))
        latest = logit.detach().float().cpu().reshape(2, -1).mean(0).split(list(map(len, told)))
        for (kind, some), logits in zip(drawn.items(), latest, strict=True):
            self.memories[kind].logits[some] = logits
        entropy = F.binary_cross_entropy_with_logits(logit.float(), torch.cat(told * 2))
        alike = unlikeness(described.float())
        return entropy + ALIKE * alike + STEADY * unsteadiness(logit.float())

    @torch.no_grad()
    def _logits(self, pictures: Tensor) -> Tensor:
        """What the network says of pictures `[n, 144, 144]` as they are, `[n]`."""
        if not len(pictures):
            return pictures.new_zeros(0)
        self.network.eval()
        logits: Tensor = self.run(middle(pictures))[0]
        self.network.train()
        return logits.float()

    def preview(self, *batch: Tensor) -> list[Tensor]:
        """The strongest place of each window in both views, and as it may be seen in training."""
        strongest = batch[0][:, 0]
        return [*places.views(middle(strongest)), *places.views(view_of(strongest))]


def middle(pictures: Tensor) -> Tensor:
    """Centre crops of pictures, `[n, 1, 128, 128]` of `[n, 144, 144]`."""
    rim = (PICTURE - places.WINDOW) // 2
    return pictures[:, None, rim:-rim, rim:-rim]


def view_of(pictures: Tensor) -> Tensor:
    """Pictures `[n, 144, 144]` turned, zoomed, moved, spoiled at random, `[n, 1, 128, 128]`."""
    views = list[Tensor]()
    for picture in pictures:
        turned = _turned(picture)[None, None]
        view = _resampled(turned) if _happens(RESAMPLED) else _cut(turned)
        views.append(_spoiled(view))
    return torch.cat(views) if views else middle(pictures)


def _turned(picture: Tensor) -> Tensor:
    """A picture in one of the eight attitudes of a square."""
    turn = int(torch.randint(8, ()))
    quarter = torch.rot90(picture, turn % 4)
    return quarter.T if turn >= 4 else quarter


def _happens(odds: float) -> bool:
    return float(torch.rand(())) < odds


def _even(low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand(()))


def _cut(picture: Tensor) -> Tensor:
    """The middle of a picture, moved by whole pixels."""
    rim, most = (PICTURE - places.WINDOW) // 2, int(MOVED)
    y, x = (rim + int(torch.randint(-most, most + 1, ())) for _ in range(2))
    return picture[..., y : y + places.WINDOW, x : x + places.WINDOW]


def _resampled(picture: Tensor) -> Tensor:
    """The middle of a picture, turned, zoomed and moved by any amount."""
    turn, zoom = _even(-TURNED, TURNED), math.exp(_even(-ZOOMED, ZOOMED))
    zoom *= places.WINDOW / PICTURE
    aside = [_even(-MOVED, MOVED) * 2 / PICTURE for _ in range(2)]
    cos, sin = zoom * math.cos(turn), zoom * math.sin(turn)
    affine = torch.tensor([[[cos, -sin, aside[0]], [sin, cos, aside[1]]]], device=picture.device)
    grid = F.affine_grid(affine, [1, 1, places.WINDOW, places.WINDOW], align_corners=False)
    return F.grid_sample(picture, grid, padding_mode="reflection", align_corners=False)


def _spoiled(picture: Tensor) -> Tensor:
    """A view with noise, another gamma, or few grey levels, now and then."""
    low, high = picture.min(), picture.max()
    span = (high - low).clamp(min=1e-6)
    if _happens(BENT):
        picture = low + span * ((picture - low) / span) ** math.exp(_even(-0.4, 0.4))
    if _happens(NOISY):
        level = picture.median()
        rough = (picture - level).abs().median()
        picture = picture + _even(0.0, 0.4) * rough * torch.randn_like(picture)
    if _happens(ROUNDED):
        step = span / _even(24, 160)
        picture = torch.round(picture / step) * step
    return picture


def unlikeness(described: Tensor) -> Tensor:
    """How little the two halves of a batch `[2 n, 64]` tell which of them are the same places.

    The normalised temperature-scaled cross-entropy (NT-Xent) of the cosine.
    """
    half = len(described) // 2
    unit = F.normalize(described, dim=1)
    alike = unit @ unit.T / WARMTH
    alike = alike.masked_fill(torch.eye(2 * half, dtype=torch.bool, device=alike.device), -1e4)
    same = torch.arange(2 * half, device=alike.device).roll(half)
    return F.cross_entropy(alike, same)


def unsteadiness(logits: Tensor) -> Tensor:
    """The mean squared difference of the two halves of `[2 n]`, two views of the same places."""
    first, second = logits.chunk(2)
    return (first - second).square().mean()
