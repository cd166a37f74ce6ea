"""How long the threshold takes on a whole scene: 73 million positions.

    python -m tests.benchmarks.speed.threshold [--rows 8544] [--cols 8544]

Synthetic scores with a heavy tail and smooth surroundings; what is timed is what the Review page
asks for when a scan is opened, drawn once at its first threshold, and then at each move of the
slider: seconds by the clock, and of the processors, which other programs do not lengthen. One line
of JSON a rule.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from dashboard import server
from dashboard.detector import RULES, Grid, PlaceTable, ScoreMap, SigmaMap, Survey, sigma_map
from dashboard.detector.places.artefacts import spoilt, with_artefacts
from dashboard.detector.scanning.peaks import places
from dashboard.detector.scenes.survey import CELL, CELLS
from dashboard.drawing import charts
from dashboard.pages.threshold import MOST_PLACES
from dashboard.session.state import SIGMA

TILE, WINDOW, STRIDE = 128, 28, 4  # px, of the guarded network
PLACES = (10_000, 100, 3_000, 1_000, 300, 10, 5_000)  # beyond each threshold; the page has no lower
OUTLINES = 3_000  # flagged tiles drawn on the map
FEATURES = 64  # numbers that describe a place


def synthetic(rows: int, cols: int) -> ScoreMap:
    """Scores `[rows, cols]` as real ones are: correlated over a window, with a heavy tail."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((rows, cols), np.float32)
    ndimage.gaussian_filter(values, 2.0, output=values)
    values *= np.float32(1 / values.std())
    np.exp(np.multiply(values, np.float32(0.5), out=values), out=values)
    values[:, : cols // 50] = np.nan
    grid = Grid(TILE + (cols - 1) * STRIDE, TILE + (rows - 1) * STRIDE, TILE, STRIDE)
    return looked_at(ScoreMap(values, grid, WINDOW))


def looked_at(scores: ScoreMap) -> ScoreMap:
    """The same with places that were looked at, what was said of them drawn."""
    rng, found = np.random.default_rng(3), places(scores)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "places.npy")
        PlaceTable.write(path, found, FEATURES)
        table = PlaceTable(np.load(path))
    said = rng.standard_normal((len(table), 1 + FEATURES), np.float32)
    table.put(0, said[:, 0], said[:, 1:])
    return replace(scores, places=table)


def surveyed(grid: Grid) -> Survey:
    """Ground of many kinds under the scores."""
    rng = np.random.default_rng(1)
    shape = (-(-grid.height // CELL), -(-grid.width // CELL))
    spread = ndimage.gaussian_filter(rng.standard_normal(shape).astype(np.float32), 9) * 500 + 200
    cells = np.zeros(shape, CELLS)
    cells["spread"], cells["ground"], cells["blocks"] = np.abs(spread), 1, 1
    return Survey(cells)


def timed(action: Callable[[], Any]) -> tuple[float, float]:
    """Seconds that it takes, by the clock and of the processors."""
    began, worked = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - began, time.process_time() - worked


def slide(sigmas: SigmaMap, ground: Survey, sigma: float) -> int:
    """The page's work at a threshold; the number of places."""
    size = sigmas.scores.grid.width, sigmas.scores.grid.height
    found = with_artefacts(sigmas.find(sigma), ground, size)
    sigmas.flagged(sigma)[:OUTLINES]
    sigmas.tail.expected(sigma)
    charts.histogram(sigmas.histogram, sigma, "position", sigmas.tail).to_json()
    return len(found)


def measure(scores: ScoreMap, ground: Survey, rule: str) -> dict[str, Any]:
    """Seconds to open a scan by a rule and show it, and to move its slider."""
    kept: list[SigmaMap] = []

    def opened() -> None:
        kept.append(sigma_map(scores, rule))
        spoilt(kept[0], ground, (scores.grid.width, scores.grid.height))
        known = kept[0].places
        slide(kept[0], ground, max(SIGMA, float(known[min(MOST_PLACES, len(known) - 1)])))

    opening, working = timed(opened)
    (sigmas,) = kept
    limits = [float(sigmas.places[number]) for number in PLACES]
    moves = [timed(lambda at=at: slide(sigmas, ground, at)) for at in limits]
    seconds, processors = zip(*moves, strict=True)
    return {
        "rule": rule,
        "positions": scores.scored,
        "floor": round(sigmas.floor, 2),
        "ranked": len(sigmas.candidates.cells),
        "places": len(sigmas.places),
        "opening_s": round(opening, 2),
        "opening_cpu_s": round(working, 2),
        "moves_s": dict(zip(PLACES, (round(one, 3) for one in seconds), strict=True)),
        "moves_cpu_s": dict(zip(PLACES, (round(one, 3) for one in processors), strict=True)),
        "slowest_s": round(max(seconds), 3),
        "slowest_cpu_s": round(max(processors), 3),
        "median_s": round(statistics.median(seconds), 3),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
    }


def main() -> None:
    """Prints a line a rule."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=8544)
    parser.add_argument("--cols", type=int, default=8544)
    given = parser.parse_args()
    server.make_ready()
    scores = synthetic(given.rows, given.cols)
    ground = surveyed(scores.grid)
    for rule in RULES:
        print(json.dumps(measure(scores, ground, rule)), flush=True)


if __name__ == "__main__":
    main()
