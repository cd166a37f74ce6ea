"""How to scan: model, learning, stride, area of interest, and what that takes on this machine."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.background import learning
from dashboard.detector import (
    Grid,
    Model,
    NeedleError,
    NoGround,
    Region,
    ScanSettings,
    Scene,
    estimate,
)
from dashboard.pages import frame
from dashboard.pages.model_notes import notes_of
from dashboard.session import state


@dataclass(frozen=True)
class Plan:
    """The user's choices; `place` is where the estimate goes."""

    model: Model
    stride: int
    region: Region | None
    learn_first: bool
    place: DeltaGenerator

    @property
    def settings(self) -> ScanSettings:
        area = self.region.text if self.region else None
        return ScanSettings(self.model.name, self.stride, area=area)


def plan(scene: Scene, alone: bool) -> Plan | None:
    """The user's choices for a scan; None while one of them is wrong.

    Args:
        alone: only one picture is chosen, so that an area of it can be meant.
    """
    names = state.model_names()
    if not names:
        st.error("There is no model in exported/; train one with `python -m training train`.")
        return None
    name = st.selectbox("Model", names, key="model") if len(names) > 1 else names[0]
    try:
        model = state.model(name)
        if notes := notes_of(model.file):
            frame.quiet(notes.says)
        learn_first = _learn_first(model)
        stride = _stride(model)
        _check_size(scene, model, stride)
        region = _region(scene) if alone else None
    except NeedleError as error:
        frame.trouble(error)
        return None
    place = st.empty()
    place.html('<div class="needle-quiet">about … on this machine</div>')
    return Plan(model, stride, region, learn_first, place)


def _learn_first(model: Model) -> bool:
    """Whether the model is to learn the scene before it scans it."""
    if not learning.can_learn(model):
        return False
    missing = learning.lacking()
    chosen = st.checkbox(
        "Learn this scene first",
        key="learn_first",
        disabled=missing,
        help="Every terrain differs. The model learns this scene's own ground for some minutes, "
        "which is kept for the next time.",
    )
    if missing:
        frame.quiet(f"Learning by {model.name} needs PyTorch: {learning.INSTALL}")
    return chosen and not missing


def _check_size(scene: Scene, model: Model, stride: int) -> None:
    """Says before it is scanned that a scene is too small for this model.

    Raises:
        NoGround: not one tile fits in.
    """
    try:
        len(Grid(scene.width, scene.height, model.card.tile, stride))
    except NoGround as error:
        raise NoGround(f"{scene.name}: {error}") from error


def _stride(model: Model) -> int:
    if model.card.area:
        words = {model.card.stride: "every position, in one pass"}
    else:
        words = {model.card.stride: "the scored centres tile the ground"}
        words |= {16: "as the article, finest", model.card.tile: "as the article, first pass"}
    return st.selectbox(
        "Stride",
        model.card.strides,
        index=model.card.strides.index(model.card.stride),
        format_func=lambda px: f"{px} px: {words.get(px, '')}",
        key="stride",
    )


def _region(scene: Scene) -> Region | None:
    """The area of interest; None for the whole scene."""
    text = st.text_input(
        "Area of interest",
        placeholder="the whole scene",
        key="area",
        help="A box x_min,y_min,x_max,y_max in pixels, or GeoJSON with polygons in degrees "
        "(in pixels where the scene has no CRS). Outlined in the picture.",
    ).strip()
    return Region.of(text, scene, files=False) if text else None


def show_estimate(scene: Scene, planned: Plan) -> None:
    """How long the scan would take, in the place kept for it."""
    to_learn = planned.learn_first and not learning.Lesson(scene, planned.model).learned
    if state.worker().busy():
        text = "timed when the machine is free"
    else:
        area = planned.region.text if planned.region else ""
        key = (scene.sha256, planned.model.checksums, planned.stride, area)
        text = f"about {frame.duration(_seconds(key, scene, planned))}"
        text += f" on this machine ({planned.model.device_label})"
        if to_learn:
            text = f"some minutes to learn the scene, then {text}"
        elif planned.learn_first:
            text += ", the scene learned already"
    planned.place.html(f'<div class="needle-quiet">{text}</div>')


@st.cache_data(show_spinner=False, max_entries=64)
def _seconds(key: tuple[str, str, int, str], _scene: Scene, _plan: Plan) -> float:
    return estimate(_scene, _plan.model, _plan.stride, _plan.region)
