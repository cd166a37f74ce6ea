"""From which DN to which the ground is shown in grey."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import cast

import streamlit as st

from dashboard.detector import Scene

KEPT = "stretch"  # for the other pages: a scene's checksum and its ends
LABEL = "Black and white, DN"
REACH = 2  # how far beyond the robust stretch the slider goes, in widths of it

Ends = tuple[float, float]


def choose_stretch(scene: Scene) -> Scene:
    """The scene as the slider that is drawn here lets it be shown."""
    low, high, step = limits(scene)
    key = f"stretch-{scene.sha256[:12]}"
    if key not in st.session_state:
        of, kept = st.session_state.get(KEPT, ("", scene.stretch))
        ends = kept if of == scene.sha256 else scene.stretch
        st.session_state[key] = (max(low, ends[0]), min(high, ends[1]))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="stretch_row"):
        # Two handles, since what the session holds are two ends.
        ends = cast(Ends, st.slider(LABEL, low, high, step=step, format="%g", key=key))
        st.button(
            "Reset",
            key="stretch_reset",
            help="From the darkest to the brightest half percent of the scene",
            on_click=st.session_state.update,
            args=({key: scene.stretch},),
            disabled=ends == scene.stretch,
            type="tertiary",
        )
    st.session_state[KEPT] = (scene.sha256, ends)
    if ends[0] == ends[1]:  # a width of nothing shows nothing
        ends = (ends[0], ends[0] + step)
    return replace(scene, stretch=ends)


def limits(scene: Scene) -> tuple[float, float, float]:
    """The least and the greatest DN to choose from, and the step between; they hold the stretch."""
    low, high = scene.stretch
    width = (high - low) or 1.0
    step = 10.0 ** math.floor(math.log10(width / 20))
    least, most = low - REACH * width, high + REACH * width
    if not scene.dtype.startswith("float"):
        step = max(1.0, step)
        least, most = max(0.0, least), min(2.0**scene.bits - 1, most)
    return min(low, least), max(high, most), step
