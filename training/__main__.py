"""The training command line: `python -m training COMMAND`, from training to its measures."""

from __future__ import annotations

import argparse
import json
import os
import signal
import stat
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dashboard.detector.errors import NeedleError, OptionError
from training.presets import GUARDED, PRESETS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 on success, 2 on bad input with one line on standard error."""
    options = parser().parse_args(arguments)
    try:
        options.command(options)
    except NeedleError as error:
        print(f"needle: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("needle: stopped; the same command goes on where it was", file=sys.stderr)
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="train a completion network, or go on training it")
    train.add_argument("--preset", required=True, help=f"one of {', '.join(PRESETS)}")
    train.add_argument("--scenes", required=True, nargs="+", help="pictures, or folders of them")
    train.add_argument("--out", required=True, type=Path, metavar="RUN", help="the run's folder")
    train.add_argument("--epochs", type=int, help="instead of the preset's; a resumed run's too")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument(
        "--polluted",
        action="store_true",
        help="train on known objects too, as the article did; else the boxes of each "
        "STEM.truth.json are left out",
    )
    train.add_argument(
        "--start",
        metavar="MODEL",
        help="a name in exported/, or a file: begin with its weights",
    )
    train.set_defaults(command=run_train)

    export = commands.add_parser("export", help="write a run's network as an ONNX file")
    export.add_argument("run", type=Path)
    export.add_argument("target", type=Path, metavar="NAME.onnx")
    export.set_defaults(command=run_export)

    adapt = commands.add_parser("adapt", help="let a model learn the scene's own ground")
    adapt.add_argument("scene", type=Path)
    adapt.add_argument("--model", default=GUARDED.name, help="a name in exported/, or a file")
    adapt.add_argument("--out", required=True, type=Path, metavar="NAME.onnx")
    adapt.add_argument("--epochs", type=int, help="of 4,800 windows (default 1: a minute or two)")
    adapt.add_argument(
        "--report", action="store_true", help="print progress as lines of JSON, for programs"
    )
    adapt.set_defaults(command=run_adapt)

    plant = commands.add_parser("plant", help="plant hardware in a scene, with its truth")
    plant.add_argument("scene", type=Path, nargs="?", help="left out with --demo")
    plant.add_argument("--demo", action="store_true", help="make the demo scene itself")
    plant.add_argument("--seed", type=int, default=0)
    plant.add_argument("--out", required=True, type=Path, metavar="DIR")
    plant.set_defaults(command=run_plant)

    _add_evaluate(commands)
    return top


def run_train(options: argparse.Namespace) -> None:
    """`train`: gather the scenes, run the recipe."""
    from training.onnx_files.weights import start_of
    from training.trainer.trainer import TrainSettings, train
    from training.windows import gather

    preset = PRESETS.get(options.preset)
    start = options.start
    settings = TrainSettings(
        preset=options.preset,
        epochs=options.epochs if options.epochs is not None else (preset.epochs if preset else 1),
        scenes=tuple(Path(scene).name for scene in options.scenes),
        polluted=options.polluted,
        seed=options.seed,
        start=Path(start).stem if start else None,
    )
    weights = start_of(start, settings.recipe.kind) if start else None
    checkpoint = train(
        options.out,
        settings,
        lambda: gather(options.scenes, options.polluted, paths_with_bar),
        weights,
    )
    print(checkpoint)


def run_export(options: argparse.Namespace) -> None:
    """`export`: one ONNX file, or an error and none."""
    from training.onnx_files.export import export

    card = export(options.run, options.target)
    print(f"{options.target}: {card.parameters:,} parameters, parity {card.parity:.1e}")


def run_adapt(options: argparse.Namespace) -> None:
    """`adapt`: a model that has learned the scene's own ground."""
    from training.progress import silent
    from training.scene_adaptation.adapt import adapt

    def say(doing: str, part: float) -> None:
        try:
            print(json.dumps({"doing": doing, "part": round(part, 4)}), flush=True)
        except BrokenPipeError as error:  # who asked for it is gone
            raise KeyboardInterrupt from error

    report = say if options.report else silent
    if options.report:
        _end_with_asker()
    card = adapt(options.scene, options.model, options.out, options.epochs, report)
    if not options.report:
        print(f"{options.out}: {card.windows_seen:,} windows, parity {card.parity:.1e}")


def _end_with_asker() -> None:
    """Asks this process to end when standard input, where it is a pipe, is closed."""
    if sys.stdin is None or not stat.S_ISFIFO(os.fstat(0).st_mode):
        return

    def watch() -> None:
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="needle-asker", daemon=True).start()


def run_plant(options: argparse.Namespace) -> None:
    """`plant`: a picture with hardware, and its truth."""
    from training.simulation.planting import demo_scene, plant_scene

    if options.demo == (options.scene is not None):
        raise OptionError("name a scene to plant in, or give --demo, not both")
    if options.demo:
        made = demo_scene(options.out, options.seed)
    else:
        made = plant_scene(options.scene, options.seed, options.out)
    for path in made:
        print(path)


def _add_evaluate(commands: Any) -> None:
    """The command `evaluate` and its options."""
    evaluate = commands.add_parser(
        "evaluate", help="what models find in scenes with truth, and what it costs to review"
    )
    evaluate.add_argument(
        "models", nargs="*", metavar="MODEL", help="a name in exported/, or a file"
    )
    evaluate.add_argument("--scenes", nargs="+", default=[], help="pictures, or folders of them")
    evaluate.add_argument("--out", required=True, type=Path, metavar="report.json")
    evaluate.add_argument(
        "--rules",
        nargs="+",
        default=["mean"],
        metavar="RULE",
        help="what sigma is (as of `scan --rule`): the models by each of these",
    )
    evaluate.add_argument("--stride", type=int, help="px, of models that score tile by tile")
    evaluate.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    evaluate.add_argument(
        "--planted",
        type=int,
        default=0,
        metavar="N",
        help="plant hardware on each scene too, N times; without --scenes on the real ground in "
        "../shared/data, or on synthetic ground",
    )
    evaluate.add_argument(
        "--contrasts",
        nargs="+",
        choices=("real", "hard"),
        default=["real", "hard"],
        help="of what is planted: the real thing's; varied in size, and fainter",
    )
    evaluate.add_argument(
        "--adapt",
        action="store_true",
        help="the models after they have learned each scene, too: minutes for each",
    )
    evaluate.add_argument("--peers", action="store_true", help="other detectors in the same table")
    evaluate.add_argument(
        "--story",
        action="store_true",
        help="the article's experiment: two strides, then its three suggestions, each trained",
    )
    evaluate.add_argument(
        "--scale", default="small", help="of the experiment: small, full, or smoke"
    )
    evaluate.set_defaults(command=run_evaluate)


def run_evaluate(options: argparse.Namespace) -> None:
    """`evaluate`: a report of three files."""
    from training.evaluate.command import EvaluateSettings, evaluate

    settings = EvaluateSettings(
        models=tuple(options.models),
        scenes=tuple(options.scenes),
        out=options.out,
        rules=tuple(options.rules),
        stride=options.stride,
        device=options.device,
        planted=options.planted,
        contrasts=tuple(options.contrasts),
        peers=options.peers,
        adapt=options.adapt,
        story=options.scale if options.story else None,
    )
    for path in evaluate(settings, trials_with_bar):
        print(path)


def trials_with_bar(trials: Sequence[Any]) -> Iterator[Any]:
    """The trials, with a progress bar where a terminal looks on."""
    from tqdm import tqdm

    return iter(tqdm(trials, unit=" scenes", disable=None))


def paths_with_bar(paths: Sequence[Path], name: str) -> Iterator[Path]:
    """The paths, with a progress bar where there are many and a terminal looks on."""
    from tqdm import tqdm

    disable = True if len(paths) < 2 else None
    return iter(tqdm(paths, desc=name, unit=" pictures", disable=disable))


if __name__ == "__main__":
    sys.exit(main())
