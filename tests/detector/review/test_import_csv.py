"""Verdicts come back from a table as any spreadsheet saves it; what it lacks stays as it is."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace

import pytest

from dashboard.detector import (
    Change,
    Decision,
    Detection,
    Finished,
    OptionError,
    Subject,
    Verdict,
    Verdicts,
    harmless,
    read_verdicts,
)
from dashboard.detector.review.import_csv import as_it_was
from dashboard.detector.tiling import Box
from tests.detector.products import test_finished
from tests.detector.products.test_products import judged, made

finished = test_finished.finished
Make = Callable[..., Finished]

ROWS = [
    {"rank": "1", "sigma": "8.3", "x": "404.5", "y": "308", "verdict": "hardware"}
    | {"name": "lander", "note": "bright, with shadow"},
    {"rank": "2", "sigma": "4.3", "x": "1616", "y": "340", "verdict": "natural"}
    | {"name": "", "note": "Ümläut"},
]
COLUMNS = list(ROWS[0])
FILED = [
    ((404.5, 308.0), Change(Verdict.HARDWARE, "bright, with shadow", "lander")),
    ((1616.0, 340.0), Change(Verdict.NATURAL, "Ümläut", "")),
]


def found(*places: tuple[float, float]) -> list[Detection]:
    return [Detection(1, 5.0, 1.0, x, y, Box(0, 0, 9, 9), 0, 0, 1) for x, y in places]


PLACES = found((404.5, 308), (1616, 340))


def table(
    sep: str = ",", end: str = "\r\n", columns: list[str] = COLUMNS, point: str = ".", **how: int
) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=sep, lineterminator=end, **how)  # type: ignore[arg-type]
    writer.writerow(columns)
    for row in ROWS:
        cells = {key: row[key].replace(".", point) for key in ("x", "y", "sigma")}
        writer.writerow([(row | cells)[name] for name in columns])
    return text.getvalue()


SAVED = {
    "as it went": table().encode(),
    "a byte order mark": table().encode("utf-8-sig"),
    "semicolons": table(";").encode("utf-8-sig"),
    "semicolons and decimal commas": table(";", point=",").encode("utf-8-sig"),
    "tabs and decimal commas": table("\t", point=",").encode(),
    "bars": table("|").encode(),
    "Unicode text": table("\t").encode("utf-16"),
    "big-endian Unicode text": b"\xfe\xff" + table("\t").encode("utf-16-be"),
    "cp1252": table().encode("cp1252"),
    "cp1252 with semicolons": table(";", point=",").encode("cp1252"),
    "returns alone": table(end="\r").encode(),
    "newlines alone": table(end="\n").encode(),
    "a line that names the delimiter": ("sep=;\r\n" + table(";")).encode(),
    "that line in quotes": ('"sep=\t"\r\n' + table("\t")).encode(),
    "capitals": table().replace(",".join(COLUMNS), ",".join(COLUMNS).upper()).encode(),
    "spaces in the header": table().replace(",x,", ", x ,").encode(),
    "another order": table(columns=COLUMNS[::-1]).encode(),
    "quotes everywhere": table(quoting=csv.QUOTE_ALL).encode(),
    "thousands": table().replace(",1616,", ',"1,616",').encode(),
    "thousands and decimal comma": table(";").replace("1616", "1.616,0").encode(),
    "thousands with dots": table(";", point=",").replace("1616", "1.616").encode(),
    "thousands with commas and tabs": table("\t").replace("1616", "1,616").encode(),
    "numbers as text": table(";", point=",").replace("1616", '"=""1616"""').encode(),
    "capital verdicts": table().replace("hardware", " Hardware ").encode(),
    "empty lines": ("\r\n" + table() + ",,,,,,\r\n\r\n").encode(),
    "the page's own heads": table().replace(",x,y,", ',"x, px","y, px",').encode(),
    "a short last row": (table() + "3,4.1\r\n").encode(),
}


@pytest.mark.parametrize("how", SAVED)
def test_a_table_is_read_however_it_was_saved(how: str) -> None:
    returned = read_verdicts(SAVED[how], PLACES)
    assert returned.changes == FILED
    assert returned.strangers == 0


@pytest.mark.parametrize(
    ("columns", "change"),
    [
        (["x", "y", "verdict"], Change(Verdict.HARDWARE)),
        (["verdict", "note", "y", "x"], Change(Verdict.HARDWARE, note="bright, with shadow")),
        (["x", "y", "name"], Change(name="lander")),
    ],
)
def test_what_a_table_lacks_stays_as_it_is(columns: list[str], change: Change) -> None:
    assert read_verdicts(table(columns=columns).encode(), PLACES).changes[0][1] == change


def test_a_cell_that_is_not_there_stays_as_it_is() -> None:
    text = b"x,y,verdict,name,note\n404.5,308,natural\n1616,340,,,seen before\n"
    returned = read_verdicts(text, PLACES)
    assert [change for _, change in returned.changes] == [
        Change(Verdict.NATURAL),
        Change(None, "seen before", ""),
    ]


def test_a_table_without_notes_signs_nothing_anew() -> None:
    subject, filed = Subject("scene", "model"), Verdicts()
    place = PLACES[0].place
    filed.decide(subject, [(place, Change(Verdict.HARDWARE, "a note", "a name"))], "ann")
    text = b"x;y;verdict\n404,5;308;hardware\n"
    assert read_verdicts(text, PLACES).new_to(filed.current(subject)) == []
    other = read_verdicts(text.replace(b"hardware", b"natural"), PLACES)
    assert other.new_to(filed.current(subject)) == [(place, Change(Verdict.NATURAL))]


@pytest.mark.parametrize(
    "text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "'=1", "''-", "'", "it's", ""]
)
def test_no_name_or_note_is_a_formula_and_all_come_back(finished: Make, text: str) -> None:
    done = finished(sigma=1.0)
    best = done.detections[0]
    said = Decision(best.place, Verdict.HARDWARE, text, text, text)
    done = replace(done, decisions={best.place: said})
    content = made(done, "detections.csv")
    row = next(csv.DictReader(io.StringIO(content.decode(), newline="")))
    for key in ("name", "note", "reviewer"):
        assert not row[key].startswith(("=", "+", "-", "@", "\t", "\r"))
    (change,) = (change for _, change in read_verdicts(content, done.detections).changes)
    assert (change.note, change.name) == (text, text)
    assert as_it_was(harmless(text)) == text


def test_verdicts_come_back_as_they_went(finished: Make) -> None:
    done = judged(finished(sigma=1.0))
    returned = read_verdicts(made(done, "detections.csv"), done.detections)
    decision = done.decision(done.detections[0])
    assert returned.strangers == 0
    assert returned.changes == [
        (decision.place, Change(decision.verdict, decision.note, decision.name))
    ]


def test_a_number_is_read_as_it_stands_where_a_place_lies_there() -> None:
    both = found((1.616, 340), (1616, 340))
    returned = read_verdicts(b"x;y;verdict\n1.616;340;natural\n", both)
    assert returned.changes == [((1.616, 340), Change(Verdict.NATURAL))]


def test_a_verdict_on_an_unknown_place_is_counted_not_filed() -> None:
    returned = read_verdicts(b"x,y,verdict\n1,1,natural\n5,5,\n", PLACES)
    assert (returned.changes, returned.strangers) == ([], 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "lacks x, y, verdict"),
        (b"x,y\n1,2\n", "lacks verdict"),
        (b"x;y;verdikt\n1;2;natural\n", "lacks verdict"),
        (b"x,y,verdict\n1,2,martian\n", "line 2: the verdict is 'martian'"),
        (b"sep=,\nx,y,verdict\none,2,natural\n", "line 3: x and y"),
        (b"x,y,verdict\n,2,natural\n", "line 2: x and y"),
        (b"\xff\xfe\x00", "no table of text"),
        (b"x\ry,verdict\n1,2\n", "lacks y, verdict"),
        (b"x," + b"y" * 140_000 + b"\n", "line 1 is no line"),
    ],
)
def test_a_table_that_is_none_is_said(text: bytes, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        read_verdicts(text, PLACES)
