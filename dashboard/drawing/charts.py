"""Plain results in, Plotly figures out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy import ndimage

from dashboard.background.learning import Curve
from dashboard.detector import Histogram, Tail, Triptych
from dashboard.drawing.pictures import MAGMA, RUST

INK, FAINT, PAPER = "#E4E1DC", "#8C8883", "rgba(0,0,0,0)"
QUIET = "#6E6A66"  # bars of what is not flagged
AS_BEFORE = {"marker": {"opacity": 1}}  # a click chooses a place; it dims no bar
# Streamlit takes #000004, where magma begins, for a colour of its theme; it knows no rgb().
HEAT = [f"rgb{tuple(colour)}" for colour in MAGMA[np.linspace(0, 255, 16).astype(int)].tolist()]
HISTOGRAM, CURVES = 260, 200  # px, their heights
SMOOTH = 3.0  # logged losses: deviation of the Gaussian they are smoothed with
CONFIG = {"displaylogo": False, "displayModeBar": False}


def histogram(
    counts: Histogram, sigma: float, unit: str = "tile", tail: Tail | None = None
) -> go.Figure:
    """The score distribution as the article draws it: bars, log counts and the threshold.

    Args:
        counts: of sigma.
        sigma: the threshold.
        unit: what is counted, in one word.
        tail: adds the places in the same bins, and what the tail expects of ground alone.
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
        unselected=AS_BEFORE,
        hovertemplate="%{x:.2f} σ<br>%{y:,} " + unit + "s<extra></extra>",
    )
    figure = go.Figure([bars, *(_tail_traces(counts.edges, tail) if tail else ())])
    line = {"color": RUST, "width": 1.5}
    note = {"text": f"{sigma:.1f} σ", "font": {"color": INK}}
    figure.add_vline(sigma, line=line, annotation=note, annotation_position="top right")
    top = max(1, int(counts.counts.max(initial=1)))
    figure.update_layout(_layout(HISTOGRAM), bargap=0, showlegend=False)
    figure.update_xaxes(title="σ above the ordinary", gridcolor="#262524", zeroline=False)
    figure.update_yaxes(
        title=f"{unit}s",
        type="log",
        range=[np.log10(0.8), np.log10(top) + 0.25],
        dtick=1,
        gridcolor="#262524",
    )
    return figure


def _tail_traces(edges: NDArray[np.float64], tail: Tail) -> list[go.Scatter]:
    """The places in each bin as points, and as a line what the tail makes of them."""
    middles, found = (edges[:-1] + edges[1:]) / 2, np.histogram(tail.levels, edges)[0]
    seen, expected = found > 0, -np.diff(tail.expected(edges))
    beyond = (edges[:-1] >= tail.start) & (expected > 0.05)
    places = go.Scatter(
        x=middles[seen],
        y=found[seen],
        mode="markers",
        marker={"color": INK, "size": 3.5},
        unselected=AS_BEFORE,
        hovertemplate="%{x:.2f} σ<br>%{y:,} places<extra></extra>",
    )
    line = go.Scatter(
        x=middles[beyond],
        y=expected[beyond],
        mode="lines",
        line={"color": INK, "width": 1.5},
        hovertemplate="%{x:.2f} σ<br>%{y:.2g} places expected<extra></extra>",
    )
    return [places, line]


def quantiles(tail: Tail) -> go.Figure:
    """The places of a tail against what its fit expects: on the diagonal where it fits.

    The strongest, of which the fit used only the number, are hollow.
    """
    fitted, found = tail.quantiles
    known = len(found) - tail.censored
    ends = [tail.start, float(max(fitted.max(initial=tail.start), found.max(initial=tail.start)))]
    figure = go.Figure(go.Scatter(x=ends, y=ends, mode="lines", line={"color": QUIET, "width": 1}))
    for part, symbol in ((slice(None, known), "circle"), (slice(known, None), "circle-open")):
        figure.add_scatter(
            x=fitted[part],
            y=found[part],
            mode="markers",
            marker={"color": INK, "size": 5, "symbol": symbol},
            hovertemplate="%{y:.2f} σ, %{x:.2f} σ expected<extra></extra>",
        )
    figure.update_layout(_layout(240), showlegend=False)
    figure.update_xaxes(title="expected of ground alone, σ", gridcolor="#262524", zeroline=False)
    figure.update_yaxes(title="found, σ", gridcolor="#262524", zeroline=False)
    return figure


def profile(shown: Triptych, metres: float | None) -> go.Figure:
    """DN along the middle row of a triptych, from left to right: what is there, what was expected.

    The mean of three rows is drawn, so that one noisy pixel does not stand for an object.
    """
    side = shown.query.shape[0]
    step = shown.box.width / side * (metres or 1.0)
    at = (np.arange(side) - side / 2 + 0.5) * step
    middle = slice(side // 2 - 1, side // 2 + 2)
    figure = go.Figure()
    for name, part, line in (
        ("expected", shown.completion, {"color": FAINT, "width": 1.5, "dash": "dot"}),
        ("ground", shown.query, {"color": INK, "width": 1.5}),
    ):
        figure.add_scatter(x=at, y=part[middle].mean(axis=0), name=name, mode="lines", line=line)
    half = shown.scored.width / 2 * step
    figure.add_vrect(-half, half, fillcolor=RUST, opacity=0.14, line_width=0, layer="below")
    figure.update_layout(_layout(200), legend={"orientation": "h", "y": 1.2, "x": 0})
    unit = "m" if metres else "px"
    figure.update_xaxes(title=f"{unit} from the middle", gridcolor="#262524", zeroline=False)
    figure.update_yaxes(title="DN", gridcolor="#262524", zeroline=False)
    return figure


def neighbours(sigmas: NDArray[np.float64], stride: int, metres: float | None) -> go.Figure:
    """The scores around a place `[N, N]` in sigma, north of the picture up."""
    reach = sigmas.shape[0] // 2
    step = stride * (metres or 1.0)
    at = np.arange(-reach, reach + 1) * step
    unit = "m" if metres else "px"
    heat = go.Heatmap(
        x=at,
        y=at,
        z=sigmas,
        colorscale=HEAT,
        zmin=0,
        zmax=max(1.0, float(np.nanmax(sigmas))),
        colorbar={"title": "σ", "thickness": 10, "outlinewidth": 0},
        hovertemplate="%{z:.1f} σ<br>%{x:.3g}, %{y:.3g} " + unit + "<extra></extra>",
    )
    figure = go.Figure(heat)
    layout = _layout(230)
    figure.update_layout(layout)
    figure.update_xaxes(title=f"{unit} from the place", constrain="domain", zeroline=False)
    figure.update_yaxes(autorange="reversed", scaleanchor="x", zeroline=False)
    return figure


def losses(curves: Sequence[Curve]) -> go.Figure:
    """The loss of networks as they learn: as it was logged, and smoothed."""
    figure = go.Figure()
    for curve, colour in zip(curves, (RUST, INK), strict=False):
        smooth = ndimage.gaussian_filter1d(curve.losses, SMOOTH, mode="nearest")
        for y, opacity, width in ((curve.losses, 0.25, 1), (smooth, 1.0, 1.5)):
            figure.add_scatter(
                x=curve.windows,
                y=y,
                name=curve.name,
                mode="lines",
                line={"color": colour, "width": width},
                opacity=opacity,
                showlegend=bool(curve.name) and opacity == 1,
                hovertemplate="%{x:,} windows<br>loss %{y:.3f}<extra></extra>",
            )
    legend = {"orientation": "h", "y": 1.2, "x": 0}
    figure.update_layout(_layout(CURVES), legend=legend)
    figure.update_xaxes(title="windows seen", gridcolor="#262524", zeroline=False)
    figure.update_yaxes(title="loss", gridcolor="#262524", zeroline=False)
    return figure


def degrees(lon: float, lat: float) -> str:
    """Areocentric longitude and latitude as `137.4417° E, 4.5895° S`."""
    return f"{lon:.4f}° E, {abs(lat):.4f}° {'N' if lat >= 0 else 'S'}"


def _layout(height: int) -> dict[str, object]:
    return {
        "height": height,
        "margin": {"l": 46, "r": 8, "t": 24, "b": 42},
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PAPER,
        "font": {"color": FAINT, "size": 12},
        "hoverlabel": {"bgcolor": "#242322", "font": {"color": INK}},
    }
