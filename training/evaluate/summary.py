"""Cases put together: a row for each contestant and scene, or for each series of planted ones."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training.evaluate.cases import Case
from training.evaluate.measures import (
    LARGER,
    SPOTS,
    Outcome,
    average_precision,
    costs_of,
    found_of,
    precision_at_total_recall,
    review_cost,
    unmet,
)

WORDS = {"real": ", at the real contrast", "hard": ", hard", "": ""}  # by contrast
HIGH = 90  # percentile of the review cost that a series shows beside its median


@dataclass(frozen=True)
class Row:
    """How one contestant did on one scene, or the median over a series of planted scenes."""

    contestant: str
    scenes: str
    count: int  # scenes
    sample: str  # "in", "out", "own", or "mixed"
    found: dict[str, tuple[int, int]]  # (found, of how many) by kind
    costs: dict[str, float]  # median of the false places above an object, by kind
    unmet: int  # objects that no place meets, so that the costs are only lower bounds
    flagged: float
    false: float
    cost: float | None  # review cost of all objects
    cost_larger: float | None
    cost_larger_high: float | None  # 90th percentile over the scenes
    cost_spots: float | None
    cost_spots_high: float | None
    average_precision: float | None
    precision_at_total_recall: float | None
    seconds_per_gpx: float

    @property
    def found_larger(self) -> tuple[int, int]:
        return self._sum(spots=False)

    @property
    def found_spots(self) -> tuple[int, int]:
        return self._sum(spots=True)

    def _sum(self, spots: bool) -> tuple[int, int]:
        chosen = [pair for kind, pair in self.found.items() if ("spot" in kind.lower()) is spots]
        return sum(hits for hits, _ in chosen), sum(count for _, count in chosen)


def rows_of(cases: Sequence[Case]) -> list[Row]:
    """A row for each scene with truth, for each ground planted in, and for all planted scenes.

    What is planted at the real contrast and what is hard are series apart.
    """
    series: dict[str, list[Case]] = {}
    for case in cases:
        series.setdefault(_series(case), []).append(case)
    for contrast, words in WORDS.items():
        planted = [c for c in cases if c.planted and c.subject.contrast == contrast]
        if len({case.subject.ground for case in planted}) > 1:
            series[f"planted, all grounds{words}"] = planted
    return [
        _row(name, scenes, [case for case in inner if case.contestant == name])
        for scenes, inner in series.items()
        for name in dict.fromkeys(case.contestant for case in inner)
    ]


def _series(case: Case) -> str:
    if not case.planted:
        return case.subject.scene
    return f"planted on {case.subject.ground}{WORDS[case.subject.contrast]}"


def _row(contestant: str, scenes: str, cases: Sequence[Case]) -> Row:
    samples = {case.sample for case in cases}
    larger = [review_cost(case.objects, LARGER) for case in cases]
    spots = [review_cost(case.objects, SPOTS) for case in cases]
    return Row(
        contestant=contestant,
        scenes=scenes,
        count=len(cases),
        sample=samples.pop() if len(samples) == 1 else "mixed",
        found=found_of(outcome for case in cases for outcome in case.objects),
        costs=costs_of(outcome for case in cases for outcome in case.objects),
        unmet=unmet(outcome for case in cases for outcome in case.objects),
        flagged=float(np.median([case.flagged for case in cases])),
        false=float(np.median([case.false for case in cases])),
        cost=_percentile([review_cost(case.objects) for case in cases]),
        cost_larger=_percentile(larger),
        cost_larger_high=_percentile(larger, HIGH),
        cost_spots=_percentile(spots),
        cost_spots_high=_percentile(spots, HIGH),
        average_precision=_mean(average_precision, cases),
        precision_at_total_recall=_mean(precision_at_total_recall, cases),
        seconds_per_gpx=float(np.median([case.seconds_per_gpx for case in cases])),
    )


def _percentile(values: Iterable[int | None], percent: float = 50) -> float | None:
    given = [value for value in values if value is not None]
    return float(np.percentile(given, percent)) if given else None


def _mean(
    measure: Callable[[Sequence[Outcome]], float | None], cases: Sequence[Case]
) -> float | None:
    given = [value for case in cases if (value := measure(case.objects)) is not None]
    return float(np.mean(given)) if given else None


def record_of(row: Row) -> dict[str, Any]:
    """A row for JSON."""
    found = {kind: {"found": hits, "of": count} for kind, (hits, count) in row.found.items()}
    return asdict(row) | {"found": found}


def case_record(case: Case) -> dict[str, Any]:
    """A case for the report's JSON: without its pictures, with its measures."""
    record = asdict(case)
    del record["pictures"]
    return record | {
        "found": {kind: list(pair) for kind, pair in found_of(case.objects).items()},
        "unmet": unmet(case.objects),
        "review_cost": review_cost(case.objects),
        "review_cost_larger": review_cost(case.objects, LARGER),
        "review_cost_spots": review_cost(case.objects, SPOTS),
        "average_precision": average_precision(case.objects),
        "precision_at_total_recall": precision_at_total_recall(case.objects),
        "seconds_per_gpx": case.seconds_per_gpx,
    }


def cases_csv(cases: Iterable[Case]) -> str:
    """A line an object: what each contestant made of it."""
    memory = io.StringIO()
    writer = csv.writer(memory, lineterminator="\n")
    writer.writerow(
        "contestant,sample,scene,ground,seed,object,kind,size,contrast,sigma,found,rank,"
        "false_above,scene_flagged,scene_false,scene_review_cost,seconds_per_gpx".split(",")
    )
    for case in cases:
        about = case.subject
        for outcome in case.objects:
            writer.writerow(
                [
                    case.contestant,
                    case.sample,
                    about.scene,
                    about.ground,
                    "" if about.seed is None else about.seed,
                    outcome.name,
                    outcome.kind,
                    f"{outcome.size:.4g}",
                    f"{outcome.contrast:.4g}",
                    "" if outcome.sigma is None else f"{outcome.sigma:.4f}",
                    int(outcome.found),
                    "" if outcome.rank is None else outcome.rank,
                    outcome.cost,
                    case.flagged,
                    case.false,
                    review_cost(case.objects),
                    f"{case.seconds_per_gpx:.1f}",
                ]
            )
    return memory.getvalue()
