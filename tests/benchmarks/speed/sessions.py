"""One session of all threads against several that share them, by the size of a piece.

    python -m tests.benchmarks.speed.sessions [--model guarded] [--sides 1280 1792] [--rounds 3]

The network alone, on noise, as a scan asks it for the surprise of a piece with its margin. The two
take turns, round by round; the figures are medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dashboard.detector import Model

PIECES = 4  # in a round


def megapixels(model: Model, dn: NDArray[np.float32], side: int) -> float:
    """Ground a second of `PIECES` pieces, Mpx/s, each session taking its share."""
    shards = model.shards
    began = time.perf_counter()
    with ThreadPoolExecutor(len(shards)) as pool:
        asked = shards * (PIECES // len(shards))
        list(pool.map(lambda shard: shard.surprise(dn, 100.0, 20.0), asked))
    return PIECES * side**2 / (time.perf_counter() - began) / 1e6


def main() -> None:
    """Prints a line of JSON a size."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="guarded")
    parser.add_argument("--sides", nargs="+", type=int, default=[1280, 1792, 2560], help="px")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    several = Model.load(given.model, "cpu")
    one = replace(several, parallel_sessions=())
    for side in given.sides:
        length = side + 2 * several.card.sees
        dn = np.random.default_rng(0).random((1, 1, length, length), np.float32) * 255
        megapixels(one, dn, side), megapixels(several, dn, side)  # lest the first be slower
        rounds = [
            (megapixels(one, dn, side), megapixels(several, dn, side)) for _ in range(given.rounds)
        ]
        alone, shared = (statistics.median(part) for part in zip(*rounds, strict=True))
        line = {"side": side, "sessions": len(several.shards), "one_mpx_per_s": round(alone, 2)}
        print(json.dumps(line | {"several_mpx_per_s": round(shared, 2)}), flush=True)


if __name__ == "__main__":
    main()
