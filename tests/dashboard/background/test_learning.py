"""Learning a scene from the dashboard: a process that is followed, stopped and gone on with."""

from __future__ import annotations

import json
import os
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.__main__ import main
from dashboard.background import learning
from dashboard.background.jobs import Job, State, Worker
from dashboard.background.learning import (
    LearningError,
    Lesson,
    Step,
    curves,
    learn,
)
from dashboard.detector import Model, ScanSettings, ScanStore, Scene, list_scans
from dashboard.pages import frame
from dashboard.session import state
from tests.dashboard.background.test_jobs import ended
from tests.dashboard.pages.test_pages import page, text
from tests.detector import rasters
from tests.detector.scans import finish_scan
from tests.models import area_model, around_model, plain_model

Scenes = Callable[..., Scene]

# What stands in for `python -m training`: as slow as it is told, it learns nothing.
STAND_IN = """
import json, pathlib, shutil, signal, sys, time
picture, model, out = sys.argv[2], sys.argv[4], pathlib.Path(sys.argv[6])
assert sys.argv[1] == "adapt" and sys.argv[3] == "--model" and sys.argv[5] == "--out"
assert sys.argv[7:] == ["--report"] and pathlib.Path(picture).is_file()
run = out.with_suffix(".run")
run.mkdir(parents=True, exist_ok=True)
kept = run / "checkpoint.pt"
done = int(kept.read_text()) if kept.exists() else 0
def stop(*_):
    kept.write_text(str(done))
    sys.exit(130)
signal.signal(signal.SIGTERM, stop)
with (run / "log.csv").open("a", buffering=1) as log:
    if not done:
        log.write("step,epoch,tiles,loss\\n")
    while done < 20:
        done += 1
        log.write(f"{done},0,{16 * done},{1 / done}\\n")
        print(json.dumps({"doing": "learning", "part": done / 20}), flush=True)
        time.sleep(%(pause)s)
%(end)s
kept.write_text("20")
shutil.copy(%(result)r, out)
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes a program that learns nothing what the dashboard starts; what it will give."""
    result = area_model(tmp_path / "result.onnx", preset="guarded-adapt", title="It has learned")

    def make(pause: float = 0.0, end: str = "") -> Path:
        package = tmp_path / "stand_in" / "training"
        package.mkdir(parents=True, exist_ok=True)
        facts = {"pause": pause, "end": textwrap.dedent(end), "result": str(result)}
        (package / "__main__.py").write_text(STAND_IN % facts)
        (package / "__init__.py").touch()
        monkeypatch.setattr(learning, "ROOT", package.parent)
        return result

    return make


@pytest.fixture
def learner(tmp_path: Path) -> Path:
    """A model of a kind that learns."""
    return area_model(tmp_path / "areas.onnx")


@pytest.fixture
def lesson(scene_of: Scenes, learner: Path) -> Lesson:
    return Lesson(scene_of(), Model.load(learner, "cpu"))


def until(true: Callable[[], object], seconds: float = 30) -> None:
    """Waits for something to be so."""
    last = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < last
        time.sleep(0.01)


def test_a_scene_is_learned_once_and_what_is_kept_is_named_after_both(
    lesson: Lesson, stand_in: Callable[..., Path]
) -> None:
    result = stand_in()
    assert not lesson.learned
    told: list[Step | None] = []
    path = learn(lesson, told.append)
    assert path == lesson.path
    assert path.name == "areas-scene.onnx"
    assert path.read_bytes() == result.read_bytes()
    assert told[0] is None
    last = told[-1]
    assert last is not None
    assert (last.doing, last.part) == ("learning", 1.0)
    (curve,) = curves(path)
    assert (curve.name, curve.windows[:2], curve.losses[:2]) == ("", [16, 32], [1.0, 0.5])
    assert not list(path.parent.rglob("checkpoint.pt"))
    told.clear()
    assert learn(lesson, told.append) == path
    assert not told


@pytest.mark.skipif(os.name != "posix", reason="other systems end a process without asking")
def test_learning_that_is_stopped_goes_on_where_it_was(
    lesson: Lesson, stand_in: Callable[..., Path]
) -> None:
    stand_in(pause=0.05)
    parts: list[float] = []

    def told(step: Step | None) -> None:
        parts.extend([step.part] if step else [])
        if step and step.part > 0.2 and not stopped:
            stopped.append(step)
            raise InterruptedError

    stopped: list[Step] = []
    with pytest.raises(InterruptedError):
        learn(lesson, told)
    assert stopped[0].left is not None
    assert not lesson.learned
    before = len(curves(lesson.path)[0].windows)
    parts.clear()
    learn(lesson, told)
    assert parts[0] > 0.2
    windows = curves(lesson.path)[0].windows
    assert windows == [16 * step for step in range(1, 21)]
    assert 0 < before < len(windows)


def test_who_wants_what_is_being_learned_waits_and_shares_it(
    lesson: Lesson, stand_in: Callable[..., Path], tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    stand_in(pause=0.05, end=f"open({str(runs)!r}, 'a').write('x')")
    with ThreadPoolExecutor(2) as both:
        first, second = (both.submit(learn, lesson, lambda _: None) for _ in range(2))
        assert first.result(60) == second.result(60) == lesson.path
    assert runs.read_text() == "x"
    assert not list(lesson.path.parents[1].glob(".*"))


@pytest.mark.skipif(os.name != "posix", reason="other systems end a process without asking")
def test_who_waits_goes_on_with_what_another_has_stopped(
    lesson: Lesson, stand_in: Callable[..., Path]
) -> None:
    stand_in(pause=0.05)
    waits = threading.Event()
    parts: list[float] = []

    def stops(step: Step | None) -> None:
        if step and step.part > 0.2 and waits.is_set():
            raise InterruptedError

    def told(step: Step | None) -> None:
        waits.set()
        parts.extend([step.part] if step else [])

    with ThreadPoolExecutor(2) as both:
        first = both.submit(learn, lesson, stops)
        until(lambda: lesson.path.with_suffix(".run").exists())
        second = both.submit(learn, lesson, told)
        assert isinstance(first.exception(60), InterruptedError)
        assert second.result(60) == lesson.path
    assert parts[0] > 0.2
    assert curves(lesson.path)[0].windows == [16 * step for step in range(1, 21)]


def test_what_the_training_says_is_wrong_is_said(
    lesson: Lesson, stand_in: Callable[..., Path]
) -> None:
    stand_in(end="print('needle: too little ground', file=sys.stderr); sys.exit(2)")
    with pytest.raises(LearningError, match=r"^too little ground$"):
        learn(lesson, lambda _: None)
    assert not lesson.learned


def test_a_fault_of_the_training_is_logged(
    lesson: Lesson, stand_in: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    stand_in(end="raise RuntimeError('a bug')")
    with pytest.raises(LearningError, match="something went wrong while learning it"):
        learn(lesson, lambda _: None)
    assert "RuntimeError: a bug" in caplog.text


def test_without_torch_the_line_that_installs_it_is_said(
    lesson: Lesson, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "NEEDED", ("no_such_package",))
    with pytest.raises(LearningError, match=r"PyTorch: make learn installs it, or pip install -r "):
        learn(lesson, lambda _: None)


def test_the_command_line_scans_with_what_has_learned_the_scene(
    lesson: Lesson, learner: Path, stand_in: Callable[..., Path], tmp_path: Path
) -> None:
    stand_in()
    picture = rasters.write(tmp_path / "scene.png", rasters.ground(300, 400))
    for _ in range(2):  # the second time it is known
        scanned = ["scan", str(picture), "--out", str(tmp_path / "out"), "--model", str(learner)]
        assert main([*scanned, "--learn"]) == 0
        run = json.loads((tmp_path / "out" / "run.json").read_text())
        assert "areas-scene" in json.dumps(run["model"])
        stand_in(end="raise RuntimeError")
    assert main([*scanned, "--learn", "--area", "0,0,9999,9"]) == 2


def test_a_scan_that_learns_first_scans_with_what_has_learned(
    lesson: Lesson, learner: Path, stand_in: Callable[..., Path], tmp_path: Path
) -> None:
    stand_in(pause=0.02)
    picture = tmp_path / lesson.scene.name
    worker = Worker()
    settings = ScanSettings(str(learner), device="cpu")
    job = worker.submit(picture, "mars.tif", settings, learn_first=True)
    assert worker.submit(picture, "mars.tif", settings, learn_first=True) is job
    assert worker.submit(picture, "mars.tif", settings) is not job
    until(lambda: job.learning or not job.active)
    assert (job.state, job.error) == (State.LEARNING, None)
    assert worker.busy()
    ended(job)
    assert (job.state, job.error) == (State.DONE, None)
    assert job.store is not None
    assert job.store.model_name == "areas-mars"
    assert job.store.record.model_path == str(job.lesson and job.lesson.path)
    until(lambda: not worker.busy())
    assert {store.model_name for store in list_scans()} == {"areas", "areas-mars"}


@pytest.mark.skipif(os.name != "posix", reason="other systems end a process without asking")
def test_a_job_that_learns_can_be_cancelled_and_is_no_scan(
    lesson: Lesson, learner: Path, stand_in: Callable[..., Path]
) -> None:
    stand_in(pause=0.2)
    worker = Worker()
    job = worker.learn(lesson.scene, str(learner))
    assert worker.learn(lesson.scene, str(learner)) is job
    assert worker.scans() == []
    until(lambda: job.learning)
    job.cancel()
    ended(job)
    assert (job.state, job.store, lesson.learned) == (State.CANCELLED, None, False)
    stand_in()
    again = ended(worker.learn(lesson.scene, str(learner)))
    assert (again.state, lesson.learned) == (State.DONE, True)


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for Python is a shell script")
def test_the_real_training_teaches_a_real_network(
    scene_of: Scenes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a recipe of forty small steps; the rest is what the button on the page does."""
    from training.kinds import calibration
    from training.onnx_files.export import export
    from training.trainer.trainer import TrainSettings, train
    from training.windows import gather

    monkeypatch.setattr(calibration, "AREAS", 2)
    scene = scene_of()
    settings = TrainSettings("smoke-guarded", 1, ("scene.tif",))
    train(tmp_path / "run", settings, lambda: gather([tmp_path / "scene.tif"], polluted=False))
    export(tmp_path / "run", tmp_path / "small.onnx")
    (tmp_path / "small.py").write_text(
        "import sys\n"
        "from dataclasses import replace\n"
        "from training.kinds import calibration\n"
        "from training.__main__ import main\n"
        "from training.presets import PRESETS\n"
        "calibration.AREAS, name = 2, 'guarded-adapt'\n"
        "PRESETS[name] = replace(PRESETS[name], width=0.25, windows=160, batch=4)\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\nshift 2\nPYTHONPATH=. exec {sys.executable} {tmp_path}/small.py "$@"\n'
    )
    python.chmod(0o755)
    monkeypatch.setattr(learning.sys, "executable", str(python))
    job = ended(Worker().learn(scene, str(tmp_path / "small.onnx")), seconds=300)
    assert (job.state, job.error) == (State.DONE, None)
    assert job.lesson is not None
    learned = Model.load(job.lesson.path, "cpu")
    assert (learned.card.scenes, learned.card.windows_seen) == (("scene.tif",), 160)
    assert learned.card.learned
    assert len(curves(job.lesson.path)[0].losses) == 4
    assert job.learning is not None
    assert job.learning.doing == "exporting"


def scan_by(scene: Scene, path: Path) -> ScanStore:
    return finish_scan(scene, Model.load(path, "cpu"))


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, learner: Path, tmp_path: Path) -> Worker:
    """Pages that know a model that learns and one that does not; their worker."""
    plain_model(tmp_path / "plain.onnx")
    worker = Worker()
    monkeypatch.setattr(sys.modules["dashboard.detector.models.model"], "EXPORTED", tmp_path)
    monkeypatch.setattr(state, "list_models", lambda: [learner, tmp_path / "plain.onnx"])
    monkeypatch.setattr(state, "DEFAULT_MODEL", learner.stem)
    monkeypatch.setattr(state, "worker", lambda: worker)
    return worker


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def test_the_models_page_learns_the_open_scene_and_scans_with_what_has(
    scene_of: Scenes,
    learner: Path,
    shown: Worker,
    stand_in: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = stand_in(pause=0.1)
    store = scan_by(scene_of(), learner)
    app = page("models", card="areas")
    assert "Learn this scene" in [one.value for one in app.subheader]
    assert "learns the ground of scene.tif" in text(app)
    assert app.get("plotly_chart") == []
    app.button(key="learn").click().run()
    job = next(job for job in shown.jobs.values() if job.learner)
    until(lambda: job.learning)
    app.run()
    assert not app.exception
    assert "Cancel" in labels(app)
    assert len(app.get("plotly_chart")) == 1
    ended(job)
    app.run()
    assert "areas-scene has learned scene.tif" in text(app)
    assert app.segmented_control(key="card").options == ["areas", "plain", "areas-scene"]
    assert "Scan with it" in labels(app)
    learned = page("models", card="areas-scene")
    assert not learned.exception
    assert "It has learned" in text(learned)
    assert "How it learned the scene" in [one.value for one in learned.subheader]
    assert "Learn this scene" not in [one.value for one in learned.subheader]
    assert "training adapt" in learned.code[0].value
    assert result.stat().st_size == job.lesson.path.stat().st_size  # type: ignore[union-attr]
    assert store.model_name == "areas"
    gone: list[str] = []
    monkeypatch.setattr(frame, "go_to", gone.append)
    app.button(key="scan_learned").click().run()
    assert gone == ["scan"]
    scan_job = ended(list(shown.jobs.values())[-1])
    assert (scan_job.state, scan_job.error) == (State.DONE, None)
    assert scan_job.store is not None
    assert scan_job.store.model_name == "areas-scene"


@pytest.mark.skipif(os.name != "posix", reason="other systems end a process without asking")
def test_the_models_page_says_where_learning_was_stopped_or_failed(
    scene_of: Scenes, learner: Path, shown: Worker, stand_in: Callable[..., Path]
) -> None:
    stand_in(pause=0.2)
    scan_by(scene_of(), learner)
    app = page("models", card="areas")
    app.button(key="learn").click().run()
    job: Job = next(job for job in shown.jobs.values() if job.learner)
    until(lambda: job.learning)
    app.run()
    app.button(key="cancel").click().run()
    ended(job)
    app.run()
    assert "Stopped while it learned scene.tif; what is learned is kept." in text(app)
    assert "Resume" in labels(app)
    stand_in(end="print('needle: the disk is full', file=sys.stderr); sys.exit(2)")
    app.button(key="learn").click().run()
    again = list(shown.jobs.values())[-1]
    assert ended(again).state is State.FAILED
    app.run()
    assert [one.value for one in app.error] == ["the disk is full"]
    assert "Resume" in labels(app)


def test_a_model_that_cannot_learn_offers_nothing(
    scene_of: Scenes, learner: Path, shown: Worker
) -> None:
    scan_by(scene_of(), learner)
    app = page("models", card="plain")
    assert not app.exception
    assert "Learn this scene" not in [one.value for one in app.subheader]
    assert "learn" not in {button.key for button in app.button}


def test_the_scan_page_offers_to_learn_first(
    learner: Path, shown: Worker, stand_in: Callable[..., Path]
) -> None:
    stand_in(pause=0.1)
    app = page("scan")
    until(lambda: app.run() and app.get("checkbox"), 60)
    assert not app.exception
    app.checkbox(key="learn_first").check().run()
    assert "some minutes to learn the scene, then about" in text(app)
    app.selectbox(key="model").select("plain").run()
    assert not app.get("checkbox")
    app.selectbox(key="model").select("areas").run()
    app.checkbox(key="learn_first").check().run()
    app.button(key="scan_button").click().run()
    job = shown.scans()[0]
    until(lambda: job.learning)
    app.run()
    assert "What the model learns here is the ground" in text(app)
    job.cancel()
    ended(job)
    app.run()
    assert "resume" in {button.key for button in app.button}
    app.button(key="resume").click().run()
    again = ended(list(shown.jobs.values())[-1])
    assert (again.state, again.learner) == (State.DONE, job.learner)
    assert again.store is not None
    assert again.store.model_name == "areas-landing-site"
    app.run()
    assert "beyond 3 sigma" in text(app)


def test_without_torch_the_scan_page_says_how_to_get_it(
    learner: Path, shown: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "NEEDED", ("no_such_package",))
    app = page("scan")
    until(lambda: app.run() and app.get("checkbox"), 60)
    assert app.checkbox(key="learn_first").disabled
    assert learning.INSTALL in text(app)


def test_scores_that_stand_out_are_of_a_model_that_learns(tmp_path: Path) -> None:
    assert learning.can_learn(Model.load(around_model(tmp_path / "around.onnx"), "cpu"))
    assert not learning.can_learn(Model.load(plain_model(tmp_path / "plain.onnx"), "cpu"))
    learned = around_model(tmp_path / "learned.onnx", preset="guarded-adapt")
    assert not learning.can_learn(Model.load(learned, "cpu"))
