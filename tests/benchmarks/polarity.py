"""What darker pieces cost beside brighter ones, from the lines that `evaluate` wrote.

    python -m training evaluate MODEL --planted 20 --scenes SCENE [SCENE ...] --out planted.json
    python -m tests.benchmarks.polarity SCENE [SCENE ...] --costs planted.csv

A piece is darker where the median of the middle half of its box is below that of the 128 px around
it. The pieces are planted anew, each scene's as its seed has them. One line of JSON for each
contestant, kind and polarity: how many pieces, the geometric mean of the false places above one
plus 1, and their median.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dashboard.detector import Box, ingest
from tests.benchmarks.contrasts import around_of
from training.simulation import planting
from training.simulation.site import Site
from training.synthetic_anomalies.canvas import Floats

OVER = 10_000  # the cost of what is in no place at all


class Piece(NamedTuple):
    """One piece that was planted."""

    ground: str  # file name
    seed: int
    name: str


def darker(dn: Floats, box: Box) -> bool:
    """Whether what lies in a box on ground `[H, W]` is darker than what is around."""
    aside, down = (box.x_max - box.x_min) // 4, (box.y_max - box.y_min) // 4
    middle = dn[box.y_min + down : box.y_max - down, box.x_min + aside : box.x_max - aside]
    return bool(np.median(middle) < np.median(around_of(dn, box)))


def polarities(picture: Path, seeds: Sequence[int]) -> dict[Piece, bool]:
    """Of every piece planted on a picture by these seeds whether it is darker."""
    scene = ingest(picture)
    whole = scene.read(Box(0, 0, scene.width, scene.height))
    site = Site.of(whole.dn, whole.valid)
    found = {}
    for seed in seeds:
        planted, objects = planting.plant(site, seed, vary=True)
        for one in objects:
            found[Piece(picture.name, seed, one.name)] = darker(planted, one.box)
    return found


def lines(
    rows: Sequence[Mapping[str, str]], dark: Mapping[Piece, bool]
) -> list[dict[str, str | float]]:
    """What is printed, of the rows of `evaluate` whose pieces are known."""
    costs: dict[tuple[str, str, bool], list[float]] = defaultdict(list)
    for row in rows:
        piece = Piece(row["ground"], int(row["seed"] or -1), row["object"])
        if piece in dark:
            cost = OVER if row["false_above"] in ("", "over") else float(row["false_above"])
            costs[row["contestant"], row["kind"], dark[piece]].append(cost)
    return [
        {
            "contestant": contestant,
            "kind": kind,
            "polarity": "darker" if is_darker else "brighter",
            "pieces": len(found),
            "geometric_mean": round(float(np.exp(np.log1p(found).mean())), 1),
            "median": float(np.median(found)),
        }
        for (contestant, kind, is_darker), found in sorted(costs.items())
    ]


def main() -> None:
    """Prints a line for each contestant, kind and polarity."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pictures", nargs="+", type=Path, metavar="SCENE")
    parser.add_argument("--costs", required=True, type=Path, help="lines that `evaluate` wrote")
    given = parser.parse_args()
    with given.costs.open(newline="") as file:
        rows = list(csv.DictReader(file))
    dark: dict[Piece, bool] = {}
    for picture in given.pictures:
        seeds = {int(row["seed"]) for row in rows if row["ground"] == picture.name and row["seed"]}
        dark |= polarities(picture, sorted(seeds))
    for found in lines(rows, dark):
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
