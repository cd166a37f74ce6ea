"""The report a reviewer reads: one HTML file with tables, curves and pictures inside."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from itertools import pairwise

from training.evaluate import drawings
from training.evaluate.cases import Case, FalseAlarm
from training.evaluate.drawings import Axes, Line
from training.evaluate.measures import LARGER, NEAR, SIGMA, SPOTS, Outcome, geometric_mean
from training.evaluate.summary import WORDS, Row

SHOWN = 16  # pictures in a strip
MOST_COST = 1e5  # right end of the recall curves
STYLE = """
body { background: #161514; color: #d8d5d0; font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 1180px; padding: 0 1rem; }
h1, h2, h3 { font-weight: 600; color: #f0ede8; } h1 { font-size: 1.6rem; } h2 { margin-top: 3rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; } p, li { max-width: 46rem; } a { color: inherit; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #2c2a28; }
th { font-weight: 500; color: #a5a19b; vertical-align: bottom; } td b { color: #e07a4c; }
th:first-child, td:first-child, td.word, th.word { text-align: left; }
td { white-space: nowrap; } tr.first td { border-top: 1px solid #6f6c68; }
.wide { overflow-x: auto; } .row { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; } figure.chart { width: 580px; max-width: 100%; }
figcaption { font-size: 12px; color: #a5a19b; }
.strip { display: grid; grid-template-columns: repeat(auto-fill, 132px); gap: .6rem; }
.strip img { display: block; width: 128px; height: 128px; image-rendering: pixelated;
  border: 1px solid #2c2a28; } .strip .over img { border-color: #c8633a; }
svg { width: 100%; } svg text { fill: #a5a19b; font: 11px system-ui, sans-serif; }
svg .grid { stroke: #2c2a28; } code, pre { font-size: 12.5px; color: #b5b2ad; }
"""
NOTES = f"""
<p>An object is <i>found</i> by a place beyond mean + {SIGMA:g} standard deviations whose point lies
in its box grown by {NEAR} px; a place in no grown box and no box to ignore is <i>false</i>. The
<i>review cost</i> is how many false places rank above the weakest object: what must be looked at in
vain before everything is seen (0 is perfect; <i>over</i>: an object is in no place at all, however
weak). Of planted scenes medians are given, and in brackets
the 90th percentile. <i>Ground</i>: <i>in</i>, the model has learned from this ground; <i>out</i>,
it has not; <i>own</i>, it is fitted to each scene.</p>
"""


def page(title: str, facts: Sequence[str], rows: Sequence[Row], cases: Sequence[Case]) -> str:
    """The whole report; `facts` are lines on how it was made."""
    series = {row.scenes: [c for c in cases if _belongs(c, row.scenes)] for row in rows}
    listed = "".join(f"<li>{escape(fact)}</li>" for fact in facts)
    parts = [f"<h1>{escape(title)}</h1><ul>{listed}</ul>", NOTES, _real(cases), _table(rows)]
    for scenes, inner in series.items():
        own = [row for row in rows if row.scenes == scenes]
        parts += [f"<h2>{escape(scenes)}</h2>", _kinds(own), _charts(scenes, inner)]
    parts += [_gallery(name, cases) for name in _contestants(cases)]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style><body>{''.join(parts)}</body></html>\n"
    )


def _belongs(case: Case, scenes: str) -> bool:
    if not case.planted:
        return case.subject.scene == scenes
    words = WORDS[case.subject.contrast]
    return scenes in (f"planted on {case.subject.ground}{words}", f"planted, all grounds{words}")


def _contestants(cases: Sequence[Case]) -> list[str]:
    return list(dict.fromkeys(case.contestant for case in cases))


def _real(cases: Sequence[Case]) -> str:
    """The first table: false places above each real object, and their geometric mean."""
    real = [case for case in cases if not case.planted]
    names = _contestants(real)
    costs: dict[tuple[str, str], dict[str, int]] = {}
    for case in real:
        for outcome in case.objects:
            costs.setdefault((case.subject.scene, outcome.name), {})[case.contestant] = outcome.cost
    if not costs:
        return ""
    body, last = [], ""
    for (scene, name), own in costs.items():
        first, last = scene != last, scene
        cells = [escape(scene) if first else "", escape(name), *(_count(own.get(n)) for n in names)]
        body.append(_cells("td", cells, words=2, first=first))
    means = [geometric_mean(own[name] for own in costs.values() if name in own) for name in names]
    said = ["" if mean is None else f"{mean:.1f}" for mean in means]
    body.append(_cells("td", ["all", "geometric mean", *said], words=2, first=True))
    heads = _cells("th", ["scene", "false places above", *map(escape, names)], words=2)
    table = f'<div class="wide"><table>{heads}{"".join(body)}</table></div>'
    return f"<h2>Real hardware</h2>{table}<h2>All scenes</h2>"


def _table(rows: Sequence[Row]) -> str:
    heads = (
        "scenes|contestant|ground|number|found, larger|found, spots|flagged|false|review cost|"
        "cost, larger|cost, spots|average precision|precision at total recall|s/Gpx"
    ).split("|")
    body, last = [], ""
    for row in rows:
        first, last = row.scenes != last, row.scenes
        rivals = [rival for rival in rows if rival.scenes == row.scenes and not rival.unmet]
        best = row in rivals and row.cost == min(rival.cost or 0 for rival in rivals)
        cells = [
            escape(row.scenes) if first else "",
            escape(row.contestant),
            row.sample,
            str(row.count),
            _of(row.found_larger),
            _of(row.found_spots),
            _count(row.flagged),
            _count(row.false),
            f"<b>{_count(row.cost)}</b>" if best else _cost(row, row.cost),
            _cost(row, row.cost_larger, row.cost_larger_high),
            _cost(row, row.cost_spots, row.cost_spots_high),
            _part(row.average_precision),
            _part(row.precision_at_total_recall),
            _count(row.seconds_per_gpx),
        ]
        body.append(_cells("td", cells, words=3, first=first))
    return f'<div class="wide"><table>{_cells("th", heads, words=3)}{"".join(body)}</table></div>'


def _kinds(rows: Sequence[Row]) -> str:
    """Objects found beyond 3 sigma, and the median cost of an object, by kind."""
    kinds = list(dict.fromkeys(kind for row in rows for kind in row.found))
    body = []
    for row in rows:
        cells = [_of(row.found[kind]) if kind in row.found else "" for kind in kinds]
        costs = [_count(row.costs.get(kind)) for kind in kinds]
        both = [f"{cell}; {cost}" for cell, cost in zip(cells, costs, strict=True)]
        body.append(_cells("td", [escape(row.contestant), *both], words=1))
    first = f"found beyond {SIGMA:g} sigma; false places above one"
    heads = _cells("th", [first, *map(escape, kinds)], words=1)
    return f'<div class="wide"><table>{heads}{"".join(body)}</table></div>'


def _charts(scenes: str, cases: Sequence[Case]) -> str:
    """Recall curves; of one scene the distributions, of a series recall by size and contrast."""
    charts = []
    for group in (LARGER, SPOTS):
        lines = [Line(name, _recall(_objects(cases, name, group))) for name in _contestants(cases)]
        if any(line.points for line in lines):
            axes = Axes(
                "false places looked at, plus 1", "objects seen", (1, MOST_COST), (0, 1), log_x=True
            )
            charts.append(_figure(drawings.curves(axes, lines), f"Recall, {group}"))
    if cases and cases[0].planted:
        for what in ("size", "contrast"):
            charts += _series(cases, what)
    shown = [case for case in cases if case.subject == cases[0].subject]
    charts += [_scores(case) for case in shown if not scenes.startswith("planted, all")]
    return f'<div class="row">{"".join(charts)}</div>'


def _objects(cases: Sequence[Case], name: str, group: str) -> list[Outcome]:
    return [o for c in cases if c.contestant == name for o in c.objects if o.group == group]


def _recall(objects: Sequence[Outcome]) -> list[tuple[float, float]]:
    """The part of the objects that is seen after so many false places, as a stair."""
    points: list[tuple[float, float]] = [(1.0, 0.0)] if objects else []
    for seen, cost in enumerate(
        sorted(outcome.cost for outcome in objects if outcome.sigma is not None), 1
    ):
        points += [(cost + 1.0, points[-1][1]), (cost + 1.0, seen / len(objects))]
    return [*points, (MOST_COST, points[-1][1])] if points else []


def _series(cases: Sequence[Case], what: str, parts: int = 5) -> list[str]:
    """The part found beyond 3 sigma against how large, or how bright, the objects are."""
    value: Callable[[Outcome], float] = lambda outcome: getattr(outcome, what)  # noqa: E731
    every = sorted(value(outcome) for case in cases for outcome in case.objects)
    if not every or every[0] == every[-1]:
        return []
    edges = [every[round(n * (len(every) - 1) / parts)] for n in range(parts + 1)]
    charts = []
    for group in (LARGER, SPOTS):
        lines = []
        for name in _contestants(cases):
            objects = _objects(cases, name, group)
            points = []
            for low, high in pairwise(edges):
                inside = [o for o in objects if low <= value(o) <= high]
                if inside:
                    share = sum(outcome.found for outcome in inside) / len(inside)
                    points.append((math.sqrt(low * high), share))
            lines.append(Line(name, points))
        axes = Axes(f"{what}, 1 is the real thing", "found", (every[0], every[-1]), (0, 1))
        chart = drawings.curves(axes, lines, dots=True)
        charts.append(_figure(chart, f"Found beyond {SIGMA:g} sigma by {what}, {group}"))
    return charts


def _scores(case: Case) -> str:
    marks = {
        outcome.name: case.mean + outcome.sigma * case.std
        for outcome in case.objects
        if outcome.sigma is not None
    }
    lines = {"mean score": case.mean, f"mean + {SIGMA:g} sigma": case.threshold}
    chart = drawings.distribution(case.edges, case.counts, lines, marks)
    caption = f"{case.contestant}, {case.subject.scene}: {case.scored:,} scores, "
    return _figure(chart, f"{caption}{case.flagged:,} beyond the threshold")


def _gallery(name: str, cases: Sequence[Case]) -> str:
    """Strongest hits, dearest misses and worst false alarms of one contestant."""
    own = [case for case in cases if case.contestant == name]
    objects = [(case, outcome) for case in own for outcome in case.objects]
    hits = sorted((p for p in objects if p[1].found), key=lambda p: -(p[1].sigma or 0))
    misses = sorted((p for p in objects if not p[1].found), key=lambda p: -p[1].cost)
    alarms = sorted(
        ((case, alarm) for case in own for alarm in case.worst), key=lambda p: -p[1].sigma
    )
    strips = [
        f"<h3>Hits: {len(hits)}, the strongest first</h3>{_strip(hits)}",
        f"<h3>Misses: {len(misses)}, the dearest first</h3>{_strip(misses)}",
        f"<h3>Worst false alarms</h3>{_strip(alarms)}",
    ]
    return f"<h2>What {escape(name)} sees</h2>{''.join(strips)}"


def _strip(places: Sequence[tuple[Case, Outcome]] | Sequence[tuple[Case, FalseAlarm]]) -> str:
    figures = []
    for case, place in places[:SHOWN]:
        sigma = "never met" if place.sigma is None else f"{place.sigma:.2f} sigma"
        if isinstance(place, Outcome):
            text = f"{place.name}, {sigma}, {place.cost:,} false above"
            over = place.found
        else:
            text = f"rank {place.rank:,}, {sigma}, at {place.x:g}, {place.y:g}"
            over = place.sigma > SIGMA
        figures.append(
            f'<figure class="{"over" if over else ""}">'
            f'<img alt="" src="data:image/jpeg;base64,{case.picture(place)}">'
            f"<figcaption>{escape(text)}<br>{escape(case.subject.scene)}</figcaption></figure>"
        )
    return f'<div class="strip">{"".join(figures)}</div>'


def _figure(chart: str, caption: str) -> str:
    text = f"<figcaption>{escape(caption)}</figcaption>"
    return f'<figure class="chart">{chart}{text}</figure>'


def _cells(tag: str, cells: Sequence[str], words: int, first: bool = False) -> str:
    inner = "".join(
        f'<{tag} class="word">{cell}</{tag}>' if n < words else f"<{tag}>{cell}</{tag}>"
        for n, cell in enumerate(cells)
    )
    return f'<tr class="first">{inner}</tr>' if first else f"<tr>{inner}</tr>"


def _of(pair: tuple[int, int]) -> str:
    return f"{pair[0]} of {pair[1]}" if pair[1] else ""


def _count(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _part(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _cost(row: Row, middle: float | None, high: float | None = None) -> str:
    """A review cost, of a series with its 90th percentile."""
    if middle is None:
        return ""
    spread = f" ({_count(high)})" if row.count > 1 and high is not None else ""
    return f"{'over ' if row.unmet else ''}{_count(middle)}{spread}"
