"""What each network is trained at: raw ground in, loss out; and what a preview of it shows."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.kinds.calibration import RIM, critic_measures, ordinary_measures, ordinary_places
from training.kinds.losses import weighted_l1
from training.networks import article, critic, guarded, places, second_look
from training.presets import PRESETS, Preset
from training.windows import Plantings, Source, Windows

STRONG, OTHERS = 3, 3  # places of a window that are taken for ground: the strongest, and any
THINGS = 1 / 3  # the weight of places on things in the loss; in a window there are fewer
UNSEEN = 4  # blocks at a window's border without places

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

    def settle(self, *batch: Tensor) -> None:
        """Makes up for what weights of an exported network lack, by what a batch is like."""

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


class PlantingLearner(Learner):
    """Learns from ground with things planted in it."""

    workers = 1  # planting takes as long as a third of a step

    def windows(self, sources: Sequence[Source], seed: int, turns: bool) -> Windows:
        """Ground with things planted in it."""
        return Plantings(sources, seed, turns)


class CriticLearner(PlantingLearner):
    """Tells what was planted from what is natural."""

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
        return critic_measures(self.network, sources, seed)


class SecondLookLearner(PlantingLearner):
    """Tells places on what was planted from the strongest of natural ground, and any others."""

    def forward(self, *batch: Tensor) -> Tensor:
        """Cross-entropy, things together weighing `THINGS`, whatever their number."""
        places, on = self._places(*batch)
        logit = self.run(places).float()
        told = torch.arange(len(logit), device=logit.device) < on
        entropy = F.binary_cross_entropy_with_logits(logit, told.float(), reduction="none")
        put, ground = entropy[:on], entropy[on:]
        return sum(
            (
                part.mean() * share
                for part, share in ((put, THINGS), (ground, 1 - THINGS))
                if len(part)
            ),
            start=0 * logit.sum(),
        )

    def preview(self, *batch: Tensor) -> list[Tensor]:
        """Ground, how surprising it is, what was planted, what is said of all places."""
        dn, centre, scale, target, _ = batch
        layers, surprise = self._look(dn, centre, scale)
        places = torch.nonzero(inside(second_look.peaks(surprise, second_look.CLOSE)))
        said = torch.sigmoid(self.run(places_seen(layers, places)).float())
        drawn = torch.zeros_like(surprise).index_put(tuple(places.T), said)
        side = second_look.CLOSE
        shown = F.max_pool2d(drawn[:, None], side, 1, side // 2)
        layers_shown = [2 * F.interpolate(part, scale_factor=4.0) - 1 for part in (target, shown)]
        rough = F.interpolate(surprise[:, None], scale_factor=4.0) / 2
        return [guarded.ground_of(dn, centre, scale), rough, *layers_shown]

    def settle(self, *batch: Tensor) -> None:
        """What has normalised, which an exported network has within its weights."""
        assert isinstance(self.network, second_look.SecondLook)
        second_look.settle(self.network.look, self._places(*batch)[0])

    def _places(
        self, dn: Tensor, centre: Tensor, scale: Tensor, target: Tensor, weight: Tensor
    ) -> tuple[Tensor, int]:
        """What is seen of the places that are learned from, and how many, the first, are on things.

        `[n, 7, 32, 32]` of a batch.
        """
        layers, surprise = self._look(dn, centre, scale)
        thing = target[:, 0] > 0
        on, beside = chosen(surprise, thing, (weight[:, 0] > 0) & ~thing)
        return places_seen(layers, torch.cat([on, beside])), len(on)

    @torch.no_grad()
    def _look(self, dn: Tensor, centre: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """What is looked at, mirrored beyond the windows' borders, and how surprising it is."""
        assert isinstance(self.network, second_look.SecondLook)
        ground = guarded.ground_of(dn, centre, scale)
        blocks = guarded.blocks_of(ground)
        with self.precision():
            predicted = self.network.critic.guarded.predict(blocks)
        found = second_look.residual(blocks, (predicted[0].float(), predicted[1].float()))
        around = (second_look.HALF,) * 4
        layers = F.pad(second_look.layers_of(ground, found), around, "reflect")
        return layers, second_look.surprise(found)

    def calibrate(self, sources: Sequence[Source], seed: int) -> dict[str, Tensor]:
        """What a critic must know, and what is usual of natural ground's places."""
        assert isinstance(self.network, second_look.SecondLook)
        measures = critic_measures(self.network.critic, sources, seed)
        scorer = second_look.Scorer(copy.deepcopy(self.network)).eval()
        scorer.first.calibrate(measures)
        return measures | ordinary_places(scorer, sources, seed)


def chosen(surprise: Tensor, thing: Tensor, ground: Tensor) -> tuple[Tensor, Tensor]:
    """The places on things and beside them that are learned from, `[n, 3]` each: window, row, col.

    Of things all local maxima of the surprise, of ground in each window the strongest and others at
    random. All `[N, h, w]`.
    """
    top = inside(second_look.peaks(surprise, second_look.CLOSE))
    on, beside = torch.nonzero(top & thing), top & ground
    heights = torch.where(beside, surprise, -torch.inf).flatten(1)
    strong = torch.topk(heights, STRONG, dim=1).indices
    left = beside.flatten(1).scatter(1, strong, False)
    odds = torch.rand_like(heights).masked_fill(~left, -1.0)
    picked = torch.cat([strong, torch.topk(odds, OTHERS, dim=1).indices], dim=1)
    taken = torch.zeros_like(heights, dtype=torch.bool).scatter(1, picked, True)
    return on, torch.nonzero(taken.reshape(beside.shape) & beside)


def inside(top: Tensor) -> Tensor:
    """The same `[N, h, w]` without what is near a border, where predictions lack ground."""
    rim = (UNSEEN,) * 4
    return F.pad(guarded.without(top, UNSEEN), rim)


def places_seen(layers: Tensor, places: Tensor) -> Tensor:
    """What is seen of places `[n, 3]` of layers that reach `HALF` px beyond their windows."""
    return second_look.seen(layers, second_look.Places(*places.unbind(1)), second_look.HALF)


def network_of(recipe: Preset) -> nn.Module:
    """The untrained network of a recipe."""
    if recipe.network == "critic":
        eye = network_of(PRESETS[recipe.eye])
        assert isinstance(eye, guarded.Guarded)
        return critic.Critic(eye, critic.widened(critic.LEVELS, recipe.width), recipe.width)
    if recipe.network == "second-look":
        first = network_of(PRESETS[recipe.first])
        assert isinstance(first, critic.Critic)
        return second_look.SecondLook(first, recipe.width)
    if recipe.network == "guarded":
        rows = guarded.DEEP_ROWS if recipe.deep else guarded.ROWS
        return guarded.Guarded(guarded.widened(rows, recipe.width))
    if recipe.network == "places":
        return places.Places()
    return article.Article(recipe.width)


def learner_of(recipe: Preset, precision: Precision) -> Learner:
    """The untrained network of a recipe with its loss."""
    from training.kinds.place_learner import PlacesLearner

    kinds = {
        "article": ArticleLearner,
        "guarded": GuardedLearner,
        "critic": CriticLearner,
        "second-look": SecondLookLearner,
        "places": PlacesLearner,
    }
    return kinds[recipe.network](network_of(recipe), precision)
