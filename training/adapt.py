"""Learning one scene: some minutes of training on its own ground, from the weights of a model.

Every terrain differs. What stands on the scene is seen too, but only as often as its few pixels
come into a random window: the article trained on its own scene in the same way. Cross-fitting
learns one half of a chessboard to score the other, so that nothing is learned where it is scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dashboard.detector.card import ModelCard
from dashboard.detector.errors import ModelError
from dashboard.detector.scene import Scene
from dashboard.detector.tiling import Box
from training.data import Source, gather
from training.export import export
from training.presets import PRESETS
from training.train import TrainSettings, train
from training.weights import model_file, weights_of

RECIPES = {"guarded": "guarded-adapt", "critic": "critic-adapt"}  # by the kind of the model


SQUARE = 768  # px of the chessboard of cross-fitting: three windows of training, each way


def squares(scene: Scene, black: bool) -> tuple[Box, ...]:
    """The black squares of a chessboard over a scene, or the white ones."""
    return tuple(
        Box(x, y, min(x + SQUARE, scene.width), min(y + SQUARE, scene.height))
        for row, y in enumerate(range(0, scene.height, SQUARE))
        for col, x in enumerate(range(0, scene.width, SQUARE))
        if (row + col) % 2 == black
    )


def adapt(
    picture: Path,
    model: str,
    target: Path,
    epochs: int | None = None,
    black: bool | None = None,
) -> ModelCard:
    """Writes to `target` the model after it has learned the picture's own ground; its card.

    The run's checkpoint and logs lie beside it, in `NAME.run`; the same call goes on with it.

    Args:
        picture: the scene to learn.
        model: a name in `exported/`, or a file.
        target: an ONNX file.
        epochs: instead of the recipe's.
        black: learn the black squares of a chessboard alone, or the white ones; all where None.

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

    def whole() -> list[Source]:
        return gather([picture], polluted=True)

    def learned() -> Sequence[Source]:
        return whole() if black is None else [_without(source, not black) for source in whole()]

    train(run, settings, learned, start, ordinary=whole)
    return export(run, target)


def _without(source: Source, black: bool) -> Source:
    """The source without the squares of one colour."""
    return replace(source, left_out=tuple(squares(scene, black) for scene in source.scenes))
