"""Ground a second: the shipped models and local RX, on the same picture in one run.

    python -m tests.benchmarks.speed.pace SCENE [--rounds 5]

Timed is what a scan does piece by piece, reading from the ingested scene and its margins included,
and nothing of the store. The contestants take turns, round by round, so that whatever else the
machine does strikes all; the figures are medians over the rounds, the ratios of the same round.
`article` at stride 16 would take hours: some rows of its tiles are timed, and each tile stands for
16 x 16 px of ground. It runs at the article's own width, with random weights, which take as long,
and at the shipped network's, half of that; the ratios are to the former.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import onnx
import onnxruntime

from dashboard.detector import Model, Scene, ingest
from dashboard.detector.models.devices import threads
from dashboard.detector.scanning.pieces import Pieces, read
from dashboard.detector.scanning.scan import score_pieces
from dashboard.detector.scanning.store import ScanRecord
from training.evaluate.peers import Ground, local_rx
from training.kinds.article import plan
from training.networks.article import Article
from training.onnx_files.export import to_onnx

FINE = 16  # px, the article's second stride
TILES = 128  # of `article` in a round, at least
WHOLE = f"article / {FINE}"

Work = tuple[int, Callable[[], object]]  # px of ground that a call scores, and the call


def scanning(model: Model, scene: Scene) -> Work:
    """A scan without its store; of a network for tiles, its first rows with ground."""
    stride = model.card.stride if model.card.area else FINE
    record = ScanRecord.of(scene, model, stride)
    pieces, margin = list(Pieces(record)), model.card.sees
    if not model.card.area:
        middle = pieces[len(pieces) // 2 :]  # rows in the middle of the scene
        pieces = middle[: -(-TILES // middle[0].count)]

    def work() -> None:
        readings = (read(record, piece, scene, margin) for piece in pieces)
        for _ in score_pieces(readings, scene, model):
            pass

    return sum(piece.count for piece in pieces) * stride**2, work


def whole_article(shipped: Model, path: Path) -> Model:
    """The article's network at its own width, untrained, under the shipped network's card."""
    graph = to_onnx(plan(Article(1.0).eval(), {}))
    onnx.helper.set_model_props(graph, shipped.card.to_metadata())
    onnx.save(graph, path)
    return Model.load(str(path), "cpu")


def rx(scene: Scene) -> Work:
    """Local RX over the whole scene, reading included."""
    return scene.width * scene.height, lambda: local_rx(Ground.of(scene))


def megapixels(work: Work) -> float:
    """Ground a second, Mpx/s."""
    ground, call = work
    began = time.perf_counter()
    call()
    return ground / (time.perf_counter() - began) / 1e6


def main() -> None:
    """Prints a line of JSON a contestant."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scene")
    parser.add_argument("--models", nargs="+", default=["guarded", "places"])
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    scene = ingest(given.scene)
    works = {name: scanning(Model.load(name, "cpu"), scene) for name in given.models}
    works |= {"local RX": rx(scene)}
    shipped = Model.load("article", "cpu")
    with tempfile.TemporaryDirectory() as folder:
        works |= {WHOLE: scanning(whole_article(shipped, Path(folder) / "article.onnx"), scene)}
    works |= {f"{WHOLE}, shipped, half as wide": scanning(shipped, scene)}
    print(
        f"onnxruntime {onnxruntime.__version__}, {threads()} threads, {platform.machine()}",
        file=sys.stderr,
    )
    rounds = [{name: megapixels(work) for name, work in works.items()} for _ in range(given.rounds)]
    for name in works:
        ratios = [one[name] / one[WHOLE] for one in rounds]
        line = {
            "contestant": name,
            "mpx_per_s": round(statistics.median(one[name] for one in rounds), 4),
            "times_article": round(statistics.median(ratios), 1),
            "ratios": [round(ratio, 1) for ratio in ratios],
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
