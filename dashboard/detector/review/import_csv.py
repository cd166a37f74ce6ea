"""Verdicts brought back from a table that was taken away."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.detector.errors import OptionError
from dashboard.detector.places.detections import Detection
from dashboard.detector.review.verdicts import Change, Place, Verdict

NEEDED = ("x", "y", "verdict")
NEAR = 2.0  # px: a table holds places with six digits


@dataclass(frozen=True)
class Returned:
    """What a table says of the places of a scan."""

    changes: list[tuple[Place, Change]]
    strangers: int  # rows with a verdict on a place that is not among the detections


def read_verdicts(content: bytes, detections: Sequence[Detection]) -> Returned:
    """The verdicts, names and notes in a `detections.csv`; rows that say nothing are left out.

    Raises:
        OptionError: it is no such table, or a row of it cannot be read.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise OptionError(
            f"this is no table in UTF-8; give a detections.csv of Needle's ({error})"
        ) from error
    missing = [name for name in NEEDED if not rows or name not in rows[0]]
    if missing:
        raise OptionError(
            f"the table lacks {', '.join(missing)}; give a detections.csv of Needle's"
        )
    changes, strangers = [], 0
    for line, row in enumerate(rows, start=2):
        change = _change(row, line)
        if change == Change(Verdict.UNREVIEWED, "", ""):
            continue
        place = _nearest(row, line, detections)
        if place is None:
            strangers += 1
        else:
            changes.append((place, change))
    return Returned(changes, strangers)


def _change(row: dict[str, str], line: int) -> Change:
    said = (row["verdict"] or "").strip().lower()
    if said not in set(Verdict):
        known = ", ".join(verdict for verdict in Verdict if verdict)
        raise OptionError(f"line {line}: the verdict is {said!r}; it must be one of {known}")
    return Change(Verdict(said), row.get("note") or "", row.get("name") or "")


def _nearest(row: dict[str, str], line: int, detections: Sequence[Detection]) -> Place | None:
    try:
        x, y = float(row["x"]), float(row["y"])
    except (TypeError, ValueError) as error:
        raise OptionError(f"line {line}: x and y must be numbers") from error
    near = [one for one in detections if abs(one.x - x) <= NEAR and abs(one.y - y) <= NEAR]
    best = min(near, key=lambda one: (one.x - x) ** 2 + (one.y - y) ** 2, default=None)
    return best.place if best else None
