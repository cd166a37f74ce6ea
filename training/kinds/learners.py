"""What each network is trained at: raw ground in, loss out; and what a preview of it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from training.kinds.calibration import ordinary_measures
from training.kinds.losses import weighted_l1
from training.networks import article, guarded, places
from training.presets import Preset
from training.windows import Source, Windows

Precision = Callable[[], AbstractContextManager[Any]]  # mixed, where the device is faster so


class Learner(nn.Module):
    """A network and its loss; `forward` gives the loss of a batch, so that processes can share it.

    A batch holds what its `windows` give: `dn [N, 1, 256, 256]` raw, `centre` and `scale` (DN)
    `[N]`, and whatever else the loss needs.
    """

    def __init__(self, network: nn.Module, precision: Precision) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.precision = precision

    workers = 0  # processes that prepare windows while a CPU trains; reading alone is quick

    def windows(self, sources: Sequence[Source], seed: int, turns: bool) -> Windows:
        """What it learns from."""
        return Windows(sources, seed, turns)

    def forward(self, *batch: Tensor) -> Tensor:
        """The loss, a scalar."""
        raise NotImplementedError

    def preview(self, *batch: Tensor) -> list[Tensor]:
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

    def forward(self, *batch: Tensor) -> Tensor:
        """The article's weighted L1 loss."""
        dn, centre, scale = batch
        tiles = article.query(dn, centre, scale)
        mask = article.hole(device=dn.device)
        completion = self.run(article.hide(tiles, mask))
        return weighted_l1(tiles, completion.float(), mask)

    def preview(self, *batch: Tensor) -> list[Tensor]:
        """Query, hidden, completion, difference."""
        dn, centre, scale = batch
        tiles = article.query(dn, centre, scale)
        hidden = article.hide(tiles, article.hole(device=dn.device))
        completion = self.run(hidden).float()
        return [tiles, hidden, completion, tiles - completion]


class GuardedLearner(Learner):
    """Predicts every pixel from ground outside its hole, at several resolutions."""

    def forward(self, *batch: Tensor) -> Tensor:
        """Laplace likelihood, the mean over octaves."""
        dn, centre, scale = batch
        losses = []
        for octave in guarded.OCTAVES:
            ground = guarded.ground_of(dn, centre, scale, octave)
            expected, log_scale = self.run(ground)
            losses.append(guarded.laplace(ground, expected.float(), log_scale.float()))
        return torch.stack(losses).mean()

    def preview(self, *batch: Tensor) -> list[Tensor]:
        """Ground, what the narrowest hole lets expect, the widest, standardised difference."""
        dn, centre, scale = batch
        ground = guarded.ground_of(dn, centre, scale)
        expected, log_scale = (part.float() for part in self.run(ground))
        standard = (ground - expected[:, :1]) * torch.exp(-log_scale[:, :1])
        return [ground, expected[:, :1], expected[:, -1:], standard / 8]

    def calibrate(self, sources: Sequence[Source], seed: int) -> dict[str, Tensor]:
        """The scorer's `ordinary` and `rare`: quantiles of its measures on the training ground."""
        assert isinstance(self.network, guarded.Guarded)
        return ordinary_measures(self.network, sources, seed)


def network_of(recipe: Preset) -> nn.Module:
    """The untrained network of a recipe."""
    if recipe.network == "guarded":
        return guarded.Guarded(guarded.widened(guarded.ROWS, recipe.width))
    if recipe.network == "places":
        return places.Places()
    return article.Article(recipe.width)


def learner_of(recipe: Preset, precision: Precision) -> Learner:
    """The untrained network of a recipe with its loss."""
    from training.kinds.place_learner import PlacesLearner

    kinds = {
        "article": ArticleLearner,
        "guarded": GuardedLearner,
        "places": PlacesLearner,
    }
    return kinds[recipe.network](network_of(recipe), precision)
