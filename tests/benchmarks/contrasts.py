"""How bright what is planted for learning is, beside what is looked for.

    python -m tests.benchmarks.contrasts SCENE [SCENE ...] --scenes FOLDER [FOLDER ...]

The contrast of a thing is how far the upper quarter of the pixels in its box is from the median of
the 128 px around it, in 1.4826 MAD of these. One line of JSON for the real hardware of each scene
whose truth is known, piece by piece; then quantiles of the article's six pieces, planted in each
scene by COUNT seeds from FIRST on, larger ones and spots; and of the things that are learned
from, in so many windows of the folders, of 8 px and more and smaller.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dashboard.detector import Box, ingest
from dashboard.detector.scenes.dn_statistics import MAD_TO_SIGMA
from training import synthetic_anomalies
from training.simulation import planting
from training.simulation.site import Site
from training.synthetic_anomalies.canvas import Floats
from training.truth import truth_of
from training.windows import Windows, gather

AROUND = 64  # px around the middle of a thing, each way
UPPER = 75  # percentile of a box's pixels that counts
QUANTILES = (10, 25, 50, 75, 90)
SMALL = 8  # px across, from which on a thing is not
THINGS = 2  # put in a window


def around_of(dn: Floats, box: Box) -> Floats:
    """The ground around the middle of a box on ground `[H, W]`."""
    x, y = (int(middle) for middle in box.centre)
    return dn[max(0, y - AROUND) : y + AROUND, max(0, x - AROUND) : x + AROUND]


def contrast(dn: Floats, box: Box) -> float:
    """Of what lies in a box on ground `[H, W]`, in robust deviations of the ground around."""
    around = around_of(dn, box)
    level = np.median(around)
    rough = MAD_TO_SIGMA * float(np.median(np.abs(around - level)))
    inside = np.abs(dn[box.y_min : box.y_max, box.x_min : box.x_max] - level)
    return float(np.percentile(inside, UPPER)) / max(rough, 1e-6)


def line(what: str, group: str, values: Sequence[float]) -> str:
    """Quantiles of contrasts as JSON."""
    spread = dict(zip(QUANTILES, np.percentile(values, QUANTILES).round(2).tolist(), strict=True))
    return json.dumps({"what": what, "group": group, "count": len(values)} | {"quantiles": spread})


def sought(picture: Path, seeds: range) -> Iterator[str]:
    """The lines of one scene."""
    scene = ingest(picture)
    whole = scene.read(Box(0, 0, scene.width, scene.height))
    known = truth_of(picture, scene)
    if known:
        pieces = {one.name: round(contrast(whole.dn, one.box), 2) for one in known.objects}
        yield json.dumps({"what": picture.name, "real": pieces})
    site = Site.of(whole.dn, whole.valid)
    groups: dict[str, list[float]] = {"larger": [], "spots": []}
    for seed in seeds:
        planted, objects = planting.plant(site, seed, vary=True)
        for one in objects:
            group = "spots" if one.kind == "spot" else "larger"
            groups[group].append(contrast(planted, one.box))
    for group, found in groups.items():
        yield line(f"planted on {picture.name}", group, found)


def learned_from(windows: Windows, count: int) -> Iterator[str]:
    """The lines of what is planted for learning."""
    groups: dict[str, list[float]] = {"larger": [], "smaller": []}
    for number in range(count):
        part, _, scale = windows[number]
        dn = part[0].numpy()
        for box in synthetic_anomalies.put(dn, scale, THINGS, np.random.default_rng(number)):
            size = max(box.x_max - box.x_min, box.y_max - box.y_min)
            groups["larger" if size >= SMALL else "smaller"].append(contrast(dn, box))
    for group, found in groups.items():
        yield line("planted for learning", group, found)


def main() -> None:
    """Prints a line a group."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pictures", nargs="+", type=Path, metavar="SCENE")
    parser.add_argument("--scenes", nargs="+", required=True, help="that is learned from")
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 20), metavar=("FIRST", "COUNT"))
    parser.add_argument("--windows", type=int, default=500)
    given = parser.parse_args()
    first, count = given.seeds
    for picture in given.pictures:
        for found in sought(picture, range(first, first + count)):
            print(found, flush=True)
    sources = gather(given.scenes, polluted=False)
    for found in learned_from(Windows(sources, 0, turns=True), given.windows):
        print(found, flush=True)


if __name__ == "__main__":
    main()
