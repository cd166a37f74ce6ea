"""The threshold of the Review page: score distribution, slider, and what lies beyond."""

from __future__ import annotations

import math

import streamlit as st

from dashboard import charts, state
from dashboard.detector import Finished, SigmaMap
from dashboard.pages import frame

SAID = {
    "mean": ("mean/std", "Standard deviations above the mean of all scores, as in the article."),
    "robust": ("robust", "1.4826 MAD above the median, which the objects sought do not inflate."),
}


def chosen(scan: state.Opened) -> Finished:
    """The scan at the threshold that the user sets here, over the distribution of its scores."""
    place = st.container()
    sigmas = scan.measured(_rule(scan))
    sigma = _slider(scan, sigmas)
    finished = scan.at(sigma)
    with place:
        figure = charts.histogram(sigmas.histogram, sigma, scan.store.unit)
        st.plotly_chart(figure, theme=None, config=charts.CONFIG, key="histogram")
    places, tiles, unit = len(finished.detections), len(finished.flagged), scan.store.unit
    st.html(
        f'<span class="needle-big">{frame.count(places, "place")}</span>'
        f'<span class="needle-quiet"> in {frame.count(tiles, f"flagged {unit}")} '
        f"of {scan.scores.scored:,}</span>"
    )
    frame.quiet(f"{_means(sigmas, sigma, unit)} Moving the threshold scores nothing again.")
    return finished


def _rule(scan: state.Opened) -> str:
    """The rule that the user chooses; kept for the other pages."""
    rule = st.segmented_control(
        "Rule",
        list(SAID),
        default=state.rule(),
        format_func=lambda name: SAID[name][0],
        required=True,
        key=f"rule-{scan.store.key}",
        label_visibility="collapsed",
        width="stretch",
    )
    state.set_rule(rule)
    frame.quiet(SAID[rule][1])
    return rule


def _slider(scan: state.Opened, sigmas: SigmaMap) -> float:
    """The threshold in sigma; kept for the other pages."""
    top = max(3.5, math.ceil(2 * sigmas.highest) / 2)
    low = max(0.0, math.ceil(10 * sigmas.floor) / 10) if math.isfinite(sigmas.floor) else 0.0
    sigma = st.slider(
        "Threshold, σ",
        low,
        top,
        value=min(max(state.sigma(), low), top),
        step=0.1,
        key=f"slider-{scan.store.key}-{sigmas.measure.rule}",
    )
    state.set_sigma(sigma)
    return sigma


def _means(sigmas: SigmaMap, sigma: float, unit: str) -> str:
    """What the threshold is in scores, in words."""
    measure = sigmas.measure
    (centre,), (scale,), (limit,) = measure.centres, measure.scales, measure.limits(sigma)
    names = ("Median", "robust deviation") if measure.rule == "robust" else ("Mean", "deviation")
    return (
        f"{names[0]} {centre:.3f}, {names[1]} {scale:.3f}; a {unit} is flagged beyond {limit:.3f}."
    )
