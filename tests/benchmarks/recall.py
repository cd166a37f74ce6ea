"""The part of planted objects found by one threshold for all scenes, at so few false alarms.

    python -m tests.benchmarks.recall REPORT.json [--alarms 1] [--least 5]

REPORT.json is what `python -m training evaluate ... --planted N` wrote. For each contestant the
lowest sigma is taken beyond which there are at most so many false places per 10 Mpx of all planted
scenes together; one line of JSON says which part of the objects of `--least` px and more lies
beyond it, all of them and kind by kind.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

AREA = 10e6  # px that alarms are counted in
POSITION = 4 * 4  # px that a position stands for

Case = Mapping[str, Any]  # one scene as a contestant sees it


def threshold(cases: Sequence[Case], alarms: float) -> float:
    """The sigma beyond which there are at most so many false places per 10 Mpx.

    Raises:
        ValueError: the report names too few of a scene's false places to tell.
    """
    allowed = int(alarms * sum(case["scored"] for case in cases) * POSITION / AREA)
    worst = [[place["sigma"] for place in case["worst"]] for case in cases]
    strongest = sorted((sigma for one in worst for sigma in one), reverse=True)
    if allowed >= len(strongest):
        raise ValueError(f"the report names {len(strongest)} false places; {allowed + 1} needed")
    least = float(strongest[allowed])
    if any(one and min(one) > least for one in worst):
        raise ValueError("a scene has more false places beyond that than its report names")
    return least


def large(case: Case, least: float) -> Iterable[Mapping[str, Any]]:
    """The objects of a scene that are so many px long."""
    for one in case["objects"]:
        x_min, y_min, x_max, y_max = one["box"]
        if max(x_max - x_min, y_max - y_min) >= least:
            yield one


def line(contestant: str, cases: Sequence[Case], alarms: float, least: float) -> str:
    """What one contestant finds, as JSON."""
    beyond = threshold(cases, alarms)
    found = defaultdict[str, list[bool]](list)
    for case in cases:
        for one in large(case, least):
            seen = one["sigma"] is not None and one["sigma"] > beyond
            for group in ("all", one["kind"]):
                found[group].append(seen)
    parts = {group: [round(sum(one) / len(one), 3), len(one)] for group, one in found.items()}
    return json.dumps({"contestant": contestant, "sigma": round(beyond, 3), "found": parts})


def main() -> None:
    """Prints the lines of a report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("report", type=Path)
    parser.add_argument("--alarms", type=float, default=1.0, help="false places per 10 Mpx")
    parser.add_argument("--least", type=float, default=5.0, help="px, an object's longer side")
    given = parser.parse_args()
    planted = defaultdict[str, list[Case]](list)
    for case in json.loads(given.report.read_text("utf-8"))["cases"]:
        if case["subject"]["seed"] is not None:
            planted[case["contestant"]].append(case)
    for contestant, cases in planted.items():
        try:
            print(line(contestant, cases, given.alarms, given.least))
        except ValueError as fault:
            sys.exit(f"{contestant}: {fault}")


if __name__ == "__main__":
    main()
