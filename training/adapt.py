"""Learning one scene: some minutes of training on its own ground, from the weights of a model.

Every terrain differs. What stands on the scene is seen too, but only as often as its few pixels
come into a random window: the article trained on its own scene in the same way. A critic, which is
taught what does not count, would learn all the same that what stands there is ground. So its last
layer alone is fitted (`last_layer.py`), or it is cross-fitted: two networks learn half of a
chessboard each, and either scores what the other has learned (`dashboard/detector/chessboard.py`).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rasterio.errors import NotGeoreferencedWarning
from torch import Tensor

from dashboard.detector.card import ModelCard
from dashboard.detector.chessboard import Chessboard
from dashboard.detector.errors import DamagedScene, ModelError, OptionError, StoreError
from dashboard.detector.ingest import ingest
from dashboard.detector.locks import alone
from dashboard.detector.scene import Scene
from dashboard.detector.tiling import Box
from training import last_layer
from training.data import Source
from training.export import export, export_pair, write
from training.presets import PRESETS
from training.train import Report, TrainSettings, nobody, train
from training.weights import model_file, weights_of

WHOLE, HALVES, LAST = "whole", "halves", "last"
FITS = (WHOLE, HALVES, LAST)
# px. A square is what a scan looks at at a time, so that one network is asked and not both; a part
# of that where a scene has no room for several, but always twice as wide as a window of training.
SQUARES = (1536, 768, 512)
ROOM = 2  # squares along the shorter side of a scene, for squares of that size to be taken
LEARNING, MEASURING, EXPORTING = "learning", "measuring", "exporting"
LOOKED = 0.97  # of the fitting of a last layer is looking at the scene
UNTIL = {LEARNING: 0.8, MEASURING: 0.88, EXPORTING: 1.0}  # parts of the work, about


@dataclass(frozen=True)
class Recipe:
    """How a kind of network learns a scene."""

    preset: str
    fit: str  # one of FITS, where nothing else is asked for


RECIPES = {  # by the kind of the model
    "guarded": Recipe("guarded-adapt", WHOLE),
    "critic": Recipe("critic-adapt", LAST),
}


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


def adapt(
    picture: Path,
    model: str,
    target: Path,
    epochs: int | None = None,
    fit: str | None = None,
    report: Report = nobody,
) -> ModelCard:
    """Writes to `target` the model after it has learned the picture's own ground; its card.

    The run's checkpoints and logs lie beside it, in `NAME.run`; the same call goes on with it.

    Args:
        picture: the scene to learn, a picture or one that is ingested already.
        model: a name in `exported/`, or a file.
        target: an ONNX file.
        epochs: instead of the recipe's; none of a last layer.
        fit: `whole`, `halves`, or `last` for a critic's last layer; as suits the kind where None.
        report: told what is done and which part of all is.

    Raises:
        SceneError: the picture cannot be used.
        ModelError: the model cannot learn, or PyTorch and ONNX Runtime disagree in the end.
        OptionError: the scene is too small for halves, or the model has no last layer.
        StoreError: the run cannot be written, belongs to another scene, or is under way.
        KeyboardInterrupt: it was asked to stop; the same call goes on where it was.
    """
    path = model_file(model)
    card, start = weights_of(path)
    recipe = RECIPES.get(card.kind)
    if recipe is None:
        raise ModelError(f"{path.name}: a network of kind {card.kind} cannot learn a scene")
    if not start or card.preset == last_layer.PRESET:
        raise ModelError(f"{path.name}: has learned a scene already; give the model it was before")
    fit = fit or recipe.fit
    if fit == LAST and not card.judges:
        raise OptionError(f"{path.name}: only a critic's last layer can be fitted; leave out --fit")
    if fit == LAST and epochs:
        raise OptionError("a last layer is fitted without epochs; leave out --epochs")
    scene = _scene_of(picture)
    preset = recipe.preset
    settings = TrainSettings(
        preset, epochs or PRESETS[preset].epochs, (scene.name,), polluted=True, start=path.stem
    )
    lesson, run = Lesson(scene, start, settings), target.with_suffix(".run")
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{run}: cannot be written ({error.strerror}); give another --out") from (
            error
        )
    with alone(run / "lock", waiting=partial(_taken, run)):
        if fit == LAST:
            graph, learned = last_layer.learn(path, card, scene, run, partial(_looked, report))
            report(EXPORTING, LOOKED)
            write(target, graph)
            return learned
        if fit == WHOLE:
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
            f"{side} px; learn it as a whole (--fit {WHOLE})"
        )
    board = replace(card, square=side).board
    assert board is not None
    return board


def _scene_of(picture: Path) -> Scene:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # any TIFF may be none of ours
        try:
            return Scene.open(picture)
        except DamagedScene:
            return ingest(picture)


def _taken(run: Path) -> None:
    raise StoreError(f"{run}: the scene is being learned there already; wait for that to end")


def _looked(report: Report, doing: str, part: float) -> None:
    """Says of what part of the looking is done how far all is."""
    report(doing, LOOKED * part)


def _report(report: Report, number: int, of: int, doing: str, part: float) -> None:
    """Says of what is done in one of several trainings how far all is."""
    names = list(UNTIL)
    before = UNTIL[names[names.index(doing) - 1]] if doing != names[0] else 0.0
    done = before + part * (UNTIL[doing] - before)
    if doing != EXPORTING:  # which is done once, when all have been trained
        done = (UNTIL[MEASURING] * number + done) / of
    report(doing, done)
