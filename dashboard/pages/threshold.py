"""The threshold of the Review page: score distribution, slider, and what lies beyond."""

from __future__ import annotations

import math

import streamlit as st

from dashboard import charts, state
from dashboard.detector import Finished
from dashboard.pages import frame

BINS = 90


def chosen(scan: state.Opened) -> Finished:
    """The scan at the threshold that the user sets here, over the distribution of its scores."""
    scores = scan.scores
    top = max(3.5, math.ceil(2 * float(scores.sigma_of(scores.present[-1]))) / 2)
    place = st.container()
    sigma = st.slider(
        "Threshold, standard deviations above the mean",
        0.0,
        top,
        value=min(state.sigma(), top),
        step=0.1,
        key=f"slider-{scan.store.key}",
    )
    state.set_sigma(sigma)
    finished = scan.at(sigma)
    with place:
        counts, beyond = scores.histogram(BINS), scores.at(sigma)
        unit = scan.store.unit
        figure = charts.histogram(counts, scores.mean, beyond, sigma, unit)
        st.plotly_chart(figure, theme=None, config=charts.CONFIG, key="histogram")
    places, tiles, unit = len(finished.detections), len(finished.flagged), scan.store.unit
    st.html(
        f'<span class="needle-big">{frame.count(places, "place")}</span>'
        f'<span class="needle-quiet"> in {frame.count(tiles, f"flagged {unit}")} '
        f"of {scores.scored:,}</span>"
    )
    frame.quiet(
        f"Mean {scores.mean:.3f}, standard deviation {scores.std:.3f}; a {unit} is flagged beyond "
        f"{scores.at(sigma):.3f}. Moving the threshold scores nothing again."
    )
    return finished
