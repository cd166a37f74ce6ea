"""Plain results in, Plotly figures out."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from dashboard.detector import Histogram
from dashboard.pictures import RUST

INK, FAINT, PAPER = "#E4E1DC", "#8C8883", "rgba(0,0,0,0)"
QUIET = "#6E6A66"  # bars of what is not flagged
CONFIG = {"displaylogo": False, "displayModeBar": False}


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
