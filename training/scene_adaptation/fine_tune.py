"""All weights of a network trained on for some minutes on one scene's own ground."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from torch import Tensor

from dashboard.detector.errors import OptionError
from dashboard.detector.models.card import ModelCard
from dashboard.detector.models.chessboard import Chessboard
from dashboard.detector.scenes.scene import Scene
from dashboard.detector.tiling import Box
from training.onnx_files.export import export, export_pair
from training.onnx_files.weights import weights_of
from training.presets import Preset
from training.progress import EXPORTING, LEARNING, MEASURING, Report
from training.trainer.trainer import TrainSettings, train
from training.windows import Source

# px. A square is what a scan looks at at a time, so that one network is asked and not both; a part
# of that where a scene has no room for several, but always twice as wide as a window of training.
SQUARES = (1536, 768, 512)
ROOM = 2  # squares along the shorter side of a scene, for squares of that size to be taken
UNTIL = {LEARNING: 0.8, MEASURING: 0.88, EXPORTING: 1.0}  # parts of the work, about


@dataclass(frozen=True)
class Lesson:
    """What is to be learned: a scene, from weights to begin with."""

    scene: Scene
    start: Mapping[str, Tensor]
    settings: TrainSettings

    def learn(self, run: Path, left_out: tuple[Box, ...], report: Report) -> None:
        """Train in the folder of a run on what lies in no box; the whole says what is ordinary."""
        whole = Source(self.scene.name, (self.scene,), ((),))
        part = replace(whole, left_out=(left_out,))
        train(run, self.settings, lambda: [part], self.start, lambda: [whole], report)


def fine_tune(
    scene: Scene,
    path: Path,
    recipe: Preset,
    by_halves: bool,
    target: Path,
    report: Report,
) -> ModelCard:
    """Writes the model after it has learned a scene; its card.

    Args:
        scene: to be learned.
        path: of the model before.
        recipe: how.
        by_halves: two networks learn half of a chessboard each.
        target: an ONNX file; the run's folder lies beside it.
        report: told what is done and which part of all is.

    Raises:
        ModelError: PyTorch and ONNX Runtime disagree in the end.
        OptionError: the scene is too small for halves.
        StoreError: the run belongs to another scene or model.
        KeyboardInterrupt: it was asked to stop; the same call goes on where it was.
    """
    card, start = weights_of(path)
    names = (scene.name,)
    settings = TrainSettings(recipe.name, recipe.epochs, names, polluted=True, start=path.stem)
    lesson, run = Lesson(scene, start, settings), target.with_suffix(".run")
    if not by_halves:
        lesson.learn(run, (), partial(_report, report, 0, 1))
        _report(report, 0, 1, EXPORTING, 0.0)
        return export(run, target)
    board = board_of(scene, card)
    halves = {black: run / ("black" if black else "white") for black in (True, False)}
    for number, (black, half) in enumerate(halves.items()):  # is left out and scored
        squares = board.squares(scene.width, scene.height, black)
        lesson.learn(half, squares, partial(_report, report, number, 2))
    _report(report, 1, 2, EXPORTING, 0.0)
    return export_pair(halves[True], halves[False], board.side, target)


def board_of(scene: Scene, card: ModelCard) -> Chessboard:
    """The chessboard whose halves two networks of this kind learn of a scene.

    Raises:
        OptionError: the scene is too small to have halves.
    """
    shorter, longer = sorted((scene.width, scene.height))
    fitting = (side for side in SQUARES if shorter >= ROOM * side)
    side = next(fitting, SQUARES[-1])
    if longer < ROOM * side:
        raise OptionError(
            f"{scene.name}: {scene.width} x {scene.height} px have no room for two halves of "
            f"{side} px; learn it as a whole (--fit whole)"
        )
    board = replace(card, square=side).board
    assert board is not None
    return board


def _report(report: Report, number: int, of: int, doing: str, part: float) -> None:
    """Says of what is done in one of several trainings how far all is."""
    names = list(UNTIL)
    before = UNTIL[names[names.index(doing) - 1]] if doing != names[0] else 0.0
    done = before + part * (UNTIL[doing] - before)
    if doing != EXPORTING:  # which is done once, when all have been trained
        done = (UNTIL[MEASURING] * number + done) / of
    report(doing, done)
