"""The kind `article`: completes what is hidden in the middle of halved tiles."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from training.kinds.base import Kind, Learner, Plan
from training.networks import article

HIDDEN_WEIGHT = 0.9  # the article's: what is hidden matters most
SEEN_WEIGHT = 0.1  # the article's: what is seen keeps the completion continuous at the rim
TOLERANCE = 1e-4  # largest difference allowed, in units of 4 robust sigma: a score is about 0.1


class ArticleLearner(Learner):
    """Learns to complete the hidden middle of tiles."""

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


def weighted_l1(query: Tensor, completion: Tensor, mask: Tensor) -> Tensor:
    """Mean over all pixels of `0.9 |M (X - F)| + 0.1 |(1 - M) (X - F)|`, a scalar.

    Elementwise, as Haselmann et al. (2018), equation 2, mean it: not a norm of a matrix.

    Args:
        query: `X [N, 1, H, W]`, the scaled tiles.
        completion: `F`, of the same shape.
        mask: `M`, broadcastable to it: 1 where hidden, 0 where seen.
    """
    weight = HIDDEN_WEIGHT * mask + SEEN_WEIGHT * (1.0 - mask)
    return (weight * (query - completion).abs()).mean()


def plan(network: article.Article, _calibration: Mapping[str, Tensor]) -> Plan:
    """How a network is exported; it is not calibrated."""
    tile = (article.TILE, article.TILE)
    scored = 2 * article.SCORED
    facts = {
        "scores": "tiles",
        "title": "Completion network of Haselmann et al. (2018), as the Mars article used it",
        "tile": article.TILE,
        "hole": 2 * article.HIDDEN,
        "score_window": scored,
        "stride": scored,
        "strides": (16, scored, article.TILE),
        "margin": (article.TILE - scored) // 2,
        "around": 0,
        "score_unit": "mean absolute residual over the scored window, "
        "in 4 robust sigma of the scene",
    }
    return Plan(article.Scorer(network).eval(), facts, TOLERANCE, tile, [tile] * 3)


ARTICLE = Kind("article", article.Article, ArticleLearner, plan)
