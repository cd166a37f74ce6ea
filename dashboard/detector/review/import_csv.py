"""Verdicts brought back from a table that was taken away, as any spreadsheet may have saved it."""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from dashboard.detector.errors import OptionError
from dashboard.detector.places.detections import Detection
from dashboard.detector.review.decisions import Change, Decision, Place, Verdict

PLACED = ("x", "y")
SAID = ("verdict", "name", "note")  # one of them at least
ALSO = {"x, px": "x", "y, px": "y"}  # as the table of the Results page heads them
DELIMITERS = ",;\t|"
NEAR = 2.0  # px: a table holds places with six digits
QUOTED = 60  # letters of what is wrong that a message repeats
WIDE = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
FORMULA = re.compile(r"'*[=+\-@\t\r]")  # what a spreadsheet would work out, or what guards it
GROUPED = re.compile(r"\d{1,3}(\.\d{3})+|\d{1,3}(,\d{3})+")
THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")

Row = dict[str, str]


@dataclass(frozen=True)
class ReturnedTable:
    """The changes that a table brings to the places of a scan."""

    changes: list[tuple[Place, Change]]
    strangers: int  # rows with a verdict on a place that is not among the detections

    def new_to(self, known: Mapping[Place, Decision]) -> list[tuple[Place, Change]]:
        """The changes that are not decided already, so that who files a table signs only those."""
        changes = []
        for place, change in self.changes:
            now = known.get(place, Decision(place))
            changes.append((place, change.without(now.note, now.name, now.verdict)))
        return [(place, change) for place, change in changes if change != Change()]


def read_verdicts(content: bytes, detections: Sequence[Detection]) -> ReturnedTable:
    """The verdicts, names and notes in a `detections.csv`; rows that say nothing are left out.

    What the table has no column for, and what a row has no cell for, stays as it is.

    Raises:
        OptionError: it is no such table, or a row of it cannot be read.
    """
    whole = _text(content)
    text, delimiter = _split_delimiter(whole)
    before = whole.count("\n") - text.count("\n")
    changes, strangers = [], 0
    for number, row in _rows(text, delimiter):
        line = before + number
        change = _change(row, line)
        if change is None:
            continue
        place = _nearest(row, line, delimiter, detections)
        if place is None:
            strangers += 1
        else:
            changes.append((place, change))
    return ReturnedTable(changes, strangers)


def harmless(text: str) -> str:
    """The text so that no spreadsheet takes it for a formula; `as_it_was` undoes it."""
    return f"'{text}" if FORMULA.match(text) else text


def as_it_was(text: str) -> str:
    """A text that `harmless` gave, as it was."""
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text


def _text(content: bytes) -> str:
    """The table's text, whatever the spreadsheet's encoding."""
    encodings = [name for mark, name in WIDE if content.startswith(mark)] or ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\n" not in text:
            text = text.replace("\r", "\n")  # as old spreadsheets of the Macintosh end lines
        return text.replace("\0", "")
    raise OptionError("this is no table of text; give a detections.csv of Needle's")


def _split_delimiter(text: str) -> tuple[str, str]:
    """The table without the line that names its delimiter, and the delimiter."""
    text = text.lstrip("\r\n")
    named = re.match(r'"?sep=(.)"?\r?\n', text, re.IGNORECASE)
    if named:
        return text[named.end() :], named[1]
    head = _first_line(text)
    known = {*PLACED, *SAID}
    return text, max(
        DELIMITERS, key=lambda delimiter: len(known.intersection(_heads(head, delimiter)))
    )


def _first_line(text: str) -> str:
    return re.split(r"[\r\n]", text, maxsplit=1)[0]


def _heads(line: str, delimiter: str) -> list[str]:
    """The names of columns in a table's first line, in small letters; none where it is no line."""
    try:
        names = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:  # the line is longer than a cell may be
        return []
    plain = [name.strip().strip('"').strip().lower() for name in names]
    return [ALSO.get(name, name) for name in plain]


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, Row]]:
    """The lines' numbers, and the cells there are by the names of their columns.

    Raises:
        OptionError: it is no table, or a column that is needed is not there.
    """
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        first = next(lines, [])
        heads = _heads(_first_line(text), delimiter) if first else []
        missing = [name for name in PLACED if name not in heads]
        if not set(SAID).intersection(heads):
            missing.append("verdict")
        if missing:
            raise OptionError(
                f"the table lacks {', '.join(missing)}; give a detections.csv of Needle's"
            )
        for cells in lines:
            row = dict(zip(heads, cells, strict=False))
            if any(cell.strip() for cell in cells):
                yield lines.line_num, row
    except csv.Error as error:
        raise OptionError(
            f"line {lines.line_num} is no line of a table ({error}); give a detections.csv of "
            "Needle's"
        ) from error


def _change(row: Row, line: int) -> Change | None:
    """The change that a row brings; None where it brings none."""
    said = row.get("verdict", "").strip().lower()
    if said not in set(Verdict):
        known = ", ".join(verdict for verdict in Verdict if verdict)
        wrong = said[:QUOTED]
        raise OptionError(f"line {line}: the verdict is {wrong!r}; it must be one of {known}")
    note, name = (as_it_was(row[key]) if key in row else None for key in ("note", "name"))
    if not (said or note or name):
        return None
    return Change(Verdict(said) if said else None, note, name)


def _nearest(row: Row, line: int, delimiter: str, detections: Sequence[Detection]) -> Place | None:
    """The place that a row means, by the first reading of its numbers that means any."""
    try:
        readings = [_numbers(row[key], delimiter) for key in PLACED]
    except (KeyError, ValueError) as error:
        raise OptionError(f"line {line}: x and y must be numbers") from error
    for x, y in product(*readings):
        near = [
            detection
            for detection in detections
            if abs(detection.x - x) <= NEAR and abs(detection.y - y) <= NEAR
        ]
        if near:
            return min(
                near, key=lambda detection: math.hypot(detection.x - x, detection.y - y)
            ).place
    return None


def _numbers(text: str, delimiter: str) -> list[float]:
    """The numbers that a cell may mean: two where its mark may also part thousands."""
    plain = re.sub(r"[\s'’]|^=\"|\"$", "", text)
    found = [_number(plain, delimiter)]
    if GROUPED.fullmatch(plain):
        found.append(float(re.sub("[.,]", "", plain)))
    return found


def _number(plain: str, delimiter: str) -> float:
    """A number, with a decimal comma where that cannot part columns or thousands."""
    if "," in plain and "." in plain:
        last = max(",.", key=plain.rindex)
        plain = plain.replace("," if last == "." else ".", "")
    elif delimiter == "," and THOUSANDS.fullmatch(plain):
        plain = plain.replace(",", "")
    return float(plain.replace(",", "."))
