"""Calibration: quantiles of measures on ordinary ground, taken when a network has learned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from training.networks import guarded, residuals
from training.windows import Source, Windows, large

CALIBRATED = 256  # px, side of an area that the measures are calibrated on
AREAS = 60  # 246,000 positions in all, of which 246 lie beyond what is rare
FIRST_AREA = 2**40  # number of the first, which no training reaches
RANKS = (0.5, 0.999)  # what is ordinary, and what one position of a thousand exceeds


def ordinary_measures(
    network: guarded.Guarded, sources: Sequence[Source], seed: int
) -> dict[str, Tensor]:
    """`ordinary` and `rare` of a guarded network's scorer, `[measures]` each."""
    scorer = residuals.Scorer(network)

    def measures(dn: Tensor, centre: Tensor, scale: Tensor) -> Tensor:
        return scorer.measures(scorer.looks(dn, centre, scale))

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
    """Medians and rare values of measures on the training ground, `[2, measures]`.

    `measure` gives `[1, measures, h, w]` of raw DN with `margin` px around, centre and scale.
    """
    found = [measure(*parts)[0].flatten(1).cpu() for parts in areas(margin, sources, seed, device)]
    return torch.quantile(torch.cat(found, dim=1), torch.tensor(RANKS), dim=1)


def areas(
    margin: int, sources: Sequence[Source], seed: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Training ground to calibrate measures on: `dn [1, 1, H, W]` with a margin, centre, scale."""
    side = CALIBRATED + 2 * margin
    windows = Windows(large(sources, side), seed, turns=False, side=side)
    for number in range(AREAS):
        dn, *facts = windows[FIRST_AREA + number]
        centre, scale = (torch.tensor([fact], device=device, dtype=torch.float32) for fact in facts)
        yield dn[None].to(device), centre, scale
