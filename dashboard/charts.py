"""Plain results in, Plotly figures out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from dashboard.detector import Box, Detection, Histogram
from dashboard.pictures import RUST

INK, FAINT, PAPER = "#E4E1DC", "#8C8883", "rgba(0,0,0,0)"
QUIET = "#6E6A66"  # bars of what is not flagged
CONFIG = {"displaylogo": False, "displayModeBar": False}
MAP_CONFIG = {"displaylogo": False, "scrollZoom": True, "displayModeBar": False}
SCALES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)  # m, of a scale bar


@dataclass(frozen=True)
class Backdrop:
    """A picture to draw on: where it is shown from, and its place in px of the scene."""

    url: str
    x: float
    y: float
    width: float
    height: float
    opacity: float = 1.0


def histogram(counts: Histogram, sigma: float, unit: str = "tile") -> go.Figure:
    """The score distribution as the article draws it: bars, log counts, centre and threshold.

    Args:
        counts: of sigma.
        sigma: the threshold.
        unit: what is counted, in one word.
    """
    middles = (counts.edges[:-1] + counts.edges[1:]) / 2
    colours = np.where(middles > sigma, RUST, QUIET)
    # A bar of one tile must be seen on a log axis, whose bars begin at 0.8.
    bars = go.Bar(
        x=middles,
        y=np.where(counts.counts > 0, counts.counts, np.nan),
        base=0,
        width=np.diff(counts.edges),
        marker={"color": colours, "line": {"width": 0}},
        hovertemplate="%{x:.2f} σ<br>%{y:,} " + unit + "s<extra></extra>",
    )
    figure = go.Figure(bars)
    line = {"color": RUST, "width": 1.5}
    note = {"text": f"{sigma:.1f} σ", "font": {"color": INK}}
    figure.add_vline(sigma, line=line, annotation=note, annotation_position="top right")
    top = max(1, int(counts.counts.max(initial=1)))
    figure.update_layout(_layout(260), bargap=0, showlegend=False)
    figure.update_xaxes(title="σ above the ordinary", gridcolor="#262524", zeroline=False)
    figure.update_yaxes(
        title=f"{unit}s",
        type="log",
        range=[np.log10(0.8), np.log10(top) + 0.25],
        dtick=1,
        gridcolor="#262524",
    )
    return figure


def scene_map(
    size: tuple[int, int],
    layers: Sequence[Backdrop],
    scored: Sequence[Box],
    detections: Sequence[Detection],
    selected: int | None,
) -> go.Figure:
    """The scene with the flagged tiles as faint squares and the detections as rings.

    Args:
        size: width and height of the scene in px.
        layers: pictures from the lowest up.
        scored: the windows that the scores of the flagged tiles were taken over.
        detections: selectable points; their ranks are the points' custom data.
        selected: the rank that is drawn filled.
    """
    figure = go.Figure()
    figure.add_trace(_outlines(scored))
    figure.add_trace(_rings(detections, selected))
    for layer in layers:
        figure.add_layout_image(
            source=layer.url,
            xref="x",
            yref="y",
            x=layer.x,
            y=layer.y,
            sizex=layer.width,
            sizey=layer.height,
            sizing="stretch",
            opacity=layer.opacity,
            layer="below",
        )
    width, height = size
    figure.update_layout(_layout(520), showlegend=False, dragmode="pan", uirevision="map")
    figure.update_layout(margin={"l": 0, "r": 0, "t": 0, "b": 0})
    hidden = {"visible": False, "constrain": "domain"}
    figure.update_xaxes(range=[0, width], **hidden)
    figure.update_yaxes(range=[height, 0], scaleanchor="x", **hidden)
    return figure


def _outlines(boxes: Sequence[Box]) -> go.Scatter:
    """One broken line around all the boxes."""
    xs: list[float | None] = []
    ys: list[float | None] = []
    for left, top, right, bottom in boxes:
        xs += [left, right, right, left, left, None]
        ys += [top, top, bottom, bottom, top, None]
    line = {"color": RUST, "width": 1}
    return go.Scatter(x=xs, y=ys, mode="lines", line=line, opacity=0.75, hoverinfo="skip")


def _rings(detections: Sequence[Detection], selected: int | None) -> go.Scattergl:
    chosen = [found.rank == selected for found in detections]
    return go.Scattergl(
        x=[found.x for found in detections],
        y=[found.y for found in detections],
        mode="markers",
        customdata=[found.rank for found in detections],
        text=[f"#{found.rank}  {found.sigma:.1f} σ<br>{place(found)}" for found in detections],
        hovertemplate="%{text}<extra></extra>",
        marker={
            "symbol": "circle-open",
            "size": [30 if is_it else 15 for is_it in chosen],
            "color": RUST,
            "line": {"width": [4 if is_it else 2 for is_it in chosen]},
        },
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
    )


def place(found: Detection) -> str:
    """Where a detection is, in words: pixels, and degrees where they are known."""
    pixels = f"x {found.x:,.0f}, y {found.y:,.0f} px"
    if found.lon is None or found.lat is None:
        return pixels
    return f"{pixels}<br>{degrees(found.lon, found.lat)}"


def degrees(lon: float, lat: float) -> str:
    """Areocentric longitude and latitude as `137.4417° E, 4.5895° S`."""
    return f"{lon:.4f}° E, {abs(lat):.4f}° {'N' if lat >= 0 else 'S'}"


def add_scale_bar(figure: go.Figure, metres_per_pixel: float, size: tuple[int, int]) -> None:
    """Draws a round length, about a fifth of the scene, in its lower left corner."""
    width, height = size
    metres, pixels = scale_bar(metres_per_pixel, width)
    left, y = 0.03 * width, 0.965 * height
    line = {"color": INK, "width": 3}
    figure.add_shape(type="line", x0=left, x1=left + pixels, y0=y, y1=y, line=line)
    text = f"{metres:g} m" if metres < 1000 else f"{metres / 1000:g} km"
    font = {"color": INK, "size": 12}
    figure.add_annotation(
        x=left + pixels / 2, y=y, text=text, showarrow=False, yshift=11, font=font
    )


def scale_bar(metres_per_pixel: float, width: int) -> tuple[float, float]:
    """A round length in metres, about a fifth of a scene `width` px wide, and its length in px."""
    target = metres_per_pixel * width / 5
    metres = max((length for length in SCALES if length <= target), default=SCALES[0])
    return float(metres), metres / metres_per_pixel


def _layout(height: int) -> dict[str, object]:
    return {
        "height": height,
        "margin": {"l": 46, "r": 8, "t": 24, "b": 42},
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PAPER,
        "font": {"color": FAINT, "size": 12},
        "hoverlabel": {"bgcolor": "#242322", "font": {"color": INK}},
    }
