"""The article's experiment: what it found, what it missed, what it suggested.

One network is trained on the polluted scenes and scores them at stride 256, then with the same
weights at a fine stride. Then its three suggestions, each on its own: more epochs, a larger model,
and similar ground apart (a network for each scene; scores measured among similar tiles).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dashboard.detector import NoGround, OptionError
from training.evaluate.cases import Case
from training.evaluate.contestants import Contestant, Network
from training.evaluate.grounds import Apart, Calibrated
from training.evaluate.measures import found_of, review_cost, unmet
from training.evaluate.planted import series
from training.evaluate.subjects import Labelled


@dataclass(frozen=True)
class Scale:
    """How large the experiment is; times are those of two idle cores with AVX-512 BF16."""

    name: str
    preset: str
    wider: str  # preset
    epochs: int
    more: int  # epochs
    apart: int  # epochs for each scene; 0: similar ground is only measured apart
    fine: int  # px, the fine stride
    largest: int  # px; the middle of larger pictures is used


COARSE = 256  # px, the article's first stride
SCALES = {
    scale.name: scale
    for scale in (
        # Minutes: for tests, and to see that it runs. Learns next to nothing.
        Scale("smoke", "smoke", "smoke-wide", 1, 2, 1, fine=64, largest=1024),
        # Some 40 minutes of a core: an eighth of the article's channels, 10,000 windows instead of
        # 2,000,000, pictures cut to 1,280 px, the article's own strides.
        Scale("small", "article-eighth", "article-small", 1, 3, 1, fine=16, largest=1280),
        # The article's recipe; some hours of a GPU.
        Scale("full", "article", "article-wide", 200, 400, 200, fine=16, largest=1 << 20),
    )
}


def scale_of(name: str) -> Scale:
    """The scale of a name.

    Raises:
        OptionError: there is none.
    """
    if name not in SCALES:
        raise OptionError(f"--scale is {name}; it must be one of {', '.join(SCALES)}")
    return SCALES[name]


def polluted_scenes(scale: Scale, scenes: Sequence[str], folder: Path) -> list[Labelled]:
    """The scenes of the experiment: each ground with the article's six pieces on it, and the truth.

    What is there already is taken as it is.

    Raises:
        NoGround: the pieces fit on none of the grounds.
    """
    found = []
    for planted in series(1, scenes, vary=False, largest=scale.largest):
        known = sorted(folder.glob(f"{planted.name}.truth.json"))
        pictures = [p for p in folder.glob(f"{planted.name}.*") if p.suffix in (".png", ".jp2")]
        if not known or not pictures:
            try:
                picture, truth = planted.build(folder)
            except NoGround:
                continue  # a strip too narrow for six pieces
            truth.write(picture)
            pictures = [picture]
        found.append(Labelled(pictures[0]))
    if not found:
        raise NoGround("the six pieces fit on none of the scenes; give a larger one")
    return found


def train_network(
    name: str, preset: str, epochs: int, scenes: Sequence[Labelled], folder: Path
) -> Path:
    """A network trained on the polluted scenes and exported; it goes on where it was stopped.

    Its files lie in a folder of their own for these scenes.
    """
    from training.onnx_files.export import export
    from training.trainer.trainer import TrainSettings, train
    from training.windows import gather

    keys = " ".join(scene.key for scene in scenes)
    folder = folder / hashlib.sha256(f"{preset} {epochs} {keys}".encode()).hexdigest()[:12]
    target = folder / f"{name}.onnx"
    if not target.exists():
        pictures = [scene.picture for scene in scenes]
        settings = TrainSettings(preset, epochs, tuple(p.name for p in pictures), polluted=True)
        train(folder / f"{name}.run", settings, lambda: gather(pictures, polluted=True))
        export(folder / f"{name}.run", target)
    return target


def contestants(
    scale: Scale, scenes: Sequence[Labelled], folder: Path, device: str
) -> list[Contestant]:
    """The stages of the experiment, trained where they are not yet."""

    def network(name: str, preset: str, epochs: int, on: Sequence[Labelled]) -> Network:
        return Network.load(
            str(train_network(name, preset, epochs, on, folder)), scale.fine, device
        )

    fine = network("base", scale.preset, scale.epochs, scenes)
    base = Network(fine.model, COARSE)
    more = network("more-epochs", scale.preset, scale.more, scenes)
    wider = network("wider", scale.wider, scale.epochs, scenes)
    stages: list[Contestant] = [base, fine, more, wider]
    if scale.apart and len(scenes) > 1:  # with one, it would be the first network again
        own = {
            scene.picture.name: network(
                f"only-{scene.picture.stem}", scale.preset, scale.apart, [scene]
            )
            for scene in scenes
        }
        stages.append(Apart(f"a network a scene / {scale.fine}", own))
    return [*stages, Calibrated(fine)]


def sentences(scale: Scale, cases: Sequence[Case]) -> list[str]:
    """A sentence for each contestant: objects found and missed over its scenes."""
    cases = [case for case in cases if not case.planted]
    lines = [
        f"The article's experiment at scale {scale.name}: {scale.preset}, {scale.epochs} epochs, "
        f"trained on the polluted scenes themselves; fine stride {scale.fine} px"
    ]
    for name in dict.fromkeys(case.contestant for case in cases):
        own = [case for case in cases if case.contestant == name]
        found = found_of(outcome for case in own for outcome in case.objects)
        kinds = ", ".join(f"{kind} {hits} of {count}" for kind, (hits, count) in found.items())
        flagged, scored = sum(case.flagged for case in own), sum(case.scored for case in own)
        costs = ", ".join(
            f"{'over ' if unmet(case.objects) else ''}{review_cost(case.objects):,}" for case in own
        )
        lines.append(
            f"{name}: {flagged:,} of {scored:,} positions flagged; found {kinds}; "
            f"review cost {costs}"
        )
    return lines
