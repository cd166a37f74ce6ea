"""The kind `guarded`: predicts every pixel from ground outside a hole around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from dashboard.detector.errors import ModelError
from training.kinds.base import OUTPUTS, Kind, Learner, Plan, Precision
from training.kinds.calibration import ordinary_measures
from training.kinds.reader_learner import ReaderLearner
from training.networks import BLOCK, guarded, residuals
from training.windows import Source

TILE = 128  # px around a position that must be ground, and that its picture shows
TOLERANCE = 1e-3  # of scores in standard deviations, and completions in units of 4 robust sigma
STEP = 32  # px of which the sides of an area are multiples
EXAMPLE = (256, 128)  # px of the area the graph is traced with, beside its margin
AREAS = ((256, 256), (64, 160), (192, 96))  # px of the areas compared, likewise


class GuardedLearner(Learner):
    """Learns to predict ground at several resolutions; the reader stays as it is."""

    def __init__(self, network: nn.Module, precision: Precision) -> None:
        assert isinstance(network, guarded.Guarded)
        network.reader.requires_grad_(False)  # several processes wait for gradients of all others
        super().__init__(network, precision)

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
        """Ground, the narrowest hole's prediction, the widest one's, standardised difference."""
        dn, centre, scale = batch
        ground = guarded.ground_of(dn, centre, scale)
        expected, log_scale = (part.float() for part in self.run(ground))
        standard = (ground - expected[:, :1]) * torch.exp(-log_scale[:, :1])
        return [ground, expected[:, :1], expected[:, -1:], standard / 8]

    def calibrate(self, sources: Sequence[Source], seed: int) -> dict[str, Tensor]:
        """The scorer's `ordinary` and `rare`: quantiles of its measures on the training ground."""
        assert isinstance(self.network, guarded.Guarded)
        return ordinary_measures(self.network, sources, seed)


def network(width: float) -> guarded.Guarded:
    """An untrained network of a width."""
    return guarded.Guarded(guarded.widened(guarded.ROWS, width))


def plan(network: guarded.Guarded, calibration: Mapping[str, Tensor]) -> Plan:
    """How a network is exported.

    Raises:
        ModelError: it has not been calibrated, for its training has not ended.
    """
    if not calibration:
        raise ModelError("the training has not ended; the same command goes on with it")
    scorer = residuals.Scorer(network).eval()
    scorer.calibrate(calibration)
    rim = 2 * scorer.margin
    tall, wide = (torch.export.Dim(name, min=5, max=1024) for name in ("tall", "wide"))
    return Plan(
        scorer,
        facts(scorer),
        TOLERANCE,
        (rim + EXAMPLE[0], rim + EXAMPLE[1]),
        [(rim + height, rim + width) for height, width in AREAS],
        {2: STEP * tall, 3: STEP * wide},
        (*OUTPUTS, "surprise"),
    )


def facts(scorer: residuals.Scorer) -> dict[str, object]:
    """The card's facts that a caller must know."""
    guards = scorer.network.guards
    return {
        "scores": "areas",
        "title": "Guarded completion: every pixel predicted from ground outside a hole around it",
        "tile": TILE,
        "hole": guarded.hole_side(min(guards)),
        "score_window": guarded.hole_side(max(guards)),
        "stride": BLOCK,
        "strides": (BLOCK,),
        "margin": scorer.margin,
        "around": residuals.LOCAL_MEAN,
        "score_unit": f"standardised residual, the mean over {len(residuals.WINDOWS)} windows and "
        f"{len(guards)} holes, the largest of {max(guarded.OCTAVES) + 1} octaves, and how much it "
        "looks put there, less its mean around; 0 is ordinary ground",
    }


GUARDED = Kind("guarded", network, GuardedLearner, plan, {"reader": ReaderLearner})
