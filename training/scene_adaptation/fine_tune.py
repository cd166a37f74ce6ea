"""All weights of a network trained on for some minutes on one scene's own ground."""

from __future__ import annotations

from pathlib import Path

from dashboard.detector.models.card import ModelCard
from dashboard.detector.scenes.scene import Scene
from training.onnx_files.export import export
from training.onnx_files.weights import weights_of
from training.presets import Preset
from training.progress import EXPORTING, LEARNING, MEASURING, Report
from training.trainer.trainer import TrainSettings, train
from training.windows import Source

UNTIL = {LEARNING: 0.8, MEASURING: 0.88, EXPORTING: 1.0}  # parts of the work, about


def fine_tune(scene: Scene, path: Path, recipe: Preset, target: Path, report: Report) -> ModelCard:
    """Writes the model after it has learned a scene; its card.

    Args:
        scene: to be learned.
        path: of the model before.
        recipe: how.
        target: an ONNX file; the run's folder lies beside it.
        report: told what is done and which part of all is.

    Raises:
        ModelError: PyTorch and ONNX Runtime disagree in the end.
        StoreError: the run belongs to another scene or model.
        KeyboardInterrupt: it was asked to stop; the same call goes on where it was.
    """
    _, start = weights_of(path)
    settings = TrainSettings(
        recipe.name, recipe.epochs, (scene.name,), polluted=True, start=path.stem
    )
    run = target.with_suffix(".run")

    def told(doing: str, part: float) -> None:
        names = list(UNTIL)
        before = UNTIL[names[names.index(doing) - 1]] if doing != names[0] else 0.0
        report(doing, before + part * (UNTIL[doing] - before))

    train(run, settings, lambda: [Source(scene.name, (scene,), ((),))], start, report=told)
    told(EXPORTING, 0.0)
    return export(run, target)
