"""Does learning from verdicts, or rejecting kinds, pay? Measured by simulated reviewers.

    python -m tests.benchmarks.verdicts --scenes PICTURE [PICTURE ...] [--planted 3]
        [--largest 1536] [--model exported/places.onnx] [--work FOLDER]

A reviewer goes down the list of a scan and says of each place what it is. After so many verdicts
the open places are ranked anew: not at all; by likeness (what is like natural places goes down,
what is like hardware goes up); by a logistic regression on descriptions, with the score as its
offset. The cost of an object is how many false places were seen before it. Then places are
grouped into kinds: how many of each are natural, and whether hardware in a kind is in its sample.
One line of JSON a scene for its kinds, then one a ground and way, then the part
of all objects in any place that stands below so many false places.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from dashboard.detector import ingest
from dashboard.detector.models.judge import Judge
from dashboard.detector.review.kinds import kinds
from dashboard.detector.review.stopping import LATER
from dashboard.detector.rules.places import Surprises
from dashboard.detector.rules.surprisal import Surprisal
from dashboard.detector.scanning.nearest import novelty, standardised
from dashboard.detector.scanning.peaks import FEWEST, PER_MPX
from tests.benchmarks.places import Doubles, Mask, found, mean_of, pictures
from training.evaluate.contestants import Network
from training.evaluate.measures import NEAR

AFTER = (10, 20, 50)  # verdicts, after which the rest is ranked anew
BANDWIDTHS = (0.5, 1.0)  # of the median distance to the tenth nearest place
DRAWN = (1.0, 10.0)  # how strongly the weights of a regression are drawn to 0
LISTED = 100  # of the strongest places, which are grouped into kinds
SAMPLE = 9  # places of a kind that are in sight at once


@dataclass(frozen=True)
class Listed:
    """The places of a scan, `[n]`, and which lie on which objects."""

    scores: Doubles
    described: Doubles  # [n, D], in standard deviations
    on: tuple[Mask, ...]  # of each object
    open: Mask  # what counts: not what is left out of account

    @property
    def hardware(self) -> Mask:
        return np.any(self.on, axis=0)


Ranking = Callable[[Listed, NDArray[np.intp]], Doubles]  # the scores after these were judged


def listed(picture: Path, judge: Judge, work: Path) -> Listed:
    """The places of a picture as the default ranks them."""
    scene = ingest(picture)
    area = scene.width * scene.height / 1e6
    finder = Network.load("guarded", device="cpu")
    seen = found(picture, finder, max(PER_MPX, FEWEST / area), work)
    said = judge.look(seen.dn)
    values = (seen.residual, said.logits, novelty(said.descriptions))
    surprises = Surprises(*(Surprisal.of(one)(one) for one in values))
    on = tuple(seen.inside([one.box.grow(NEAR)]) for one in seen.objects)
    counts = ~seen.inside(seen.ignore) | np.any(on, axis=0)
    described = standardised(said.descriptions).astype(np.float64)
    return Listed(surprises.total, described, on, counts)


def unchanged(scan: Listed, _: NDArray[np.intp]) -> Doubles:
    """The scores as they were."""
    return scan.scores


def by_likeness(scan: Listed, judged: NDArray[np.intp], bandwidth: float) -> Doubles:
    """Scores, less by likeness to what is natural, more by likeness to hardware, 2 at most."""
    squares = _squares(scan.described, scan.described)
    tenth = float(np.median(np.sqrt(np.sort(squares, axis=1)[:, min(10, len(squares) - 1)])))
    alike = np.exp(-squares[:, judged] / (2 * (bandwidth * tenth) ** 2))
    known, scores = scan.hardware[judged], scan.scores.copy()
    for which, sign in ((known, 2.0), (~known, -2.0)):
        if which.any():
            scores += sign * alike[:, which].max(axis=1)
    return scores


def by_regression(scan: Listed, judged: NDArray[np.intp], drawn: float) -> Doubles:
    """Scores and what a logistic regression adds to them, which begins with them alone."""
    features, known = scan.described[judged], scan.hardware[judged].astype(float)
    offset = scan.scores[judged] - np.sort(scan.scores)[-10]

    def loss(given: Doubles) -> tuple[float, Doubles]:
        logit = offset + features @ given[:-1] + given[-1]
        error = 1 / (1 + np.exp(-logit)) - known
        cost = (np.logaddexp(0, logit) - known * logit).sum() + drawn * (given[:-1] ** 2).sum()
        slope = np.append(features.T @ error + 2 * drawn * given[:-1], error.sum())
        return float(cost), slope

    fitted = minimize(loss, np.zeros(features.shape[1] + 1), jac=True, method="L-BFGS-B").x
    return np.asarray(scan.scores + scan.described @ fitted[:-1])


def _squares(these: Doubles, those: Doubles) -> Doubles:
    squares = (these**2).sum(1)[:, None] + (those**2).sum(1) - 2 * these @ those.T
    return np.asarray(np.maximum(squares, 0))


def costs(scan: Listed, ranking: Ranking, after: int) -> list[int]:
    """False places seen before each object, where the rest is ranked anew after some verdicts."""
    first = _down(scan.scores, scan.open)[:after]
    rest = scan.open.copy()
    rest[first] = False
    order = np.concatenate([first, _down(ranking(scan, first), rest)])
    false = np.cumsum(~scan.hardware[order])
    where = [np.flatnonzero(one[order]) for one in scan.on]
    return [int(false[one[0]]) if len(one) else int(false[-1]) for one in where]


def _down(scores: Doubles, which: Mask) -> NDArray[np.intp]:
    """Some of the places, strongest first."""
    order = np.argsort(-scores, kind="stable")
    return order[which[order]]


def of_kinds(scan: Listed) -> dict[str, Any]:
    """The kinds among the strongest places: how many they hold, and what of it is hardware."""
    strongest = _down(scan.scores, scan.open)[:LISTED]
    unit = scan.described[strongest]
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-9)
    groups = [np.array(one.members) for one in kinds(unit.astype(np.float32))]
    hardware = scan.hardware[strongest]
    hidden = [int(hardware[one[SAMPLE:]].sum()) for one in groups]
    return {
        "kinds": [len(one) for one in groups],
        "hardware": [int(hardware[one].sum()) for one in groups],
        "hardware_not_in_sample": hidden,
    }


def later(scans: Iterable[Listed]) -> dict[int, float]:
    """The part of the objects that lie in a place which stand below at least so many false ones."""
    found = np.array(
        [
            cost
            for scan in scans
            for cost, on in zip(costs(scan, unchanged, 1), scan.on, strict=True)
            if (on & scan.open).any()
        ]
    )
    return {number: round(float((found >= number).mean()), 2) for number, _ in LATER}


def ways() -> Iterator[tuple[str, Ranking]]:
    """Each way to rank anew, by name."""
    yield "unchanged", unchanged
    for bandwidth in BANDWIDTHS:
        yield f"likeness, {bandwidth:g}", partial(by_likeness, bandwidth=bandwidth)
    for drawn in DRAWN:
        yield f"regression, {drawn:g}", partial(by_regression, drawn=drawn)


def tried(scans: dict[str, list[Listed]]) -> Iterator[dict[str, Any]]:
    """The mean cost, and the largest, after so many verdicts: on each ground, by each way."""
    for ground, some in scans.items():
        for name, ranking in ways():
            by_verdicts = {
                after: [cost for scan in some for cost in costs(scan, ranking, after)]
                for after in AFTER
            }
            mean = {after: mean_of(found_at) for after, found_at in by_verdicts.items()}
            most = {after: max(found_at) for after, found_at in by_verdicts.items()}
            yield {"ground": ground, "way": name, "cost_after": mean, "most_after": most}


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints how costs change, then what kinds hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scenes", nargs="+", required=True, type=Path)
    parser.add_argument("--planted", type=int, default=0, metavar="SEEDS")
    parser.add_argument("--largest", type=int, help="px; of a larger picture the middle is taken")
    parser.add_argument("--model", type=Path, default=Path("exported/places.onnx"))
    parser.add_argument("--work", type=Path, default=Path("places-work"))
    given = parser.parse_args(arguments)
    given.work.mkdir(parents=True, exist_ok=True)
    judge = Judge.load(given.model, "cpu")
    scans: dict[str, list[Listed]] = defaultdict(list)
    for picture in pictures(given.scenes, given.planted, given.largest, given.work):
        scan = listed(picture, judge, given.work)
        scans[picture.stem.partition("-planted-")[0]].append(scan)
        print(json.dumps({"scene": picture.stem} | of_kinds(scan)), flush=True)
    for line in tried(scans):
        print(json.dumps(line), flush=True)
    print(json.dumps({"later": later(scan for some in scans.values() for scan in some)}))


if __name__ == "__main__":
    main()
