"""Learning one scene: some minutes of training on its own ground, from the weights of a model.

Every terrain differs. What stands on the scene is seen too, but only as often as its few pixels
come into a random window: the article trained on its own scene in the same way.
"""

from __future__ import annotations

from pathlib import Path

from dashboard.detector.card import ModelCard
from dashboard.detector.errors import ModelError
from training.data import gather
from training.export import export
from training.presets import PRESETS
from training.train import TrainSettings, train
from training.weights import model_file, weights_of

RECIPES = {"guarded": "guarded-adapt", "critic": "critic-adapt"}  # by the kind of the model


def adapt(picture: Path, model: str, target: Path, epochs: int | None = None) -> ModelCard:
    """Writes to `target` the model after it has learned the picture's own ground; its card.

    The run's checkpoint and logs lie beside it, in `NAME.run`; the same call goes on with it.

    Raises:
        SceneError: the picture cannot be used.
        ModelError: the model cannot learn, or PyTorch and ONNX Runtime disagree in the end.
        StoreError: the run cannot be written, or belongs to another scene.
    """
    path = model_file(model)
    card, start = weights_of(path)
    preset = RECIPES.get(card.kind)
    if preset is None:
        raise ModelError(f"{path.name}: a network of kind {card.kind} cannot learn a scene")
    settings = TrainSettings(
        preset, epochs or PRESETS[preset].epochs, (picture.name,), polluted=True, start=path.stem
    )
    run = target.with_suffix(".run")
    train(run, settings, lambda: gather([picture], polluted=True), start)
    return export(run, target)
