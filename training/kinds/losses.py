"""Losses of the completion networks."""

from __future__ import annotations

from torch import Tensor

HIDDEN_WEIGHT = 0.9  # the article's: what is hidden matters most
SEEN_WEIGHT = 0.1  # the article's: what is seen keeps the completion continuous at the rim


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
