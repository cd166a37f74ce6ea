"""How long the threshold takes on a whole scene: 73 million positions.

    python -m tests.benchmarks.threshold [--rows 8544] [--cols 8544]

Synthetic scores with a heavy tail and smooth surroundings; what is timed is what the Review page
asks for when a scan is opened, and at each move of the slider. One line of JSON a rule.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import ndimage

from dashboard import charts
from dashboard.detector import RULES, Grid, ScoreMap, sigma_map

TILE, WINDOW, STRIDE = 128, 28, 4  # px, of the guarded network
SLIDES = (3.0, 3.5, 4.0, 5.0, 6.0, 4.5, 3.1)
OUTLINES = 3_000  # flagged tiles drawn on the map


def synthetic(rows: int, cols: int) -> ScoreMap:
    """Scores `[rows, cols]` as real ones are: correlated over a window, with a heavy tail."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((rows, cols), np.float32)
    ndimage.gaussian_filter(values, 2.0, output=values)
    values *= np.float32(1 / values.std())
    np.exp(np.multiply(values, np.float32(0.5), out=values), out=values)
    values[:, : cols // 50] = np.nan
    grid = Grid(TILE + (cols - 1) * STRIDE, TILE + (rows - 1) * STRIDE, TILE, STRIDE)
    return ScoreMap(values, grid, WINDOW)


def timed(action: Callable[[], Any]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def measure(scores: ScoreMap, rule: str) -> dict[str, Any]:
    """Seconds to open a scan by a rule, and to move its slider."""
    sigmas = sigma_map(scores, rule)
    opening = timed(lambda: (sigmas.candidates, sigmas.histogram))

    def slide(sigma: float) -> None:
        sigmas.find(sigma)
        sigmas.flagged(sigma)[:OUTLINES]
        charts.histogram(sigmas.histogram, sigma, "position").to_json()

    moves = {sigma: round(timed(lambda sigma=sigma: slide(sigma)), 3) for sigma in SLIDES}
    return {
        "rule": rule,
        "positions": scores.scored,
        "floor": round(sigmas.floor, 2),
        "ranked": len(sigmas.candidates.cells),
        "places": {sigma: len(sigmas.find(sigma)) for sigma in SLIDES},
        "opening_s": round(opening, 2),
        "moves_s": moves,
        "median_s": statistics.median(moves.values()),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
    }


def main() -> None:
    """Prints a line a rule."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=8544)
    parser.add_argument("--cols", type=int, default=8544)
    given = parser.parse_args()
    scores = synthetic(given.rows, given.cols)
    for rule in RULES:
        print(json.dumps(measure(scores, rule)), flush=True)


if __name__ == "__main__":
    main()
