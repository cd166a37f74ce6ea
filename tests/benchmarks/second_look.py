"""What a second look at single places gains: a network of crops, taught like a critic.

    python -m tests.benchmarks.second_look learn look.pt --scenes hirise_chips hirise_tiles_512
    python -m tests.benchmarks.second_look try look.pt SCENE [SCENE ...] [--seeds 0 1]

`learn` plants things in windows of ground as a critic's training does and cuts out what is around
the places that surprise a critic's eye, those on things and those beside them: 32 x 32 values in
full, half and quarter resolution, contrast and standardised residual. A small network learns to
tell one from the other. Only places count, so that no time goes into ground that nobody asks about.

`try` ranks the places of scenes, as they are where their truth is known and with the article's six
pieces planted by COUNT seeds from FIRST on, by the model's score and so many times the network's
logit; one line of JSON a scene and weight: the false places above each piece, average precision.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from dashboard.detector import Box, Detection, Model, ScanStore, Scene, scan, sigma_map
from dashboard.detector.statistics import MAD_TO_SIGMA
from training.data import Plantings, gather
from training.evaluate.measures import EVERY, average_precision, judge
from training.evaluate.planted import Planted
from training.evaluate.subjects import Labelled, labelled
from training.files import model_file
from training.learners import network_of
from training.networks import BLOCK, guarded
from training.networks.critic import EYE, Convolutions
from training.networks.guarded import Guarded
from training.presets import PRESETS
from training.weights import weights_of

HALF, SIDE = 64, 32  # px around a place that are seen each way; values along a side of each picture
LAYERS = (3, 2, 2)  # contrast and residuals in full, half and quarter resolution
PEAK = 7  # blocks: side of the square in which one place is the strongest
STRONG, OTHERS = 4, 6  # places of a window that are taken for ground: the strongest, and any
EDGE = 4  # blocks at a window's border without places
WINDOWS, STEPS, ON_THINGS, ON_GROUND = 20_000, 3_400, 64, 128  # and places of a step
TOLD = 500  # windows, or steps, after which a line is printed
RATE, WARM = 1e-3, 200  # of learning, and steps until it is reached
AT_ONCE = 500  # places that are judged
CLIPPED = 20.0  # deviations of ground at which contrast is clipped
AREA, MARGIN = 1024, 96  # px of a scene whose residual is worked out at a time, and around it
WEIGHTS = (0.0, 0.2, 0.4, 1.0, 2.0, math.inf)  # of the logit in the score; inf: alone

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]


class Look(nn.Module):
    """Logits `[N]` of places `[N, 7, 32, 32]`: how much what is there looks put there."""

    def __init__(self) -> None:
        super().__init__()
        self.near = nn.ModuleList(_block(layers, 16, 2) for layers in LAYERS)
        self.far = nn.Sequential(
            nn.MaxPool2d(2), _block(48, 48, 2), nn.MaxPool2d(2), _block(48, 96, 2)
        )
        self.whole = nn.Sequential(nn.MaxPool2d(2), _block(96, 128, 1))
        self.last = nn.Sequential(nn.Linear(256, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 1))

    def forward(self, places: Tensor) -> Tensor:
        """As above."""
        parts = torch.split(places, list(LAYERS), dim=1)
        seen = torch.cat([look(part) for look, part in zip(self.near, parts, strict=True)], dim=1)
        seen = self.whole(self.far(seen))
        logit: Tensor = self.last(torch.cat([seen.mean((2, 3)), seen.amax((2, 3))], dim=1))
        return logit[:, 0]


def _block(inputs: int, channels: int, count: int) -> nn.Sequential:
    """Convolutions, each normalised over the batch before its ReLU."""
    layers = [
        part
        for layer in Convolutions(inputs, channels, count)
        for part in ([layer, nn.BatchNorm2d(channels)] if isinstance(layer, nn.Conv2d) else [layer])
    ]
    return nn.Sequential(*layers)


def eye_of(model: str) -> Guarded:
    """The guarded network that a critic looks with."""
    _, weights = weights_of(model_file(model))
    network = network_of(PRESETS["guarded-deep"])
    assert isinstance(network, Guarded)
    own = {name.removeprefix(EYE): part for name, part in weights.items() if name.startswith(EYE)}
    network.load_state_dict(own)
    return network.eval()


@torch.inference_mode()
def residual(eye: Guarded, dn: Floats, centre: float, scale: float) -> tuple[Floats, Floats]:
    """How surprising blocks are `[h, w]`, and standardised residuals `[2, H, W]` of `dn [H, W]`."""
    middle, unit = (torch.tensor([fact], dtype=torch.float32) for fact in (centre, scale))
    blocks = guarded.blocks_of(guarded.ground_of(torch.from_numpy(dn)[None, None], middle, unit))
    expected, log_scale = eye.predict(blocks)
    found = (blocks[:, None] - expected) * torch.exp(-log_scale)
    means = found.abs().mean(dim=2)
    measures = [
        torch.log(
            F.avg_pool2d(means, side, 1, side // 2, count_include_pad=False) + guarded.LEAST
        ).mean(dim=1)
        for side in guarded.WINDOWS
    ]
    surprise = torch.stack(measures).mean(dim=0)[0]
    return surprise.numpy(), F.pixel_shuffle(found[0], BLOCK)[:, 0].numpy()


def seen(dn: Floats, found: Floats, places: NDArray[Any]) -> Halves:
    """What is seen of places `[n, 2]` (row, column in px), `[n, 7, 32, 32]`.

    Of `dn [H, W]` and its residuals `[2, H, W]`, which are mirrored beyond their border.
    """
    around = (HALF, HALF)
    ground = np.pad(dn, (around, around), "reflect")
    signed = np.pad(np.sign(found) * np.log1p(np.abs(found)), ((0, 0), around, around), "reflect")
    made = np.empty((len(places), sum(LAYERS), SIDE, SIDE), np.float16)
    for number, (row, col) in enumerate(places):
        near = np.s_[row : row + 2 * HALF, col : col + 2 * HALF]
        part, some = ground[near], ground[near][::2, ::2]
        level = np.median(some)
        spread = MAD_TO_SIGMA * np.median(np.abs(some - level)) + 1e-3
        part = np.clip((part - level) / spread, -CLIPPED, CLIPPED)
        both = np.stack([np.sign(part) * np.log1p(np.abs(part)), *signed[:, near[0], near[1]]])
        made[number, :3] = _middle(both, 1)
        made[number, 3:5] = _middle(both[[0, 2]], 2)
        made[number, 5:] = _middle(both[[0, 2]], 4)
    return made


def _middle(layers: Floats, factor: int) -> Floats:
    """The middle of layers, made smaller by a factor, `[..., 32, 32]`."""
    rim = HALF - SIDE * factor // 2
    inner = layers[:, rim : 2 * HALF - rim, rim : 2 * HALF - rim]
    return np.asarray(inner.reshape(-1, SIDE, factor, SIDE, factor).mean(axis=(2, 4)), np.float32)


class Places(Dataset[tuple[Halves, NDArray[np.bool_]]]):
    """What is seen of the places of planted windows, by number; which of them lie on things."""

    def __init__(self, windows: Plantings, eye: Guarded) -> None:
        self.windows, self.eye = windows, eye

    def __len__(self) -> int:
        return WINDOWS

    def __getitem__(self, number: int) -> tuple[Halves, NDArray[np.bool_]]:
        dn, centre, scale, target, weight = self.windows[number]
        ground, thing, counts = dn[0].numpy(), target[0].numpy() > 0, weight[0].numpy() > 0
        surprise, found = residual(self.eye, ground, float(centre), float(scale))
        peak = surprise == ndimage.maximum_filter(surprise, PEAK)
        peak &= np.pad(np.ones(np.subtract(peak.shape, 2 * EDGE), bool), EDGE)
        on, beside = np.argwhere(peak & thing), np.argwhere(peak & counts & ~thing)
        beside = beside[np.argsort(-surprise[tuple(beside.T)], kind="stable")]
        rng = np.random.default_rng(number)
        others = rng.permutation(beside[STRONG:])[:OTHERS]
        blocks = np.concatenate([on, beside[:STRONG], others])
        pixels = blocks * BLOCK + rng.integers(0, BLOCK, blocks.shape)
        return seen(ground, found, pixels), np.arange(len(blocks)) < len(on)


def learn(out: Path, scenes: Sequence[str], model: str) -> None:
    """Gathers places, then has a network learn to tell them apart."""
    torch.manual_seed(0)
    places = Places(Plantings(gather(scenes, polluted=False), 1_000, turns=True), eye_of(model))
    on, beside = list[Halves](), list[Halves]()
    for number, (some, put) in enumerate(DataLoader(places, batch_size=None, num_workers=2), 1):
        on.append(np.asarray(some[put]))
        beside.append(np.asarray(some[~put]))
        if number % TOLD == 0:
            print(json.dumps({"windows": number, "on things": sum(map(len, on))}), flush=True)
    things, ground = np.concatenate(on), np.concatenate(beside)
    network = Look().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    descent = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-3)
    rng, told = np.random.default_rng(0), torch.arange(ON_THINGS + ON_GROUND) < ON_THINGS
    losses = list[float]()
    for step in range(STEPS):
        rate = RATE * min(1, step / WARM) * (0.51 + 0.49 * math.cos(math.pi * step / STEPS))
        descent.param_groups[0]["lr"] = rate
        parts = [
            part[np.sort(rng.integers(len(part), size=count))]
            for part, count in ((things, ON_THINGS), (ground, ON_GROUND))
        ]
        batch = torch.from_numpy(np.concatenate(parts).astype(np.float32))
        for turn in range(8):
            some = batch[turn::8].flip(3) if turn >= 4 else batch[turn::8]
            batch[turn::8] = torch.rot90(some, turn % 4, (2, 3)).clone()
        loss = F.binary_cross_entropy_with_logits(network(batch), told.float())
        descent.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        descent.step()
        losses.append(loss.item())
        if (step + 1) % TOLD == 0:
            mean = round(float(np.mean(losses[-TOLD:])), 4)
            print(json.dumps({"steps": step + 1, "loss": mean}), flush=True)
    torch.save(network.state_dict(), out)


def whole_residual(eye: Guarded, scene: Scene, dn: Floats) -> Floats:
    """Standardised residuals `[2, H, W]` of a whole scene."""
    height, width = dn.shape
    tall, wide = (-(-side // AREA) * AREA for side in dn.shape)
    around = ((MARGIN, MARGIN + tall - height), (MARGIN, MARGIN + wide - width))
    ground, found = np.pad(dn, around, "symmetric"), np.zeros((2, tall, wide), np.float32)
    for top in range(0, tall, AREA):
        for left in range(0, wide, AREA):
            part = ground[top : top + AREA + 2 * MARGIN, left : left + AREA + 2 * MARGIN]
            _, here = residual(eye, np.ascontiguousarray(part), scene.centre, scene.scale)
            found[:, top : top + AREA, left : left + AREA] = here[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
    return found[:, :height, :width]


@torch.inference_mode()
def logits(network: Look, eye: Guarded, scene: Scene, places: Sequence[Detection]) -> Floats:
    """What the network says of places, `[n]`."""
    dn = scene.read(Box(0, 0, scene.width, scene.height)).dn.astype(np.float32)
    found, at = whole_residual(eye, scene, dn), np.array([(one.y, one.x) for one in places], int)
    parts = np.array_split(at, max(1, len(at) // AT_ONCE))
    said = [network(torch.from_numpy(seen(dn, found, part).astype(np.float32))) for part in parts]
    return torch.cat(said).numpy()


def tried(network: Look, eye: Guarded, model: Model, trial: Labelled | Planted) -> None:
    """Prints what becomes of the objects of a scene, weight by weight."""
    with tempfile.TemporaryDirectory() as work, trial.opened(Path(work)) as (_, scene, truth):
        store = ScanStore.for_scan(scene, model)
        for _ in scan(store, scene, model):
            pass
        places = sigma_map(store.scores()).find(top=EVERY)
        said = logits(network, eye, scene, places)
        score = np.array([one.score for one in places])
        for weight in WEIGHTS:
            value = said if math.isinf(weight) else score + weight * said
            order = np.argsort(-value, kind="stable")
            objects = judge([places[place] for place in order], truth).objects
            line = {
                "scene": trial.name,
                "weight": str(weight),
                "average_precision": round(average_precision(objects) or 0.0, 4),
                "costs": {one.name: one.cost for one in objects},
            }
            print(json.dumps(line), flush=True)


def main() -> None:
    """Learns, or tries what has been learned."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    ways = parser.add_subparsers(dest="way", required=True)
    learning, trying = ways.add_parser("learn"), ways.add_parser("try")
    for way in (learning, trying):
        way.add_argument("look", type=Path, metavar="FILE")
        way.add_argument("--eye", default="critic", help="the critic whose eye it looks with")
    learning.add_argument("--scenes", nargs="+", required=True)
    trying.add_argument("scenes", nargs="+", type=Path)
    trying.add_argument("--model", default="guarded")
    trying.add_argument("--seeds", nargs=2, type=int, default=(0, 1), metavar=("FIRST", "COUNT"))
    given = parser.parse_args()
    if given.way == "learn":
        learn(given.look, given.scenes, given.eye)
        return
    network, eye, model = Look(), eye_of(given.eye), Model.load(given.model)
    network.load_state_dict(torch.load(given.look))
    network.eval()
    first, count = given.seeds
    for picture in given.scenes:
        trials: list[Labelled | Planted] = [*labelled([picture])]
        trials += [Planted(picture, seed) for seed in range(first, first + count)]
        for trial in trials:
            tried(network, eye, model, trial)


if __name__ == "__main__":
    main()
