"""Small drawings for the report, as SVG: curves and the distribution of scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

WIDTH, HEIGHT = 580, 260  # px
LEFT, RIGHT, TOP, BOTTOM = 52, 190, 12, 40  # px around the plot; names stand at the right
ACCENT = "#c8633a"  # what the report is about; everything else is grey
GREYS = ("#e4e2de", "#b5b2ad", "#8f8c87", "#6f6c68")
DASHES = ("", "6 3", "2 3", "9 3 2 3")

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """One named curve; the first of a drawing is drawn in the accent."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Axes:
    """The axes of a drawing."""

    x: str
    y: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    log_x: bool = False
    log_y: bool = False

    def place(self, point: Point) -> Point:
        """A point in px of the drawing."""
        x = _share(point[0], self.x_range, self.log_x)
        y = _share(point[1], self.y_range, self.log_y)
        return LEFT + x * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM)


def curves(axes: Axes, lines: Sequence[Line], dots: bool = False) -> str:
    """The curves with their names at the right, in the order of where they end."""
    parts = _frame(axes)
    labels = []
    for number, line in enumerate(lines):
        if not line.points:
            continue
        colour, dash = _style(number)
        placed = [axes.place(point) for point in line.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6" '
            f'stroke-dasharray="{dash}"/>'
        )
        if dots:
            parts += [
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.4" fill="{colour}"/>' for x, y in placed
            ]
        labels.append((placed[-1][1], line.name, colour, dash))
    return _svg([*parts, *_names(labels)], f"{axes.y} against {axes.x}")


def distribution(
    edges: Sequence[float], counts: Sequence[int], lines: dict[str, float], marks: dict[str, float]
) -> str:
    """The scores as the article draws them: counts (logarithmic), mean, threshold, objects.

    Args:
        lines: named scores, drawn as dashed lines: mean and threshold.
        marks: the scores of the objects by name.
    """
    most = max([*counts, 10])
    axes = Axes("score", "positions", (edges[0], edges[-1]), (0.8, most * 1.5), log_y=True)
    parts = _frame(axes)
    for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
        if count:
            (x0, y0), (x1, y1) = axes.place((low, count)), axes.place((high, 0.8))
            parts.append(
                f'<rect x="{x0:.1f}" y="{y0:.1f}" width="{max(x1 - x0 - 0.4, 0.4):.1f}" '
                f'height="{y1 - y0:.1f}" fill="{GREYS[2]}"/>'
            )
    for name, score in lines.items():
        (x, top), (_, foot) = axes.place((score, most * 1.5)), axes.place((score, 0.8))
        late = x > WIDTH - RIGHT - 90  # its name would run into those at the right
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{foot:.1f}" stroke="{GREYS[0]}" '
            f'stroke-dasharray="4 3"><title>{escape(name)}: {score:.4g}</title></line>'
            f'<text x="{x - 4 if late else x + 4:.1f}" y="{top + 10:.1f}" '
            f'text-anchor="{"end" if late else "start"}">{escape(name)}</text>'
        )
    labels = []
    for name, score in marks.items():
        x, foot = axes.place((score, 0.8))
        parts.append(f'<path d="M{x:.1f} {foot:.1f} l-5 -12 h10 z" fill="{ACCENT}"/>')
        labels.append((-score, f"{name} {score:.3g}", ACCENT, ""))
    return _svg([*parts, *_names(labels, strokes=False)], "distribution of the scores")


def _style(number: int) -> tuple[str, str]:
    if number == 0:
        return ACCENT, ""
    return GREYS[(number - 1) % len(GREYS)], DASHES[(number - 1) // len(GREYS) % len(DASHES)]


def _names(labels: Sequence[tuple[float, str, str, str]], strokes: bool = True) -> list[str]:
    """The names one below the other, in the order of their first figure."""
    parts = []
    x = WIDTH - RIGHT + 10
    for row, (_, name, colour, dash) in enumerate(sorted(labels, key=lambda label: label[0])):
        y = TOP + 10 + row * 16
        if strokes:
            parts.append(
                f'<line x1="{x}" x2="{x + 16}" y1="{y - 4}" y2="{y - 4}" stroke="{colour}" '
                f'stroke-width="1.6" stroke-dasharray="{dash}"/>'
            )
        parts.append(f'<text x="{x + (20 if strokes else 0)}" y="{y}">{escape(name)}</text>')
    return parts


def _frame(axes: Axes) -> list[str]:
    parts = []
    for x in _ticks(axes.x_range, axes.log_x):
        (at, foot), (_, top) = axes.place((x, axes.y_range[0])), axes.place((x, axes.y_range[1]))
        parts.append(
            f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{top:.1f}" y2="{foot:.1f}"/>'
            f'<text text-anchor="middle" x="{at:.1f}" y="{foot + 14:.1f}">{_number(x)}</text>'
        )
    for y in _ticks(axes.y_range, axes.log_y):
        (left, at), (right, _) = axes.place((axes.x_range[0], y)), axes.place((axes.x_range[1], y))
        parts.append(
            f'<line class="grid" x1="{left:.1f}" x2="{right:.1f}" y1="{at:.1f}" y2="{at:.1f}"/>'
            f'<text text-anchor="end" x="{left - 5:.1f}" y="{at + 3.5:.1f}">{_number(y)}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    height = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(
        f'<text class="axis" text-anchor="middle" x="{middle}" y="{HEIGHT - 8}">'
        f"{escape(axes.x)}</text>"
        f'<text class="axis" text-anchor="middle" transform="translate(12 {height}) rotate(-90)">'
        f"{escape(axes.y)}</text>"
    )
    return parts


def _ticks(ends: tuple[float, float], log: bool) -> list[float]:
    low, high = ends
    if log:
        return [
            10.0**n for n in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
        ]
    rough = (high - low) / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * n for n in (1, 2, 5, 10) if unit * n >= rough)
    return [float(x) for x in np.arange(math.ceil(low / step), high / step + 1e-9) * step]


def _share(value: float, ends: tuple[float, float], log: bool) -> float:
    scale: Callable[[float], float] = math.log10 if log else float
    low, high = (scale(end) for end in ends)
    value = scale(min(max(value, ends[0]), ends[1]))
    return (value - low) / ((high - low) or 1.0)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _svg(parts: Sequence[str], title: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{escape(title)}</title>'
        f"{''.join(parts)}</svg>"
    )
