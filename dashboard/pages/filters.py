"""Which of the places beyond the threshold are listed: by sigma, size, brightness and ground."""

from __future__ import annotations

import math
from dataclasses import replace

import streamlit as st

from dashboard.detector import ROUGHNESS, Finished, Measure
from dashboard.pages import frame
from dashboard.session import place_filter, state
from dashboard.session.place_filter import Filter


def filters(scan: state.OpenScan, finished: Finished) -> None:
    """The detections that sheet, map and keys go through."""
    wanted = place_filter.current_filter()
    opened = st.expander("Filter", key="filter_open", on_change="rerun")
    if wanted != Filter():
        shown, total = len(place_filter.passing_filter(scan, finished)), len(finished.detections)
        frame.quiet(f"{shown:,} of {total:,} places pass the filter.")
    if not opened.open:
        return
    with opened:
        ground = st.pills(
            "Ground",
            ROUGHNESS,
            default=list(wanted.ground),
            selection_mode="multi",
            format_func=str.capitalize,
            key="filter_ground",
            help="Four parts of the scene, of equal area, by the roughness over some 180 px",
        )
        found = _ranges(finished, replace(wanted, ground=tuple(ground)))
        if found != wanted:
            place_filter.set_filter(found)
            st.rerun()
        if wanted != Filter():
            st.button("Clear", key="filter_clear", on_click=clear, type="tertiary")


def _ranges(finished: Finished, wanted: Filter) -> Filter:
    """The filter with the ranges of its sliders; a slider at its ends filters nothing."""
    detections = finished.detections
    if len(detections) < 2:
        return wanted
    sigmas = [found.sigma for found in detections]
    sigma = _range("Sigma", sigmas, wanted.sigma, 1.0, "%.1f σ")
    if not st.toggle("Size and brightness", value=wanted.measures, key="filter_measures"):
        return replace(wanted, sigma=sigma, size=None, brightness=None)
    with st.spinner("Measuring"):
        measured = [measure for measure in place_filter.measures(finished).values() if measure]
    if len(measured) < 2:
        frame.quiet("Nothing here stands out enough to be measured.")
        return replace(wanted, sigma=sigma, size=None, brightness=None)
    metre = finished.scene.pixel_size
    unit, scale = ("%.1f m", metre) if metre else ("%.0f px", 1.0)
    size = _range("Length", [measure.length for measure in measured], wanted.size, scale, unit)
    bright = [measure.brightness for measure in measured]
    brightness = _range("Against the ground", bright, wanted.brightness, 100.0, "%.0f %%")
    # With the toggle on, places that cannot be measured are left out.
    return replace(wanted, sigma=sigma, size=size or _ends(measured), brightness=brightness)


def _ends(measured: list[Measure]) -> tuple[float, float]:
    lengths = [measure.length for measure in measured]
    return min(lengths), max(lengths)


def _range(
    label: str,
    values: list[float],
    given: tuple[float, float] | None,
    scale: float,
    words: str,
) -> tuple[float, float] | None:
    low, high = scale * min(values), scale * max(values)
    step = 10.0 ** math.floor(math.log10(max(high - low, 1e-6) / 20))
    low, high = step * math.floor(low / step), step * math.ceil(high / step)
    if high - low < step:
        return None
    first = (scale * given[0], scale * given[1]) if given else (low, high)
    first = (max(low, min(first[0], high)), min(high, max(first[1], low)))
    ends = st.slider(label, low, high, first, step, format=words, key=f"filter_{label}")
    if ends == (low, high):
        return None
    return ends[0] / scale, ends[1] / scale


def clear() -> None:
    """Lists all places again."""
    place_filter.set_filter(Filter())
    for key in [key for key in st.session_state if str(key).startswith("filter_")]:
        if key != "filter_open":
            del st.session_state[key]
