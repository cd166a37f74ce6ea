"""The threshold of the Review page: score distribution, slider, and what lies beyond."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import streamlit as st
from plotly.graph_objects import Figure

from dashboard.detector import Finished, SigmaMap, false_alarms
from dashboard.drawing import charts
from dashboard.pages import frame, rules
from dashboard.session import state

PROMISES = (1, 10, 100)  # false alarms, each a threshold one click away
MOST_PLACES = 10_000


def choose(scan: state.OpenScan, on_bar: Callable[[float], None]) -> Finished:
    """The scan at the threshold that the user sets here, over the distribution of its scores.

    Args:
        on_bar: called with the sigma of a bar of the distribution that is clicked.
    """
    place = st.container(height=charts.HISTOGRAM, border=False, key="scores_place")
    rule = rules.choose(scan)
    sigmas = scan.sigma_map(rule)
    sigma = _slider(scan, sigmas)
    finished = scan.at(sigma)
    with place:
        asked = scan.store.key, scan.store.done, sigmas.measure.rule, sigma
        figure = _histogram(asked, sigmas.unit or scan.store.unit, sigmas)
        st.plotly_chart(
            figure,
            theme=None,
            config=charts.CONFIG,
            key="histogram",
            on_select=lambda: _on_click(on_bar),
            selection_mode="points",
        )
    unit = sigmas.unit or scan.store.unit
    places, tiles = len(finished.detections), len(finished.flagged)
    st.html(
        f'<span class="needle-big">{frame.count(places, "place")}</span>'
        f'<span class="needle-quiet"> in {frame.count(tiles, f"flagged {unit}")} '
        f"of {sigmas.measured:,}</span>"
    )
    _artefacts(finished)
    _promise(finished)
    rules.compare(scan, sigma)
    frame.quiet(f"{_means(sigmas, sigma, unit)} Moving the threshold scores nothing again.")
    return finished


@st.cache_resource(show_spinner=False, max_entries=32)
def _histogram(asked: tuple[str, int, str, float], unit: str, _sigmas: SigmaMap) -> Figure:
    """The distribution with a threshold: drawn once, however often the page turns."""
    return charts.histogram(_sigmas.histogram, asked[-1], unit, _sigmas.tail)


def _artefacts(finished: Finished) -> None:
    """How many places may be the camera's or the file's, and the choice to see them."""
    reasons = Counter(why for detection in finished.every for why in detection.artefacts)
    if not reasons:
        return
    number = sum(bool(detection.artefacts) for detection in finished.every)
    named = ", ".join(f"{why} {count:,}" for why, count in reasons.most_common())
    st.toggle(
        f"Show {frame.count(number, 'likely artefact')}",
        value=state.artefacts(),
        key="show_artefacts",
        help=f"Camera or file may have made them: {named}",
        on_change=lambda: state.set_artefacts(st.session_state["show_artefacts"]),
    )


def _promise(finished: Finished) -> None:
    """The threshold's promise: false alarms to expect, how that is known, whether to believe it."""
    tail = finished.measured.tail
    st.markdown(f"Expect {false_alarms(finished.expected)} in this scene at this threshold.")
    if finished.doubts:
        st.warning(f"Do not rely on this number: {'; '.join(finished.doubts)}.")
    if not st.toggle("How well the tail fits", key="show_fit"):
        return
    st.plotly_chart(charts.quantiles(tail), theme=None, config=charts.CONFIG, key="quantiles")
    frame.quiet(
        f"The strongest {tail.beyond:,} of {len(tail.levels):,} places, beyond {tail.start:.1f} σ, "
        "against a generalised Pareto tail; on the line it fits. The hollow ones may be objects: "
        "of them the fit knows only that they are there."
    )


def _on_click(on_bar: Callable[[float], None]) -> None:
    points = st.session_state["histogram"]["selection"]["points"]
    if points:
        on_bar(float(points[0]["x"]))


def _slider(scan: state.OpenScan, sigmas: SigmaMap) -> float:
    """The threshold in sigma; kept for the other pages."""
    top = max(3.5, math.ceil(2 * _or(sigmas.highest, 0.0)) / 2)
    low = min(max(0.0, math.ceil(10 * _lowest(sigmas)) / 10), top - 0.5)
    key = f"slider-{scan.store.key}-{sigmas.measure.rule}"
    sigma = st.slider(
        "Threshold, σ",
        low,
        top,
        value=min(max(state.sigma(), low), top),
        step=0.1,
        key=key,
    )
    state.set_sigma(sigma)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        frame.quiet("Set for", width="content")
        for promise in PROMISES:
            limit = _rounded(sigmas, _or(sigmas.tail.sigma_here(promise), 0.0))
            st.button(
                f"{promise}",
                key=f"promise-{promise}",
                help=f"The threshold at which to expect {promise} false alarms",
                on_click=st.session_state.update,
                args=({key: min(max(limit, low), top)},),
                type="tertiary",
            )
        frame.quiet("false alarms", width="content")
    return sigma


def _rounded(sigmas: SigmaMap, limit: float) -> float:
    """A threshold in tenths: up, unless no place would be left."""
    up = math.ceil(10 * limit) / 10
    return up if sigmas.count_above(up) else math.floor(10 * limit) / 10


def _lowest(sigmas: SigmaMap) -> float:
    """The lowest threshold worth offering: beyond it lie more places than anyone will look at."""
    places = sigmas.places
    crowd = float(places[MOST_PLACES]) if len(places) > MOST_PLACES else -math.inf
    return _or(max(sigmas.floor, crowd), 0.0)


def _or(value: float, otherwise: float) -> float:
    return value if math.isfinite(value) else otherwise


def _means(sigmas: SigmaMap, sigma: float, unit: str) -> str:
    """The threshold in scores, in words."""
    measure = sigmas.measure
    centre, scale = measure.by.words
    return (
        f"{centre} {measure.centre:.3f}, {scale} {measure.scale:.3f}; "
        f"a {sigmas.unit or unit} is flagged beyond {measure.limit(sigma):.3f}."
    )
