"""Models: trust them, or not."""

from __future__ import annotations

import numpy as np
import streamlit as st

from dashboard import state
from dashboard.detector import ModelCard, NeedleError, ScanStore, ScoreMap, find_model
from dashboard.pages import frame

PICKS = {"best": 0.0, "typical": 0.5, "poor": 0.99, "worst": 1.0}


def page() -> None:
    """The card of one of the models in `exported/`; at first that of the open scan."""
    names = state.model_names()
    if not names:
        st.subheader("No model yet")
        frame.quiet("Train one with `python -m training train`, then export it to exported/.")
        return
    store = state.current_store()
    name = _chosen(names, store)
    state.keep_address(store, card=name)
    try:
        model = state.model(name)
    except NeedleError as error:
        frame.trouble(error, frame.NOTICE)
        return
    left, right = st.columns([1, 1.2], gap="large")
    with left:
        st.subheader(name)
        frame.quiet(model.card.title)
        frame.facts(_made(model.card), "made")
        st.subheader("What it does")
        file = {"file": find_model(name).name, "SHA-256": model.sha256[:24] + " …"}
        frame.facts(_does(model.card) | file, "does")
    with right:
        _completions(model.sha256)
        with st.container(key="remake"):
            _remake(name, model.card)


def _chosen(names: list[str], store: ScanStore | None) -> str:
    """The model that the user chooses; at first that of the address, or of the open scan."""
    asked = [st.query_params.get("card"), store.model_name if store else None, *names]
    first = next(name for name in asked if name in names)
    with st.container(key="cards"):
        return str(
            st.segmented_control(
                "Model",
                names,
                default=first,
                required=True,
                key="card",
                label_visibility="collapsed",
            )
        )


def _made(card: ModelCard) -> dict[str, str]:
    objects = "known objects left in" if card.polluted else "known objects left out"
    return {
        "trained on": ", ".join(card.scenes) + f" ({objects})",
        "how long": f"{card.windows_seen:,} windows, {card.epochs:g} epochs, {card.hours:g} h",
        "on": card.hardware,
        "last loss": f"{card.loss:.4f}",
        "size": f"{card.parameters:,} parameters, preset {card.preset}",
        "parity": f"{card.parity:.0e} from PyTorch at most, opset {card.opset}",
        "made": f"{card.date}, revision {card.git_revision}",
    }


def _does(card: ModelCard) -> dict[str, str]:
    if card.area:
        return {
            "reads": f"whole areas and {card.margin} px around them, {card.input_range}",
            "hides": f"from each pixel {card.hole} x {card.hole} px around it, and more",
            "scores": f"every {card.stride} px: {card.score_unit}",
        }
    return {
        "reads": f"tiles of {card.tile} px, {card.input_range}",
        "hides": f"the centre {card.hole} x {card.hole} px",
        "scores": f"the centre {card.score_window} x {card.score_window} px: {card.score_unit}",
        "strides": ", ".join(f"{px} px" for px in card.strides),
    }


def _completions(sha256: str) -> None:
    """Tiles of the open scan that the model completes well, as usual, and worst."""
    st.subheader("Completions, good and bad")
    store = state.current_store()
    if store is None or store.record.model_sha256 != sha256:
        frame.quiet("Scan a scene with this model to see how it completes that ground.")
        return
    try:
        scan = state.opened()
        if scan is None or not scan.scores.scored:
            frame.quiet(f"Nothing of {store.scene_name} is scored yet.")
            return
        tiles = _picked(store.key, store.done, scan.scores)
        with st.spinner("Completing four tiles"):
            shown = state.triptych_pictures(scan, tiles)
    except NeedleError as error:
        frame.trouble(error)
        return
    frame.captions("ground", "completion", "difference")
    for name, (row, col), picture in zip(PICKS, tiles, shown, strict=True):
        with st.container(key=f"completion-{name}"):
            st.image(picture, width="stretch")
        frame.quiet(f"{name}: score {scan.scores.values[row, col]:.3f} in {store.scene_name}")


@st.cache_data(show_spinner=False, max_entries=16)
def _picked(key: str, done: int, _scores: ScoreMap) -> list[tuple[int, int]]:
    """A tile `(row, col)` for each of the picks, by how many of the scores lie below its own."""
    wanted = np.percentile(_scores.present, [100 * part for part in PICKS.values()])
    values = _scores.values
    nearest = (int(np.nanargmin(np.abs(values - np.float32(value)))) for value in wanted)
    places = (np.unravel_index(index, values.shape) for index in nearest)
    return [(int(row), int(col)) for row, col in places]


def _remake(name: str, card: ModelCard) -> None:
    st.subheader("Made with")
    scenes = " ".join(card.scenes)
    start = f" --start {card.start}.onnx" if card.start else ""
    st.code(
        f"python -m training train --preset {card.preset} --epochs {card.epochs:g}{start} \\\n"
        f"    --scenes {scenes} --out RUN\n"
        f"python -m training export RUN exported/{name}.onnx",
        language=None,
        wrap_lines=True,
    )
