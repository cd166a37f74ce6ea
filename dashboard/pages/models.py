"""Models: trust them, or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st

from dashboard.background import learning
from dashboard.background.jobs import Job
from dashboard.detector import (
    Judge,
    Model,
    ModelCard,
    NeedleError,
    ScanSettings,
    ScanStore,
    ScoreMap,
)
from dashboard.drawing import charts
from dashboard.pages import frame
from dashboard.pages.model_notes import notes_of
from dashboard.session import state

PICKS = {"best": 0.0, "typical": 0.5, "poor": 0.99, "worst": 1.0}


def page() -> None:
    """The card of one of the models there are; at first that of the open scan."""
    models = state.models()
    names = list(models)
    if not names:
        st.subheader("No model yet")
        frame.quiet("Train one with `python -m training train`, then export it to exported/.")
        return
    store = state.current_store()
    name = _choose_model(names, store)
    state.keep_address(store, card=name)
    try:
        model = state.model(models[name])
    except NeedleError as error:
        frame.trouble(error, frame.NOTICE)
        return
    parts = [part for part in (model.judge, model) if part is not None]
    left, right = st.columns([1, 1.2], gap="large")
    with left:
        for number, part in enumerate(parts):
            st.subheader(part.path.stem)
            frame.quiet(part.card.title)
            if number == 0:
                _notes(model)
            frame.facts(_training_facts(part.card), f"made-{number}")
            st.subheader("What it does")
            file = {"file": part.path.name, "SHA-256": part.sha256[:24] + " …"}
            frame.facts(_input_facts(part.card) | file, f"does-{number}")
        _learning(model, store)
    with right:
        _completions(model.sha256)
        st.subheader("Made with")
        for number, part in enumerate(parts):
            with st.container(key=f"remake-{number}"):
                _remake(part)


def _notes(model: Model) -> None:
    """Strengths and failures of a shipped model, in words."""
    if notes := notes_of(model.file):
        st.subheader("What it finds")
        frame.quiet(notes.finds)
        st.subheader("Where it fails")
        frame.quiet(notes.fails)


def _choose_model(names: list[str], store: ScanStore | None) -> str:
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


def _training_facts(card: ModelCard) -> dict[str, str]:
    objects = "known objects left in" if card.polluted else "known objects left out"
    before = f", after the training of {card.start}" if card.start else ""
    return {
        "trained on": ", ".join(card.scenes) + f" ({objects})",
        "how long": f"{card.windows_seen:,} windows, {card.hours:g} h{before}",
        "on": card.hardware,
        "last loss": f"{card.loss:.4f}",
        "size": f"{card.parameters:,} parameters, preset {card.preset}",
        "parity": f"{card.parity:.0e} from PyTorch at most, opset {card.opset}",
        "made": f"{card.date}, revision {card.git_revision}",
    }


def _input_facts(card: ModelCard) -> dict[str, str]:
    if card.judges_places:
        return {
            "reads": f"{card.tile} px of raw DN around each place that the finder points at",
            "says": card.score_unit,
        }
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
        scan = state.current_scan()
        if scan is None or not scan.scores.scored:
            frame.quiet(f"Nothing of {store.scene_name} is scored yet.")
            return
        tiles = _example_tiles(store.key, store.done, scan.scores)
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
def _example_tiles(key: str, done: int, _scores: ScoreMap) -> list[tuple[int, int]]:
    """A tile `(row, col)` for each of the picks, by how many of the scores lie below its own."""
    wanted = np.percentile(_scores.present, [100 * part for part in PICKS.values()])
    values = _scores.values
    nearest = (int(np.nanargmin(np.abs(values - np.float32(value)))) for value in wanted)
    places = (np.unravel_index(index, values.shape) for index in nearest)
    return [(int(row), int(col)) for row, col in places]


def _remake(part: Model | Judge) -> None:
    name, card = part.path.stem, part.card
    scenes = " ".join(card.scenes)
    if card.learned:
        st.code(
            f"python -m training adapt {scenes} --model {card.start} --out {name}.onnx",
            language=None,
            wrap_lines=True,
        )
        return
    start = f" --start {card.start}.onnx" if card.start else ""
    st.code(
        f"python -m training train --preset {card.preset} --epochs {card.epochs:g}{start} \\\n"
        f"    --scenes {scenes} --out RUN\n"
        f"python -m training export RUN exported/{name}.onnx",
        language=None,
        wrap_lines=True,
    )


def _learning(model: Model, store: ScanStore | None) -> None:
    """How a model learned the scene it has learned; else how it may learn that of the open scan."""
    if model.card.learned:
        if learning.curves(model.path):
            st.subheader("How it learned the scene")
            _curves(model.path)
        return
    if store is None or not learning.can_learn(model):
        return
    st.subheader("Learn this scene")
    try:
        lesson = learning.Lesson(store.scene(), model)
    except NeedleError as error:
        frame.trouble(error)
        return
    with st.container(key="learning"):
        _lesson(lesson)


def _lesson(lesson: learning.Lesson) -> None:
    """A scene that is learned already, is being learned, or may be."""
    job = _job(lesson)
    if lesson.learned:
        frame.quiet(f"{lesson.path.stem} has learned {lesson.scene.name}.")
        _curves(lesson.path)
        if st.button("Scan with it", type="primary", key="scan_learned"):
            _scan(lesson)
    elif job and job.active:
        _under_way(job.number, lesson)
    else:
        _may_be(lesson, job)


def _may_be(lesson: learning.Lesson, job: Job | None) -> None:
    """The explanation of learning, its button, and the last error or where it was stopped."""
    name = lesson.scene.name
    if job and job.error:
        frame.trouble(job.error)
    begun = learning.begun(lesson.path)
    if begun:
        frame.quiet(f"Stopped while it learned {name}; what is learned is kept.")
        _curves(lesson.path)
    else:
        frame.quiet(
            f"Every terrain differs: a copy of {lesson.model.name} learns the ground of {name} for "
            "some minutes."
        )
    if learning.lacking():
        frame.quiet(f"Learning by {lesson.model.name} needs PyTorch: {learning.INSTALL}")
        return
    label = "Resume" if begun else "Learn this scene"
    if st.button(label, type="primary", key="learn"):
        job = state.worker().learn(lesson.scene, str(lesson.model.path), state.asker())
        st.rerun()


@st.fragment(run_every=1.0)
def _under_way(number: int, lesson: learning.Lesson) -> None:
    """The learning under way, drawn anew each second."""
    job = state.worker().jobs[number]
    if not job.active:
        st.rerun()
    words = frame.learning_words(job)
    with st.container(horizontal=True, vertical_alignment="center", key="progress"):
        st.progress(round(100 * (job.learning.part if job.learning else 0.0)), words)
        barred = job.cancelled.is_set() or not state.worker().may_cancel(job, state.asker())
        st.button("Cancel", on_click=job.cancel, disabled=barred, key="cancel")
    _curves(lesson.path)


def _curves(model: Path) -> None:
    """The losses of a model as it learned, or learns."""
    if found := learning.curves(model):
        st.plotly_chart(charts.losses(found), config=charts.CONFIG, key="losses")


def _job(lesson: learning.Lesson) -> Job | None:
    """The last job that had this model learn this scene, by itself or before a scan."""
    known = (job for job in reversed(state.worker().jobs.values()) if job.learner)
    return next((job for job in known if _is_about(job, lesson)), None)


def _is_about(job: Job, lesson: learning.Lesson) -> bool:
    if job.lesson:
        return job.lesson.path == lesson.path
    return (job.path, job.learner) == (lesson.scene.path, str(lesson.model.path))


def _scan(lesson: learning.Lesson) -> None:
    """Scan the scene with what has learned it, and look on."""
    scene = lesson.scene
    settings = ScanSettings(str(lesson.path))
    job = state.worker().submit(scene.path, scene.name, settings, scene=scene, asker=state.asker())
    st.session_state["watched"] = [job.number]
    frame.go_to("scan")
