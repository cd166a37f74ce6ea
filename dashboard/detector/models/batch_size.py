"""How many tiles a network should score at a time, found by trying."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

BATCH = 16  # tiles; more do not make two cores faster, and a cancelled scan stops after one batch
BATCHES = (16, 32, 64, 128, 256)  # tiles, worth trying on a GPU
GAIN = 1.1  # a batch of twice the size must score so many times the tiles a second


def best_batch(score: Callable[[int], object], batches: Sequence[int] = BATCHES) -> int:
    """The batch, of those given in ascending order, beyond which no more is gained.

    Args:
        score: scores a batch of so many tiles; what it raises means that they are too many.
    """
    best, most = batches[0], 0.0
    for batch in batches:
        try:
            score(batch)  # the first of a size allocates and chooses algorithms
            began = time.perf_counter()
            score(batch)
            rate = batch / (time.perf_counter() - began)
        except Exception:  # the device's memory is full, which each provider says in its own way
            break
        if rate < GAIN * most:
            break
        best, most = batch, rate
    return best
