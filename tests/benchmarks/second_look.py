"""What a second look at single places gains, behind whatever model finds them.

    python -m tests.benchmarks.second_look RUN SCENE [SCENE ...] [--model guarded] [--seeds 0 1]

RUN is the folder of a training with preset `second-look`. The places of scenes, as they are where
their truth is known and with the article's six pieces planted by COUNT seeds from FIRST on, are
ranked by the model's score and so many times the network's logit, all places or the strongest tenth
alone; one line of JSON a scene and weight: the false places above each piece, average precision.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dashboard.detector import Box, Detection, Model, ScanStore, Scene, scan, sigma_map
from training.evaluate.measures import EVERY, average_precision, judge
from training.evaluate.planted import Planted
from training.evaluate.subjects import Labelled, labelled
from training.kinds.learners import network_of
from training.networks import BLOCK, guarded, second_look
from training.networks.second_look import SecondLook
from training.presets import PRESETS
from training.trainer.trainer import CHECKPOINT, read_checkpoint

AREA, MARGIN = 512, 192  # px of a scene that are looked at at a time, and around it
WEIGHTS = (0.0, 0.2, 0.4, 0.7, 1.0, math.inf)  # of the logit in the score; inf: alone
JUDGED = 0.1  # of the places, the strongest, are looked at where not all are

Floats = NDArray[np.float32]


def trained(run: Path) -> SecondLook:
    """The network of a run."""
    state = read_checkpoint(run / CHECKPOINT)
    network = network_of(PRESETS[state["settings"]["preset"]])
    assert isinstance(network, SecondLook)
    network.load_state_dict(state["network"])
    return network.eval()


@torch.inference_mode()
def logits(network: SecondLook, scene: Scene, places: Sequence[Detection]) -> Floats:
    """What the network says of places, `[n]`; beyond the scene's border it is mirrored."""
    dn = scene.read(Box(0, 0, scene.width, scene.height)).dn.astype(np.float32)
    padded = np.pad(dn, (MARGIN, MARGIN + AREA), "symmetric")
    facts = [torch.tensor([fact], dtype=torch.float32) for fact in (scene.centre, scene.scale)]
    at = np.array([(one.y, one.x) for one in places], int)
    said = np.zeros(len(at), np.float32)
    for area in np.unique(at // AREA, axis=0):
        here = np.flatnonzero((at // AREA == area).all(axis=1))
        top, left = area * AREA
        part = padded[top : top + AREA + 2 * MARGIN, left : left + AREA + 2 * MARGIN]
        ground = guarded.ground_of(torch.from_numpy(part.copy())[None, None], *facts)
        blocks = guarded.blocks_of(ground)
        found = second_look.residual(blocks, network.critic.guarded.predict(blocks))
        rows, cols = torch.from_numpy((at[here] - area * AREA) // BLOCK).T
        spots = second_look.Places(torch.zeros_like(rows), rows, cols)
        seen = second_look.seen(second_look.layers_of(ground, found), spots, MARGIN)
        said[here] = network.look(seen).numpy()
    return said


def tried(network: SecondLook, model: Model, trial: Labelled | Planted) -> None:
    """Prints what becomes of the objects of a scene, weight by weight."""
    with tempfile.TemporaryDirectory() as work, trial.opened(Path(work)) as (_, scene, truth):
        store = ScanStore.for_scan(scene, model)
        for _ in scan(store, scene, model):
            pass
        places = sigma_map(store.scores()).find(top=EVERY)
        said = logits(network, scene, places)
        score = np.array([one.score for one in places])
        weak = score < np.quantile(score, 1 - JUDGED)
        for weight, part in [*((one, 1.0) for one in WEIGHTS), *((one, JUDGED) for one in WEIGHTS)]:
            value = said if math.isinf(weight) else score + weight * said
            if part < 1:
                value = np.where(weak, score - score.max() + value[~weak].min(), value)
            order = np.argsort(-value, kind="stable")
            objects = judge([places[place] for place in order], truth).objects
            line = {
                "scene": trial.name,
                "weight": str(weight),
                "looked at": part,
                "average_precision": round(average_precision(objects) or 0.0, 4),
                "costs": {one.name: one.cost for one in objects},
            }
            print(json.dumps(line), flush=True)


def main() -> None:
    """Tries what a run has learned."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("scenes", nargs="+", type=Path)
    parser.add_argument("--model", default="guarded", help="which finds the places")
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 1), metavar=("FIRST", "COUNT"))
    given = parser.parse_args()
    network, model, (first, count) = trained(given.run), Model.load(given.model), given.seeds
    for picture in given.scenes:
        trials: list[Labelled | Planted] = [*labelled([picture])]
        trials += [Planted(picture, seed) for seed in range(first, first + count)]
        for trial in trials:
            tried(network, model, trial)


if __name__ == "__main__":
    main()
