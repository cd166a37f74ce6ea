"""`python -m training evaluate`: every contestant on every scene, and the report."""

from __future__ import annotations

import datetime
import hashlib
import json
import platform
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dashboard import __version__
from dashboard.detector import ARTICLE, RULES, NeedleError, NoGround, OptionError, SceneError
from training.evaluate import article_experiment
from training.evaluate.adapted import Adapted
from training.evaluate.cases import Case, Cases, case_of, write
from training.evaluate.contestants import Contestant, Network
from training.evaluate.peers import peers
from training.evaluate.planted import CONTRASTS, HARD, series
from training.evaluate.report import page
from training.evaluate.subjects import Trial, labelled_pictures
from training.evaluate.summary import case_record, cases_csv, record_of, rows_of

Track = Callable[[Sequence[Trial]], Iterable[Trial]]


@dataclass(frozen=True)
class EvaluateSettings:
    """Everything a user decides about an evaluation; written to the report."""

    models: tuple[str, ...]
    scenes: tuple[str, ...]
    out: Path
    rules: tuple[str, ...] = (ARTICLE,)  # each network's scores are read by each of them
    stride: int | None = None  # px, of networks that score tile by tile; their own where None
    device: str = "auto"
    planted: int = 0  # seeds on each ground
    contrasts: tuple[str, ...] = CONTRASTS  # of what is planted
    peers: bool = False
    adapt: bool = False  # the networks after they have learned each scene, too
    story: str | None = None  # the scale of the article's experiment

    def __post_init__(self) -> None:
        if self.out.suffix != ".json":
            raise OptionError(f"--out is {self.out}; it must be a .json file, as report.json")
        if not self.models and not self.peers and not self.story:
            raise OptionError("there is nothing to evaluate; name a model, or give --peers")
        for rule in self.rules:
            if rule not in RULES:
                raise OptionError(f"--rules is {rule}; it must be one of {', '.join(RULES)}")
        if self.planted < 0:
            raise OptionError(f"--planted is {self.planted}; it must be at least 1")
        if not self.scenes and not self.planted and not self.story:
            raise OptionError("there is nothing to evaluate on; give --scenes or --planted")

    @property
    def parts(self) -> Path:
        """The folder of what has been worked out; the same command goes on from it."""
        return self.out.with_suffix(".parts")


def evaluate(settings: EvaluateSettings, track: Track = iter) -> list[Path]:
    """Let the models and peers score the scenes, and write the report: JSON, CSV, HTML.

    Raises:
        SceneError: a scene or its truth cannot be used, or none has a truth.
        ModelError: a model cannot be used.
        StoreError: the report cannot be written.
    """
    contestants = contestants_of(settings)
    trials = trials_of(settings)
    if settings.story:
        scale = article_experiment.scale_of(settings.story)
        folder = settings.parts / scale.name
        scenes = article_experiment.polluted_scenes(scale, settings.scenes, folder / "scenes")
        stages = article_experiment.contestants(scale, scenes, folder / "models", settings.device)
        contestants, trials = [*stages, *contestants], [*scenes, *trials]
    cases, skipped = run_trials(trials, contestants, settings.parts, track)
    lines = article_experiment.sentences(scale, cases) if settings.story else []
    return write_report(
        settings, contestants, cases, [*lines, *(f"left out: {s}" for s in skipped)]
    )


def contestants_of(settings: EvaluateSettings) -> list[Contestant]:
    """The contestants that the settings name, the models first."""
    loaded = [Network.load(name, settings.stride, settings.device) for name in settings.models]
    networks = [replace(network, rule=rule) for network in loaded for rule in settings.rules]
    adapted = [Adapted(network, settings.device) for network in networks] if settings.adapt else []
    return [*networks, *adapted, *(peers() if settings.peers else [])]


def trials_of(settings: EvaluateSettings) -> list[Trial]:
    """The scenes that the settings name: those with a truth, then what is planted on all.

    Raises:
        SceneError: there is none.
    """
    if settings.story and not settings.planted:
        return []  # it makes its own of the scenes
    trials: list[Trial] = [*labelled_pictures(settings.scenes)]
    if settings.planted:
        for contrast in settings.contrasts:
            trials += series(settings.planted, settings.scenes, vary=contrast == HARD)
    if not trials:
        raise SceneError(
            f"{', '.join(settings.scenes)}: no picture has a truth beside it; "
            "write STEM.truth.json or STEM.truth.geojson"
        )
    return trials


def run_trials(
    trials: Sequence[Trial], contestants: Sequence[Contestant], parts: Path, track: Track = iter
) -> tuple[list[Case], list[str]]:
    """Every contestant on every trial, worked out or taken from `parts`; and what was skipped."""
    kept = Cases(parts / "cases")
    cases: list[Case] = []
    skipped: list[str] = []
    for trial in track(trials):
        try:
            skipped += _try(trial, contestants, kept, parts / _place(trial))
        except NoGround as error:
            skipped.append(f"{trial.name}: {error}")
        found = (kept.get(trial.key, contestant) for contestant in contestants)
        cases += [case for case in found if case]
    return cases, skipped


def _place(trial: Trial) -> str:
    """A folder's name of the trial's own: another evaluation may work beside this one."""
    return "scan-" + hashlib.sha256(trial.key.encode()).hexdigest()[:16]


def _try(trial: Trial, contestants: Sequence[Contestant], kept: Cases, work: Path) -> list[str]:
    """Works out what is missing; who could score nothing of the scene, and why."""
    missing = [contestant for contestant in contestants if kept.get(trial.key, contestant) is None]
    if not missing:
        return []
    skipped = []
    with trial.open(work) as (subject, scene, truth):
        for contestant in missing:
            try:
                case = case_of(subject, scene, truth, contestant, work)
            except NoGround as error:
                skipped.append(f"{trial.name}, {contestant.name}: {error}")
                continue
            kept.put(trial.key, contestant, case)
    shutil.rmtree(work, ignore_errors=True)
    return skipped


def write_report(
    settings: EvaluateSettings,
    contestants: Sequence[Contestant],
    cases: Sequence[Case],
    remarks: Sequence[str],
) -> list[Path]:
    """The paths of the report's three files."""
    if not cases:
        raise NeedleError(f"nothing could be evaluated: {'; '.join(remarks)}")
    rows = rows_of(cases)
    facts = _facts(settings)
    record: dict[str, Any] = {
        **facts,
        "contestants": [
            {"name": contestant.name, "key": contestant.key} for contestant in contestants
        ],
        "remarks": list(remarks),
        "rows": [record_of(row) for row in rows],
        "cases": [case_record(case) for case in cases],
    }
    lines = [
        f"Needle {facts['needle']}, {facts['date']}, {facts['machine']}",
        f"scored on {', '.join(dict.fromkeys(case.device for case in cases))}",
        f"made with: {facts['command']}",
        *remarks,
    ]
    title = "What is found, and what it costs to review"
    texts = {
        settings.out: json.dumps(record, indent=1) + "\n",
        settings.out.with_suffix(".csv"): cases_csv(cases),
        settings.out.with_suffix(".html"): page(title, lines, rows, cases),
    }
    for path, text in texts.items():
        write(path, text)
    return list(texts)


def _facts(settings: EvaluateSettings) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC)
    return {
        "needle": __version__,
        "date": now.date().isoformat(),
        "machine": f"{platform.machine()}, Python {platform.python_version()}, "
        f"numpy {version('numpy')}",
        "command": " ".join(["python -m training", *sys.argv[1:]]),
        "settings": asdict(settings) | {"out": settings.out.name},
    }
