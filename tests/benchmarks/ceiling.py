"""What better things to learn from could gain at most: a second look taught what it is judged by.

    python -m tests.benchmarks.ceiling RUN MODEL.onnx --scenes FOLDER [FOLDER ...] [--epochs 4]

Trains the shipped second look on as `train --preset second-look --start second-look` would, with
the hardware of `training/simulation/hardware.py` on the windows instead of things drawn at random,
as varied as a planted scene's; MODEL.onnx is then judged by `training evaluate`. **For measuring
alone**: a model for use must not know what it is judged by.
"""

from __future__ import annotations

import argparse
import functools
import math
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np

from training import windows as data
from training.networks import BLOCK
from training.onnx_files.export import export
from training.onnx_files.weights import start_of
from training.simulation import camera, planting
from training.simulation.hardware import ARTICLE, KINDS, Stamp
from training.simulation.site import Site
from training.simulation.terrain import Sun
from training.synthetic_anomalies import Planted, compose
from training.synthetic_anomalies.canvas import FINE, Floats, Mask, Rng, even_in_logarithm
from training.synthetic_anomalies.distractors import lookalike
from training.trainer.trainer import TrainSettings, train
from training.windows import gather

TURN, STAMPS = 15, 70  # degrees between the suns that pieces are drawn under; pieces of each
ELEVATION = 36.0  # degrees of the sun, as for things drawn at random
LARGEST = 236  # px: what does not fit in a window is drawn again
DEEP = 0.2  # of the ground's light, from which on a stain belongs to the object


@dataclass(frozen=True)
class Piece:
    """A stamp cut to whole blocks, and where of it the object lies, `[h, w]`."""

    stamp: Stamp
    inside: Mask


def piece(sun: Sun, rng: Rng) -> Piece:
    """One of the article's six pieces, as large as a planted scene has them."""
    while True:
        kind = ARTICLE[int(rng.integers(len(ARTICLE)))]
        size, _ = planting.varied(rng)
        drawn = KINDS[kind](rng, sun, size)
        some = (drawn.alpha > 0.01) | (drawn.shade > 0.01) | (np.abs(drawn.stain) > 0.01)
        rows, cols = (np.flatnonzero(some.any(axis=axis)) for axis in (1, 0))
        top, left = int(rows[0]), int(cols[0])
        tall, wide = int(rows[-1]) + 1 - top, int(cols[-1]) + 1 - left
        side = -(-(max(tall, wide) + 8) // BLOCK) * BLOCK
        if side <= LARGEST:
            break
    y, x = (side - tall) // 2, (side - wide) // 2

    def cut(layer: Floats) -> Floats:
        part = np.zeros((side, side), np.float32)
        part[y : y + tall, x : x + wide] = layer[top : top + tall, left : left + wide]
        return part

    x_min, y_min, x_max, y_max = drawn.box
    inside = np.zeros((side, side), bool)
    across = slice(max(0, x_min - left + x), x_max - left + x)
    inside[max(0, y_min - top + y) : y_max - top + y, across] = True
    layers = cut(drawn.stain), cut(drawn.shade), cut(drawn.value), cut(drawn.alpha)
    return Piece(Stamp(*layers, box=drawn.box), inside)


@functools.cache
def pieces(turn: int) -> list[Piece]:
    """Pieces under the sun of so many turns: drawing them takes longer than learning from them."""
    rng = np.random.default_rng((99, turn))
    return [piece(Sun(float(TURN * turn), ELEVATION), rng) for _ in range(STAMPS)]


def plant(dn: Floats, scale: float, rng: Rng) -> Planted:
    """As `imitations.plant`, with hardware for things."""
    dn = dn.astype(np.float32, copy=True)
    target = np.zeros([side // BLOCK for side in dn.shape], np.float32)
    weight, taken = np.ones_like(target), np.zeros(dn.shape, bool)
    noise, sun = camera.noise_of(dn), compose.sun_over(dn, rng)
    ends = float(dn.min()), float(dn.max())
    site = Site.of(dn.copy(), np.ones(dn.shape, bool), sun)
    for _ in range(int(rng.choice(len(compose.LOOKALIKES), p=compose.LOOKALIKES))):
        sheet = lookalike(even_in_logarithm(compose.SIZES, rng), sun, rng)
        at = compose.free(taken, len(sheet.x) // FINE, rng)
        if at is not None:
            compose.press(dn, sheet, at, (scale, noise), rng)
    for _ in range(int(rng.choice(len(compose.OBJECTS), p=compose.OBJECTS))):
        some = pieces(round(sun.azimuth / TURN) % (360 // TURN))
        one = some[int(rng.integers(len(some)))]
        contrast = math.exp(rng.uniform(*np.log(planting.CONTRASTS)))
        at = compose.free(taken, len(one.inside), rng)
        if at is not None:
            planting.press(dn, site, one.stamp, (at[1], at[0]), contrast, rng)
            deep = (np.abs(camera.blur(one.stamp.stain)) > DEEP).astype(np.float32)
            covered = np.maximum(camera.blur(one.stamp.alpha), deep) * one.inside
            compose.mark(target, weight, covered, deep, at)
    compose.spoil(dn, ends, noise, rng)
    return Planted(dn, target, weight)


def main() -> None:
    """Trains on hardware, and exports."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--scenes", nargs="+", required=True)
    parser.add_argument("--epochs", type=int, default=4)
    given = parser.parse_args()
    names = tuple(Path(one).name for one in given.scenes)
    start = "second-look"
    settings = TrainSettings(
        "second-look", given.epochs, names, polluted=False, seed=11, start=start
    )

    def sources() -> list[data.Source]:
        return gather(given.scenes, polluted=False)

    with mock.patch.object(data, "plant", plant):
        train(given.run, settings, sources, start_of(start, "second-look"))
    print(export(given.run, given.model))


if __name__ == "__main__":
    main()
