"""Learning one scene: some minutes of training on its own ground, from the weights of a model.

Every terrain differs. What stands on the scene is seen too, but only as often as its few pixels
come into a random window: the article trained on its own scene in the same way.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

from rasterio.errors import NotGeoreferencedWarning

from dashboard.detector.errors import DamagedScene, ModelError, StoreError
from dashboard.detector.models.card import ModelCard
from dashboard.detector.scenes.ingest import ingest
from dashboard.detector.scenes.scene import Scene
from dashboard.detector.system.locks import alone
from training.model_files import graph_of, model_file
from training.presets import adaptation_of
from training.progress import Report, silent


def adapt(
    picture: Path,
    model: str,
    target: Path,
    epochs: int | None = None,
    report: Report = silent,
) -> ModelCard:
    """Writes to `target` the model after it has learned the picture's own ground; its card.

    The run's checkpoints and logs lie beside it, in `NAME.run`; the same call goes on with it.

    Args:
        picture: the scene to learn, a picture or one that is ingested already.
        model: a name in `exported/`, or a file.
        target: an ONNX file.
        epochs: instead of the recipe's.
        report: told what is done and which part of all is.

    Raises:
        SceneError: the picture cannot be used, or holds too little ground to learn.
        ModelError: the model cannot learn, or PyTorch and ONNX Runtime disagree in the end.
        StoreError: the run cannot be written, belongs to another scene, or is under way.
        KeyboardInterrupt: it was asked to stop; the same call goes on where it was.
    """
    path = model_file(model)
    _, card = graph_of(path)
    preset = adaptation_of(card.kind)
    if preset is None:
        raise ModelError(f"{path.name}: a network of kind {card.kind} cannot learn a scene")
    if card.learned:
        raise ModelError(f"{path.name}: has learned a scene already; give the model it was before")
    scene, run = _scene_of(picture), target.with_suffix(".run")
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{run}: cannot be written ({error.strerror}); give another --out") from (
            error
        )
    with alone(run / "lock", waiting=partial(_refuse_taken, run)):
        # Not above: it needs PyTorch, whose loading takes seconds.
        from training.scene_adaptation.fine_tune import fine_tune

        recipe = replace(preset, epochs=epochs or preset.epochs)
        return fine_tune(scene, path, recipe, target, report)


def _scene_of(picture: Path) -> Scene:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # any TIFF may be none of ours
        try:
            return Scene.open(picture)
        except DamagedScene:
            return ingest(picture)


def _refuse_taken(run: Path) -> None:
    raise StoreError(f"{run}: the scene is being learned there already; wait for that to end")
