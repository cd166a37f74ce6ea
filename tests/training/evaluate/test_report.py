"""The report: what it draws and says of cases made by hand."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from dashboard.detector import Box
from training.evaluate import drawings
from training.evaluate.cases import Case, FalseAlarm, Subject
from training.evaluate.drawings import Axes, Line
from training.evaluate.measures import Outcome
from training.evaluate.report import page
from training.evaluate.summary import rows_of


def outcome(kind: str, cost: int, sigma: float | None = 4.0, size: float = 1.0) -> Outcome:
    return Outcome(kind, kind, Box(1, 2, 3, 4), size, 1.0, sigma, 1, cost)


CASE = Case(
    subject=Subject("a.png", "a.png", "scenes", None, 1000, 1000),
    contestant="one <b>",
    sample="out",
    device="CPU",
    seconds=2.0,
    scored=100,
    flagged=7,
    places=5,
    false=4,
    mean=1.0,
    std=0.5,
    threshold=2.5,
    edges=(0.0, 1.0, 2.0, 3.0),
    counts=(60, 39, 1),
    objects=(outcome("rover", 3), outcome("spot", 40, 1.0)),
    worst=(FalseAlarm(5.0, 6.0, 1, 9.0),),
    pictures=("cm92ZXI=", "c3BvdA==", "YWxhcm0="),
)


def planted(seed: int, *costs: int, **changes: object) -> Case:
    objects = tuple(
        outcome("rover", cost, 5.0 if cost < 50 else 1.0, size=0.6 + 0.1 * n)
        for n, cost in enumerate(costs)
    )
    subject = Subject(f"g-planted-{seed}", "g.png", "scenes", seed, 1000, 1000)
    pictures = ("cm92ZXI=",) * (len(costs) + 1)
    return replace(CASE, subject=subject, objects=objects, pictures=pictures, **changes)


def test_a_series_gives_the_median_and_the_90th_percentile_over_its_scenes() -> None:
    cases = [planted(seed, 0, cost) for seed, cost in enumerate((10, 20, 30, 40, 100))]
    (row,) = rows_of(cases)
    assert (row.scenes, row.count) == ("planted on g.png", 5)
    assert (row.cost_larger, row.cost_larger_high) == (30, pytest.approx(76))
    assert row.cost_spots is None
    assert row.found == {"rover": (9, 10)}
    assert row.costs == {"rover": 5}
    assert row.seconds_per_gpx == pytest.approx(2000)


def test_several_grounds_have_a_row_of_their_own_and_one_for_all() -> None:
    other = planted(0, 5)
    other = replace(other, subject=replace(other.subject, ground="h.png"), sample="in")
    rows = rows_of([planted(0, 1), other])
    assert [(row.scenes, row.sample) for row in rows] == [
        ("planted on g.png", "out"),
        ("planted on h.png", "in"),
        ("planted, all grounds", "mixed"),
    ]


def test_the_page_shows_hits_misses_and_alarms_and_escapes_names() -> None:
    cases = [
        CASE,
        replace(CASE, contestant="two", objects=(outcome("rover", 1), outcome("spot", 9))),
    ]
    text = page("Title", ["a fact"], rows_of(cases), cases)
    assert "one <b>" not in text
    assert "one &lt;b&gt;" in text
    hits, misses = text.index("Hits: 1"), text.index("Misses: 1")
    assert hits < text.index("base64,cm92ZXI=") < misses < text.index("base64,c3BvdA==")
    assert text.count("base64,YWxhcm0=") == 2
    assert "<b>9</b>" in text, "the smaller review cost stands out"
    assert "<b>40</b>" not in text


def test_found_by_size_is_drawn_for_planted_series_only() -> None:
    cases = [planted(seed, 0, 10, 60, 70, 80) for seed in range(3)]
    assert "by size, larger" in page("Title", [], rows_of(cases), cases)
    assert "by size" not in page("Title", [], rows_of([CASE]), [CASE])


def test_a_curve_passes_through_its_points() -> None:
    axes = Axes("x", "y", (1, 1000), (0, 1), log_x=True)
    drawn = drawings.curves(axes, [Line("a", [(1, 0), (1000, 1)])])
    points = re.search(r'points="([^"]+)"', drawn)
    assert points
    (x0, y0), (x1, y1) = (map(float, pair.split(",")) for pair in points[1].split())
    right, low = drawings.WIDTH - drawings.RIGHT, drawings.HEIGHT - drawings.BOTTOM
    assert (x0, y0, x1, y1) == (drawings.LEFT, low, right, drawings.TOP)
    middle = axes.place((10**1.5, 0.5))
    assert middle == (pytest.approx((x0 + x1) / 2), pytest.approx((y0 + y1) / 2))


def test_the_distribution_has_a_bar_for_each_filled_bin_and_a_mark_for_each_object() -> None:
    drawn = drawings.distribution((0, 1, 2, 3), (5, 0, 2), {"mean": 1.0}, {"rover": 2.5, "x": 0.5})
    assert drawn.count("<rect") == 2
    assert drawn.count("<path") == 2
    assert "rover 2.5" in drawn


def test_a_cost_without_every_object_is_a_lower_bound_and_never_the_best() -> None:
    blind = replace(
        CASE, contestant="blind", objects=(outcome("rover", 2), outcome("spot", 5, None))
    )
    cases = [CASE, blind]
    rows = rows_of(cases)
    assert [row.unmet for row in rows] == [0, 1]
    text = page("Title", [], rows, cases)
    assert "<b>40</b>" in text
    assert "over 5" in text


def test_real_hardware_comes_first_object_by_object() -> None:
    rival = replace(CASE, contestant="two", objects=(outcome("rover", 0), outcome("spot", 7, 1.0)))
    cases = [planted(0, 3), CASE, rival]
    text = page("title", [], rows_of(cases), cases)
    table = text[text.index("Real hardware") : text.index("All scenes")]
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", table)
    assert cells[:8] == ["a.png", "rover", "3", "0", "", "spot", "40", "7"]
    assert cells[8:] == ["all", "geometric mean", "11.8", "1.8"]
    assert text.index("Real hardware") < text.index("planted on g.png")
    assert "Real hardware" not in page("title", [], rows_of(cases[:1]), cases[:1])


def test_what_is_planted_at_the_real_contrast_is_a_series_of_its_own() -> None:
    cases = [
        replace(one, subject=replace(one.subject, contrast=contrast))
        for contrast, one in (("real", planted(0, 3)), ("hard", planted(0, 90)))
    ]
    real, hard = rows_of(cases)
    assert (real.scenes, real.cost_larger) == ("planted on g.png, at the real contrast", 3)
    assert (hard.scenes, hard.cost_larger) == ("planted on g.png, hard", 90)
