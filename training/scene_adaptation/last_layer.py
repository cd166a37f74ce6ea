"""A critic's last layer fitted to one scene: two minutes, and nothing else of it changes.

What a network sees is good for more grounds than what its last layer makes of it (Kirichenko,
Izmailov and Wilson 2022, arXiv 2204.02937). A logistic regression on what the U-Net sees tells the
scene's own strongest places, taken for ground whatever stands there, from things as training plants
them, put on the same ground. One object among 1,500 places moves a line of a hundred numbers
little: what stands on the scene is hardly learned as ground.

What the critic sees is gathered by `features.py`, the line fitted by `logistic_layer.py`, and put
behind the critic's graph by `graph_surgery.py`.
"""

from __future__ import annotations

import datetime
import hashlib
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from dashboard.detector.errors import ModelError
from dashboard.detector.models.card import LAST, ModelCard
from dashboard.detector.models.devices import CPU
from dashboard.detector.scanning.pieces import read
from dashboard.detector.scenes.scene import Scene
from training.model_files import git_revision, graph_of, write
from training.progress import Report
from training.scene_adaptation.features import Eye, Looking, Run
from training.scene_adaptation.graph_surgery import RIM, feed, judging
from training.scene_adaptation.logistic_layer import Layer, Places, fitted, separation

TOLERANCE = 1e-3  # of the graph's scores
SEPARATION = "separation.csv"  # in the run's folder


def learn(path: Path, scene: Scene, folder: Path, report: Report) -> tuple[bytes, ModelCard]:
    """The ONNX file of a critic whose last layer is fitted to a scene, and its card.

    Args:
        path: of the critic.
        scene: to be learned.
        folder: keeps what has been seen; the same call goes on with it.
        report: told what is done, and which part of the looking is.

    Raises:
        ModelError: it is no critic, or has learned a scene.
        NoGround: the scene is too small, or nothing put on it stands out.
        StoreError: the folder is that of another scene or model.
    """
    began = time.monotonic()
    model, card = graph_of(path)
    eye, run = Eye.of(model, card, scene), Run(folder)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    run.claim(scene.sha256, digest)
    looking = Looking(eye, run, report)
    places, things = looking.ground(), looking.things()
    layer = fitted(places, things, eye.hold)
    write(folder / SEPARATION, separation(layer, places, things).encode())
    weights = asdict(layer)
    weights |= weights.pop("bend")
    del weights["loss"]
    graph = judging(model, eye.anatomy, card.stride, weights)
    learned = replace(
        card,
        preset=LAST,
        start=path.stem,
        margin=card.margin + RIM * card.stride,
        around=0,
        score_unit=f"{card.score_unit}; fitted anew to the scene",
        epochs=0.0,
        windows_seen=len(things.score),
        hours=round((time.monotonic() - began) / 3600, 2),
        hardware=eye.device,
        loss=round(layer.loss, 5),
        scenes=(scene.name,),
        polluted=True,
        parameters=card.parameters + len(layer.weight) + 1,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        git_revision=git_revision(),
    )
    worst = max(card.parity, parity(graph, eye, layer, learned))
    learned = replace(learned, parity=worst)
    onnx.helper.set_model_props(graph, learned.to_metadata())
    return graph.SerializeToString(), learned


def parity(graph: onnx.ModelProto, eye: Eye, layer: Layer, card: ModelCard) -> float:
    """The largest difference of a fitted graph's scores from those reckoned of what the eye sees.

    Raises:
        ModelError: it is larger than allowed.
    """
    dn = read(eye.record, eye.squares[0], eye.scene, card.margin).dn
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=[CPU])
    (theirs,) = session.run(["score"], feed(dn, eye.scene.centre, eye.scene.scale))
    score, features = eye.look(dn)
    flat = Places(score.reshape(-1), features.reshape(len(features), -1).T)
    ours = layer.scored(score, layer.change(flat).reshape(score.shape))
    worst = float(np.abs(theirs[0] - ours).max())
    if not worst <= TOLERANCE:
        raise ModelError(f"the fitted graph differs by {worst:.2e}; nothing was written")
    return worst
