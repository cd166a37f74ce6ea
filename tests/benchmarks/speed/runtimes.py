"""ONNX Runtime against PyTorch eager, on the CPU, on the same tiles in one run.

    python -m tests.benchmarks.speed.runtimes [--widths 1 0.5 0.25] [--pairs 5]

Both get the whole scorer, raw DN in and scores out, the same batch and the same number of threads.
They take turns, pair by pair, so that whatever else the machine does strikes both; the figure is
the median over the pairs of PyTorch's time divided by ONNX Runtime's. Above 1, ONNX Runtime is
faster. The weights are random: they do not change the time.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import onnxruntime
import torch

from dashboard.detector.models.devices import options, threads
from training.kinds.article import plan
from training.networks.article import TILE, Article, Scorer
from training.onnx_files.export import to_onnx

BATCH = 16  # as a scan sends them


def seconds(work: Callable[[], object], least: float = 1.0) -> float:
    """Seconds a call takes, over as many calls as last `least` seconds."""
    calls, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < least:
        work()
        calls += 1
    return passed / calls


def compare(width: float, pairs: int) -> dict[str, float | list[float]]:
    """Tiles a second of the three, and their paired ratios, for a network of this width."""
    torch.manual_seed(0)
    scorer = Scorer(Article(width).eval()).eval()
    graph = to_onnx(plan(scorer.network, {})).SerializeToString()
    session = onnxruntime.InferenceSession(graph, options(), providers=["CPUExecutionProvider"])
    dn = np.random.default_rng(0).integers(1, 255, (BATCH, 1, TILE, TILE)).astype(np.float32)
    feed = {"dn": dn, "centre": np.array([120], "f4"), "scale": np.array([30], "f4")}
    tensors = [torch.from_numpy(feed[name]) for name in ("dn", "centre", "scale")]
    last = scorer.network
    plain = Scorer(Article(width).eval()).eval()
    plain.load_state_dict(scorer.state_dict())
    last.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def eager() -> object:
        return plain(*tensors)[0]

    @torch.inference_mode()
    def channels_last() -> object:
        return scorer(*tensors)[0]

    def runtime() -> object:
        return session.run(["score"], feed)[0]

    works = (runtime, eager, channels_last)
    for work in works:
        work()
    times = [[seconds(work) for work in works] for _ in range(pairs)]
    against = [eager_ / ort for ort, eager_, _ in times]
    against_last = [last_ / ort for ort, _, last_ in times]
    ort, plain_, last_ = (statistics.median(column) for column in zip(*times, strict=True))
    return {
        "width": width,
        "onnxruntime_tiles_per_s": round(BATCH / ort, 1),
        "eager_tiles_per_s": round(BATCH / plain_, 1),
        "eager_channels_last_tiles_per_s": round(BATCH / last_, 1),
        "ratios": [round(ratio, 2) for ratio in against],
        "ratio": round(statistics.median(against), 2),
        "ratio_channels_last": round(statistics.median(against_last), 2),
    }


def main() -> None:
    """Prints one line of JSON a width."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--widths", nargs="+", type=float, default=[1.0, 0.5, 0.25])
    parser.add_argument("--pairs", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(threads())
    versions = f"torch {torch.__version__}, onnxruntime {onnxruntime.__version__}"
    print(f"{versions}, {threads()} threads, {platform.machine()}", file=sys.stderr)
    for width in given.widths:
        print(json.dumps(compare(width, given.pairs)), flush=True)


if __name__ == "__main__":
    main()
