"""Shapes that no planter draws, neither for training nor for evaluation: are they found?

    python -m tests.benchmarks.odd_shapes SCENE [SCENE ...] [--models guarded places] [--learn]

Lays thin cables, rings, and patches of changed texture at equal brightness on real ground, seen
through a point spread and with the ground's own noise, and counts which of them rank above so many
false places per 10 Mpx. Models are compared at equal false alarms, with `--learn` after they have
learned the scene too, shapes and all. One line of JSON each.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dashboard.detector import DEFAULT_RULE, RULES, Box, Scene, ingest
from training.evaluate.adapted import Adapted
from training.evaluate.cases import Case, Subject, case_of
from training.evaluate.contestants import Contestant, Network
from training.simulation import camera
from training.simulation.planting import write_planted
from training.simulation.site import Site
from training.truth import KnownObject, Truth, truth_of

SIDE = 96  # px of the sheet that a shape is drawn on
APART = 160  # px between the corners of two sheets, at least
CLEAR = 96  # px around real hardware
FINE = 3  # positions drawn for a pixel, each way
CONTRASTS = (3.0, 12.0)  # robust standard deviations of the ground under a sheet
ALARMS = (1, 10, 100)  # per 10 Mpx
GUARD = 128  # px along the border without shapes

Floats = NDArray[np.float32]
Rng = np.random.Generator


def axes() -> tuple[Floats, Floats]:
    """Positions of the fine sheet in px from its middle."""
    line = ((np.arange(SIDE * FINE) + 0.5) / FINE - SIDE / 2).astype(np.float32)
    x, y = np.meshgrid(line, line)
    return x, y


def coarse(fine: NDArray[np.bool_]) -> Floats:
    """The part of each pixel that is covered."""
    parts = fine.astype(np.float32).reshape(SIDE, FINE, SIDE, FINE)
    return np.asarray(parts.mean(axis=(1, 3)))


def cable(ground: Floats, rng: Rng) -> tuple[Floats, Floats]:
    """A thin, long, slack line: the ground with it, and what it covers."""
    x, y = axes()
    turn, bend = rng.uniform(0, math.pi), rng.uniform(-12, 12)
    u = x * math.cos(turn) + y * math.sin(turn)
    v = y * math.cos(turn) - x * math.sin(turn)
    length = rng.uniform(40, 80)
    slack = bend * np.cos(math.pi * u / length) + 3 * np.sin(9 * u / length)
    inside = (np.abs(u) < length / 2) & (np.abs(v - slack) < rng.uniform(0.4, 0.8))
    return laid(ground, coarse(inside), rng)


def ring(ground: Floats, rng: Rng) -> tuple[Floats, Floats]:
    """A hoop on the ground."""
    x, y = axes()
    radius, thick = rng.uniform(6, 20), rng.uniform(0.6, 1.4)
    return laid(ground, coarse(np.abs(np.hypot(x, y) - radius) < thick), rng)


def texture(ground: Floats, rng: Rng) -> tuple[Floats, Floats]:
    """A round patch with the ground's own brightnesses in another order: its mean stays."""
    x, y = axes()
    radius = rng.uniform(8, 24)
    covered = coarse(np.hypot(x, y) < radius)
    inside = covered > 0.5
    changed = ground.copy()
    changed[inside] = rng.permutation(ground[inside])
    return ground + covered * (changed - ground), covered


def laid(ground: Floats, covered: Floats, rng: Rng) -> tuple[Floats, Floats]:
    """Ground with something of one brightness on it."""
    level = float(np.median(ground))
    rough = 1.4826 * float(np.median(np.abs(ground - level)))
    sign = 1.0 if rng.random() < 0.7 else -1.0
    value = level + sign * rough * float(np.exp(rng.uniform(*np.log(CONTRASTS))))
    return ground + covered * (value - ground), covered


SHAPES: dict[str, Callable[[Floats, Rng], tuple[Floats, Floats]]] = {
    "cable": cable,
    "ring": ring,
    "texture": texture,
}


def places(site: Site, count: int, rng: Rng) -> list[tuple[int, int]]:
    """Corners `(x, y)` of sheets on free ground, apart from each other."""
    height, width = site.dn.shape
    taken: list[tuple[int, int]] = []
    for _ in range(200 * count):
        x = int(rng.integers(GUARD, width - GUARD - SIDE))
        y = int(rng.integers(GUARD, height - GUARD - SIDE))
        near = any(abs(x - other[0]) < APART and abs(y - other[1]) < APART for other in taken)
        if not near and site.free[y : y + SIDE, x : x + SIDE].all():
            taken.append((x, y))
        if len(taken) == count:
            break
    return taken


def strewn(picture: Path, each: int, seed: int, folder: Path) -> tuple[Path, Truth]:
    """The picture with shapes on it, and where they lie."""
    scene = ingest(picture)
    patch = scene.read(Box(0, 0, scene.width, scene.height))
    known = truth_of(picture, scene) or Truth(scene.name, ())
    ignore = (*(one.box.grow(CLEAR) for one in known.objects), *known.ignore)
    free = np.array(patch.valid)
    for box in ignore:
        free[max(0, box.y_min) : box.y_max, max(0, box.x_min) : box.x_max] = False
    site = Site.of(patch.dn, patch.valid).keeping(free)
    rng = np.random.default_rng(seed)
    dn, objects = np.array(patch.dn), []
    drawers = [name for name in SHAPES for _ in range(each)]
    for number, (x, y) in enumerate(places(site, len(drawers), rng)):
        name = drawers[number]
        under = dn[y : y + SIDE, x : x + SIDE]
        drawn, covered = SHAPES[name](under, rng)
        change = camera.blur(drawn - under)
        grain = rng.normal(0, site.noise, under.shape) * (covered > 0.5)
        under += (change + grain).astype(np.float32)
        rows, cols = np.nonzero(covered > 0.2)
        box = Box(x + cols.min(), y + rows.min(), x + cols.max() + 1, y + rows.max() + 1)
        objects.append(KnownObject(f"{name} {number}", name, Box(*map(int, box))))
    path = write_planted(scene, site, dn, folder / f"{picture.stem}-odd")
    return path, Truth(path.name, tuple(objects), ignore)


def recalls(case: Case) -> dict[str, dict[str, float]]:
    """By shape: the part found at so many false places per 10 Mpx, and how many there were."""
    area = case.subject.width * case.subject.height / 1e7
    found: dict[str, dict[str, float]] = {}
    for shape in SHAPES:
        costs = [one.cost for one in case.objects if one.kind == shape and one.sigma is not None]
        count = sum(one.kind == shape for one in case.objects)
        shares = {str(n): sum(cost <= n * area for cost in costs) / count for n in ALARMS}
        found[shape] = {"of": count} | {n: round(share, 3) for n, share in shares.items()}
    return found


def main() -> None:
    """Prints a line a scene and model."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scenes", nargs="+", type=Path)
    parser.add_argument("--models", nargs="+", default=["guarded", "places"])
    parser.add_argument("--rule", choices=RULES, default=DEFAULT_RULE)
    parser.add_argument("--each", type=int, default=24, help="of each shape on a scene")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--learn", action="store_true", help="learn each scene too")
    given = parser.parse_args()
    for picture in given.scenes:
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            path, truth = strewn(picture, given.each, given.seed, work)
            scene: Scene = ingest(path, home=work)
            subject = Subject(path.stem, picture.name, "", given.seed, scene.width, scene.height)
            for name in given.models:
                network = Network.load(name, rule=given.rule)
                learns = given.learn and network.model.judge is None
                tried: list[Contestant] = [network] + [Adapted(network)] * learns
                for contestant in tried:
                    case = case_of(subject, scene, truth, contestant, work)
                    line = {"scene": picture.name, "model": contestant.name} | recalls(case)
                    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
