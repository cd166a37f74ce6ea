"""Does a critic's logit say how often such a block was planted, on ground it never saw?

    python -m tests.benchmarks.reliability SCENE [SCENE ...] [--model critic] [--windows 400]

Plants in windows of each scene as training does and asks the critic's network of each block. One
line of JSON a scene: what it said and how often it was so, for blocks brought together by what it
said, and the expected calibration error, the mean difference of the two.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.kinds.calibration import judgements
from training.kinds.learners import network_of
from training.model_files import model_file
from training.networks.critic import Critic
from training.onnx_files.recalibrate import line_of
from training.onnx_files.weights import weights_of
from training.presets import PRESETS
from training.windows import Plantings, gather

EDGES = (0.0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97, 1.0)
SEED = 1_000  # of windows: none that training has seen

Doubles = NDArray[np.float64]


def critic_of(model: str) -> Critic:
    """The network of an exported critic, its logits calibrated."""
    card, weights = weights_of(model_file(model))
    network = network_of(PRESETS[card.preset])
    assert isinstance(network, Critic), f"{model} is no critic"
    network.load_state_dict(weights)
    return network.eval()


def reliability(said: Doubles, planted: Doubles) -> dict[str, object]:
    """What was said `[n]` beside what was so `[n]`, bin by bin, and their mean difference."""
    bins, astray = [], 0.0
    which = np.digitize(said, EDGES[1:-1])
    for number in range(len(EDGES) - 1):
        inside = which == number
        count = int(inside.sum())
        if not count:
            continue
        told, found = float(said[inside].mean()), float(planted[inside].mean())
        astray += abs(told - found) * count / len(said)
        bins.append({"blocks": count, "said": round(told, 4), "found": round(found, 4)})
    return {"planted": round(float(planted.mean()), 5), "error": round(astray, 5), "bins": bins}


def main() -> None:
    """Prints a line a scene, then one of all together."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scenes", nargs="+", type=Path)
    parser.add_argument("--model", default="critic")
    parser.add_argument("--windows", type=int, default=400, help="of each scene")
    given = parser.parse_args()
    network, all_said, all_planted = critic_of(given.model), [], []
    gain, offset = line_of(given.model)
    for path in given.scenes:
        windows = Plantings(gather([path], polluted=False), SEED, turns=True)
        logits, planted = judgements(network, windows, given.windows)
        all_said.append(torch.sigmoid(gain * logits.double() + offset).numpy())
        all_planted.append(planted.double().numpy())
        print(json.dumps({"scene": path.name} | reliability(all_said[-1], all_planted[-1])))
    together = reliability(np.concatenate(all_said), np.concatenate(all_planted))
    print(json.dumps({"scene": "all"} | together))


if __name__ == "__main__":
    main()
