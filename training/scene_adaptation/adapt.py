"""Learning one scene: some minutes of training on its own ground, from the weights of a model.

Every terrain differs. What stands on the scene is seen too, but only as often as its few pixels
come into a random window: the article trained on its own scene in the same way. A critic, which is
taught what does not count, would learn all the same that what stands there is ground. So its last
layer alone is fitted (`last_layer.py`), or it is cross-fitted: two networks learn half of a
chessboard each, and either scores what the other has learned (`chessboard.py`).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rasterio.errors import NotGeoreferencedWarning

from dashboard.detector.errors import DamagedScene, ModelError, OptionError, StoreError
from dashboard.detector.models.card import ModelCard
from dashboard.detector.scenes.ingest import ingest
from dashboard.detector.scenes.scene import Scene
from dashboard.detector.system.locks import alone
from training.model_files import graph_of, model_file, write
from training.presets import PRESETS
from training.progress import EXPORTING, Report, nobody
from training.scene_adaptation import last_layer

WHOLE, HALVES, LAST = "whole", "halves", "last"
FITS = (WHOLE, HALVES, LAST)
LOOKED = 0.97  # of the fitting of a last layer is looking at the scene


@dataclass(frozen=True)
class Recipe:
    """How a kind of network learns a scene."""

    preset: str | None  # None: its weights as a whole cannot learn
    fit: str  # one of FITS, where nothing else is asked for


RECIPES = {  # by the kind of the model
    "guarded": Recipe("guarded-adapt", WHOLE),
    "critic": Recipe("critic-adapt", LAST),
    "second-look": Recipe(None, LAST),
}


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
        SceneError: the picture cannot be used, or holds too little ground to learn.
        ModelError: the model cannot learn, or PyTorch and ONNX Runtime disagree in the end.
        OptionError: the scene is too small for halves, or the model has no last layer.
        StoreError: the run cannot be written, belongs to another scene, or is under way.
        KeyboardInterrupt: it was asked to stop; the same call goes on where it was.
    """
    path = model_file(model)
    _, card = graph_of(path)
    recipe = RECIPES.get(card.kind)
    if recipe is None:
        raise ModelError(f"{path.name}: a network of kind {card.kind} cannot learn a scene")
    if card.fitted or card.square:
        raise ModelError(f"{path.name}: has learned a scene already; give the model it was before")
    fit = fit or recipe.fit
    if fit == LAST and not card.judges:
        raise OptionError(f"{path.name}: only a critic's last layer can be fitted; leave out --fit")
    if fit != LAST and recipe.preset is None:
        raise OptionError(f"{path.name}: its last layer alone can be fitted; leave out --fit")
    if fit == LAST and epochs:
        raise OptionError("a last layer is fitted without epochs; leave out --epochs")
    scene, run = _scene_of(picture), target.with_suffix(".run")
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{run}: cannot be written ({error.strerror}); give another --out") from (
            error
        )
    with alone(run / "lock", waiting=partial(_taken, run)):
        if fit == LAST:
            graph, learned = last_layer.learn(path, scene, run, partial(_looked, report))
            report(EXPORTING, LOOKED)
            write(target, graph)
            return learned
        # Not above: it needs PyTorch, which a last layer does without.
        from training.scene_adaptation.fine_tune import fine_tune

        assert recipe.preset is not None
        preset = PRESETS[recipe.preset]
        preset = replace(preset, epochs=epochs or preset.epochs)
        return fine_tune(scene, path, preset, fit == HALVES, target, report)


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
