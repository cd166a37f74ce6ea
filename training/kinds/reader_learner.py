"""How the reader of residuals learns: from windows with things put on them, again and again.

The completion network has learned and stays as it is. What it leaves of a window is kept for a
while in memory, since making a window takes longer than learning from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.kinds.base import Learner, Precision
from training.kinds.calibration import ordinary_measures
from training.kinds.candidates import GROUND, SEES, THING, PlantedWindows
from training.networks import guarded, residuals
from training.windows import Source

KEPT, DRAWN = 1_200, 32  # windows in memory, and of each batch
NEAR = 9  # blocks: a thing counts by the largest logit within this square around each of its blocks
APART = 15  # blocks: side of the square in which one place is the strongest, as a scan's are
ALL = 0.5  # what all blocks of ground weigh beside the strongest of them
NOWHERE = -1e4  # a logit of blocks that do not count


class SurroundedWindows(PlantedWindows):
    """Windows with things on them: raw DN with what `guarded` sees around, and labels.

    `(dn [1, 256 + 2 SEES, 256 + 2 SEES] float32, centre, scale, labels [64, 64] int8)`.
    """

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        dn, label, scene = self.planted(np.random.default_rng((self.seed, index)))
        around = np.pad(dn, SEES, "symmetric")[None]
        return torch.from_numpy(around), scene.centre, scene.scale, torch.from_numpy(label)


class ReaderLearner(Learner):
    """Tells blocks on things from the strongest of ground, and all others."""

    workers = 1  # planting takes as long as a step

    def __init__(self, network: nn.Module, precision: Precision) -> None:
        assert isinstance(network, guarded.Guarded)
        super().__init__(network, precision)
        network.requires_grad_(False)
        network.reader.requires_grad_(True)
        self.scorer = residuals.Scorer(network)
        self.memory: list[tuple[list[Tensor], Tensor]] = []
        self.seen = 0

    def windows(self, sources: Sequence[Source], seed: int, turns: bool) -> SurroundedWindows:
        """The dataset: windows with things on them, labelled."""
        return SurroundedWindows(sources, seed, turns)

    def forward(self, *batch: Tensor) -> Tensor:
        """Cross-entropy of things against ground, of windows that came before, too."""
        pictures, labels = self._pictures(*batch[:3]), batch[3]
        for number, label in enumerate(labels):
            kept = [octave[number].half() for octave in pictures], label.to(torch.int8)
            self.memory[self.seen % KEPT : self.seen % KEPT + 1] = [kept]
            self.seen += 1
        drawn = [self.memory[some] for some in torch.randint(len(self.memory), (DRAWN,)).tolist()]
        seen = [torch.stack([one[0][octave] for one in drawn]) for octave in guarded.OCTAVES]
        with self.precision():
            logits = self._network.reader([octave.float() for octave in seen])
        return entropy(logits.float(), torch.stack([label for _, label in drawn]))

    def preview(self, *batch: Tensor) -> list[Tensor]:
        """The ground, its residual, what is read of it, and what there is to be read."""
        dn, centre, scale, label = batch
        look = self.scorer.looks(dn, centre, scale)[0]
        rim, block = residuals.RIMS[0], (slice(None), slice(0, 1))
        ground, left = (
            guarded.without(part[block], rim) for part in (look.blocks, look.residuals[0] / 8)
        )
        logit = self._network.reader(self._pictures(dn, centre, scale))[:, None]
        return [ground, left, torch.tanh(logit / 4), label[:, None].float()]

    def calibrate(self, sources: Sequence[Source], seed: int) -> dict[str, Tensor]:
        """The scorer's `ordinary` and `rare`, as when the completion had learned."""
        return ordinary_measures(self._network, sources, seed)

    @property
    def _network(self) -> guarded.Guarded:
        assert isinstance(self.network, guarded.Guarded)
        return self.network

    @torch.no_grad()
    def _pictures(self, dn: Tensor, centre: Tensor, scale: Tensor) -> list[Tensor]:
        return [look.picture for look in self.scorer.looks(dn, centre, scale)]


def entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The loss of logits `[N, h, w]` for labels likewise: things, the strongest ground, all ground.

    A thing counts once, however large, by its largest logit: one place on it is enough. So do the
    strongest places of ground, for those alone would be looked at.
    """
    on, ground = labels == THING, labels == GROUND
    nowhere = logits.new_tensor(NOWHERE)
    best = _largest(torch.where(on, logits, nowhere), NEAR)
    share = on / _blocks_of_thing(on)
    bare = torch.where(ground, logits, nowhere)
    strongest = ground & (bare == _largest(bare, APART))
    found = (F.softplus(-best) * share).sum() / share.sum().clamp(min=1e-6)
    natural, all_ground = (F.softplus(logits[some]).mean() for some in (strongest, ground))
    return found + natural + ALL * all_ground


def _largest(logits: Tensor, side: int) -> Tensor:
    return F.max_pool2d(logits[:, None], side, 1, side // 2)[:, 0]


def _blocks_of_thing(on: Tensor) -> Tensor:
    """About how many blocks the thing around each block has, one at least."""
    part = F.avg_pool2d(on[:, None].float(), APART, 1, APART // 2)[:, 0]
    return (part * APART**2).clamp(min=1)
