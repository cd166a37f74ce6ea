"""What each network is trained at: raw ground in, loss out; and what a preview of it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from training.data import Source, Windows, large
from training.losses import weighted_l1
from training.networks import article, guarded
from training.presets import Preset

CALIBRATED, AREAS = 256, 60  # px of an area the measures are calibrated on, and how many of them
FIRST_AREA = 2**40  # number of the first, which no training reaches
RANKS = (0.5, 0.999)  # what is ordinary, and what one position of a thousand exceeds

Precision = Callable[[], AbstractContextManager[Any]]  # mixed, where the device is faster so


class Learner(nn.Module):
    """A network and its loss; `forward` gives the loss of a batch, so that processes can share it.

    `dn [N, 1, 256, 256]` raw; `centre` and `scale` (DN) `[N]`.
    """

    def __init__(self, network: nn.Module, precision: Precision) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.precision = precision

    def forward(self, dn: Tensor, centre: Tensor, scale: Tensor) -> Tensor:
        """The loss, a scalar."""
        raise NotImplementedError

    def preview(self, dn: Tensor, centre: Tensor, scale: Tensor) -> list[Tensor]:
        """Pictures `[N, 1, H, W]` in [-1, 1] to be shown side by side."""
        raise NotImplementedError

    def calibrate(self, sources: Sequence[Source], seed: int) -> dict[str, Tensor]:
        """What the scorer must know of ordinary ground, measured when the training has ended."""
        return {}

    def run(self, ground: Tensor) -> Any:
        """The network's outputs, in mixed precision where that is faster."""
        with self.precision():
            return self.network(ground.contiguous(memory_format=torch.channels_last))


class ArticleLearner(Learner):
    """Completes what is hidden in the middle of halved tiles."""

    def forward(self, dn: Tensor, centre: Tensor, scale: Tensor) -> Tensor:
        """The article's weighted L1 loss."""
        tiles = article.query(dn, centre, scale)
        mask = article.hole(device=dn.device)
        completion = self.run(article.hide(tiles, mask))
        return weighted_l1(tiles, completion.float(), mask)

    def preview(self, dn: Tensor, centre: Tensor, scale: Tensor) -> list[Tensor]:
        """Query, hidden, completion, difference."""
        tiles = article.query(dn, centre, scale)
        hidden = article.hide(tiles, article.hole(device=dn.device))
        completion = self.run(hidden).float()
        return [tiles, hidden, completion, tiles - completion]


class GuardedLearner(Learner):
    """Predicts every pixel from ground outside its hole, at several resolutions."""

    def forward(self, dn: Tensor, centre: Tensor, scale: Tensor) -> Tensor:
        """Laplace likelihood, the mean over octaves."""
        losses = []
        for octave in guarded.OCTAVES:
            ground = guarded.ground_of(dn, centre, scale, octave)
            expected, log_scale = self.run(ground)
            losses.append(guarded.laplace(ground, expected.float(), log_scale.float()))
        return torch.stack(losses).mean()

    def preview(self, dn: Tensor, centre: Tensor, scale: Tensor) -> list[Tensor]:
        """Ground, what the narrowest hole lets expect, the widest, standardised difference."""
        ground = guarded.ground_of(dn, centre, scale)
        expected, log_scale = (part.float() for part in self.run(ground))
        standard = (ground - expected[:, :1]) * torch.exp(-log_scale[:, :1])
        return [ground, expected[:, :1], expected[:, -1:], standard / 8]

    @torch.inference_mode()
    def calibrate(self, sources: Sequence[Source], seed: int) -> dict[str, Tensor]:
        """The scorer's `ordinary` and `rare`: quantiles of its measures on the training ground."""
        assert isinstance(self.network, guarded.Guarded)
        scorer = guarded.Scorer(self.network)
        windows = Windows(
            large(sources, CALIBRATED + 2 * scorer.margin),
            seed,
            turns=False,
            side=CALIBRATED + 2 * scorer.margin,
        )
        device = next(self.network.parameters()).device
        measures = []
        for number in range(AREAS):
            dn, *facts = windows[FIRST_AREA + number]
            centre, scale = (torch.tensor([fact], device=device) for fact in facts)
            found, _ = scorer.measures(dn[None].to(device), centre.float(), scale.float())
            measures.append(found[0].flatten(1))
        ends = torch.quantile(torch.cat(measures, dim=1), torch.tensor(RANKS, device=device), dim=1)
        return {"ordinary": ends[0].cpu(), "rare": ends[1].cpu()}


def network_of(recipe: Preset) -> nn.Module:
    """The untrained network of a recipe."""
    if recipe.network == "guarded":
        return guarded.Guarded(guarded.widened(guarded.ROWS, recipe.width))
    return article.Article(recipe.width)


def learner_of(recipe: Preset, precision: Precision) -> Learner:
    """The untrained network of a recipe with its loss."""
    kinds = {"article": ArticleLearner, "guarded": GuardedLearner}
    return kinds[recipe.network](network_of(recipe), precision)
