"""What each network is trained at: raw ground in, loss out; and what a preview of it shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional as F

from training.data import Plantings, Source, Windows, large
from training.losses import weighted_l1
from training.networks import article, critic, guarded
from training.presets import PRESETS, Preset

CALIBRATED, AREAS = 256, 60  # px of an area the measures are calibrated on, and how many of them
FIRST_AREA = 2**40  # number of the first, which no training reaches
PLANTED = 400  # windows a critic's logits are calibrated on
RIM = 5  # blocks at a window's border where the guarded network sees too little to be judged by
RANKS = (0.5, 0.999)  # what is ordinary, and what one position of a thousand exceeds

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


class CriticLearner(Learner):
    """Tells what was planted from what is natural."""

    workers = 1  # planting takes as long as a third of a step

    def windows(self, sources: Sequence[Source], seed: int, turns: bool) -> Windows:
        """Ground with things planted in it."""
        return Plantings(sources, seed, turns)

    def forward(self, *batch: Tensor) -> Tensor:
        """Focal cross-entropy, away from the border, beyond which nothing is known."""
        dn, centre, scale, target, weight = batch
        logit = self.run(guarded.ground_of(dn, centre, scale)).float()
        inner = slice(RIM, -RIM)
        parts = (part[:, :, inner, inner] for part in (logit, target, weight))
        logit, target, weight = parts
        return critic.focal(logit, target, weight)

    def preview(self, *batch: Tensor) -> list[Tensor]:
        """Ground, what the narrowest hole lets expect, what was planted, what the critic says."""
        dn, centre, scale, target, _ = batch
        ground = guarded.ground_of(dn, centre, scale)
        assert isinstance(self.network, critic.Critic)
        expected = self.network.guarded(ground)[0][:, :1]
        said = torch.sigmoid(self.run(ground).float())
        layers = [2 * F.interpolate(part, scale_factor=4.0) - 1 for part in (target, said)]
        return [ground, expected, *layers]

    def calibrate(self, sources: Sequence[Source], seed: int) -> dict[str, Tensor]:
        """Quantiles of the residual's measures and of the logit on the training ground.

        And `platt`, the line that makes the logit that of a frequency in windows of their own, of
        whose blocks the part `planted` was.
        """
        assert isinstance(self.network, critic.Critic)
        scorer = critic.Scorer(self.network)
        device = next(self.network.parameters()).device

        def logits(dn: Tensor, centre: Tensor, scale: Tensor) -> Tensor:
            return scorer.logits(dn, centre, scale)[:, None]

        ends = quantiles(logits, scorer.sees, sources, seed, device)
        measures = ordinary_measures(self.network.guarded, sources, seed)
        logit, planted = judgements(self.network, Plantings(sources, seed, turns=True), PLANTED)
        line, share = platt(logit, planted), planted.mean()
        return measures | {"doubt": ends[:, 0], "platt": line, "planted": share}


@torch.inference_mode()
def judgements(network: critic.Critic, windows: Plantings, count: int) -> tuple[Tensor, Tensor]:
    """A critic's logits `[n]` of the blocks of so many windows, and which were planted `[n]`.

    Without blocks that do not count, and those at the rim of a window.
    """
    device = next(network.parameters()).device
    logits, planted = [], []
    for number in range(count):
        dn, centre, scale, target, weight = windows[FIRST_AREA + number]
        facts = [
            torch.tensor([fact], device=device, dtype=torch.float32) for fact in (centre, scale)
        ]
        ground = guarded.ground_of(dn[None].to(device), facts[0], facts[1])
        logit = network(ground)[0].cpu()
        inner = slice(RIM, -RIM)
        logit, target, weight = (part[:, inner, inner] for part in (logit, target, weight))
        logits.append(logit[weight > 0])
        planted.append(target[weight > 0])
    return torch.cat(logits), torch.cat(planted)


def platt(logits: Tensor, planted: Tensor) -> Tensor:
    """`[2]`, gain and offset that make logits those of the frequency of what was planted.

    Platt 1999, "Probabilistic outputs for support vector machines": logistic regression on one
    number. Nothing is changed where nothing was planted, or where the line would turn ranks over.
    """
    if planted.min() == planted.max():
        return torch.tensor([1.0, 0.0])
    line = LogisticRegression(C=math.inf).fit(logits[:, None].numpy(), planted.numpy())
    gain, offset = float(line.coef_[0, 0]), float(line.intercept_[0])
    return torch.tensor([gain, offset]) if gain > 0 else torch.tensor([1.0, 0.0])


def ordinary_measures(
    network: guarded.Guarded, sources: Sequence[Source], seed: int
) -> dict[str, Tensor]:
    """`ordinary` and `rare` of a guarded network's scorer, `[measures]` each."""
    scorer = guarded.Scorer(network)

    def measures(dn: Tensor, centre: Tensor, scale: Tensor) -> Tensor:
        return scorer.measures(dn, centre, scale)[0]

    device = next(network.parameters()).device
    ends = quantiles(measures, scorer.sees, sources, seed, device)
    return {"ordinary": ends[0], "rare": ends[1]}


@torch.inference_mode()
def quantiles(
    measure: Callable[[Tensor, Tensor, Tensor], Tensor],
    margin: int,
    sources: Sequence[Source],
    seed: int,
    device: torch.device,
) -> Tensor:
    """What is ordinary and what is rare on the training ground, `[2, measures]`.

    `measure` gives `[1, measures, h, w]` of raw DN with `margin` px around, centre and scale.
    """
    side = CALIBRATED + 2 * margin
    windows = Windows(large(sources, side), seed, turns=False, side=side)
    found = []
    for number in range(AREAS):
        dn, *facts = windows[FIRST_AREA + number]
        centre, scale = (torch.tensor([fact], device=device, dtype=torch.float32) for fact in facts)
        found.append(measure(dn[None].to(device), centre, scale)[0].flatten(1).cpu())
    return torch.quantile(torch.cat(found, dim=1), torch.tensor(RANKS), dim=1)


def network_of(recipe: Preset) -> nn.Module:
    """The untrained network of a recipe."""
    if recipe.network == "critic":
        eye = network_of(PRESETS[recipe.eye])
        assert isinstance(eye, guarded.Guarded)
        return critic.Critic(eye, critic.widened(critic.LEVELS, recipe.width), recipe.width)
    if recipe.network == "guarded":
        rows = guarded.DEEP_ROWS if recipe.deep else guarded.ROWS
        return guarded.Guarded(guarded.widened(rows, recipe.width))
    return article.Article(recipe.width)


def learner_of(recipe: Preset, precision: Precision) -> Learner:
    """The untrained network of a recipe with its loss."""
    kinds = {"article": ArticleLearner, "guarded": GuardedLearner, "critic": CriticLearner}
    return kinds[recipe.network](network_of(recipe), precision)
