"""What a scorer must know of ordinary ground, measured on training ground when it has learned."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional

from training.networks import critic, guarded, residuals, second_look
from training.windows import Plantings, Source, Windows, large

CALIBRATED, AREAS = 256, 60  # px of an area the measures are calibrated on, and how many of them
FIRST_AREA = 2**40  # number of the first, which no training reaches
PLANTED = 400  # windows a critic's logits are calibrated on
RIM = 5  # blocks at a window's border where the guarded network sees too little to be judged by
RANKS = (0.5, 0.999)  # what is ordinary, and what one position of a thousand exceeds
FLAT = 1e-6  # of a deviation: what is the same everywhere tells nothing
USUAL = 0.5  # of ground's places: the part whose second look counts less than nothing


def critic_measures(
    network: critic.Critic, sources: Sequence[Source], seed: int
) -> dict[str, Tensor]:
    """What the scorer of a critic must know: `ordinary`, `rare`, `doubt`, `platt`, `planted`."""
    scorer = critic.Scorer(network)
    device = next(network.parameters()).device

    def logits(dn: Tensor, centre: Tensor, scale: Tensor) -> Tensor:
        return scorer.logits(dn, centre, scale)[:, None]

    ends = quantiles(logits, scorer.sees, sources, seed, device)
    measures = ordinary_measures(network.guarded, sources, seed)
    logit, planted = judgements(network, Plantings(sources, seed, turns=True), PLANTED)
    line, share = platt(logit, planted), planted.mean()
    return measures | {"doubt": ends[:, 0], "platt": line, "planted": share}


@torch.inference_mode()
def ordinary_places(
    scorer: second_look.Scorer, sources: Sequence[Source], seed: int
) -> dict[str, Tensor]:
    """What a second look must know of the places of training ground, by names of its own.

    `usual`, the logit that half of them exceed; `ordinary` and `spread`, mean and deviation of what
    is described of them, and the `axes` along which they differ most in such deviations (principal
    components, Pearson 1901), as many as there are features.
    """
    device = next(scorer.parameters()).device
    found = [scorer.described(*parts) for parts in areas(scorer.margin, sources, seed, device)]
    described = torch.cat(found)
    usual = torch.quantile(scorer.look.judged(described), USUAL)
    spread, ordinary = torch.var_mean(described, 0)
    spread = spread.sqrt().clamp(min=FLAT)
    apart = ((described - ordinary) / spread).clamp(-second_look.FURTHEST, second_look.FURTHEST)
    axes = torch.linalg.eigh(torch.cov(apart.T)).eigenvectors.flip(1)[:, : second_look.FEATURES]
    axes = functional.pad(axes, (0, second_look.FEATURES - axes.shape[1]))
    known = {"usual": usual, "ordinary": ordinary, "spread": spread, "axes": axes}
    return {f"places_{name}": value.cpu() for name, value in known.items()}


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
    scorer = residuals.Scorer(network)

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
