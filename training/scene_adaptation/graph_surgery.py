"""Graphs put behind an exported critic: one that says what its U-Net sees, one that judges by it.

The critic's own graph stays as it was exported, weights and all: nothing is exported again, and
nothing of PyTorch is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx.parser
import onnxruntime
from numpy.typing import NDArray
from onnx import numpy_helper

from dashboard.detector.errors import ModelError
from dashboard.detector.models.card import ModelCard
from dashboard.detector.models.devices import CPU

NEAR = 5  # positions: side of what the largest features are taken of
TOP = 5  # positions: side of what a place is the largest of
RIM = 8  # positions around an area that its changes depend on, in whole steps of the network
FURTHEST = 6.0  # standard deviations of ground at which features are clipped
NOWHERE = -1e30  # what is added where no place is near, before it is told from that
LARGE = 160  # px of an area to try a critic on
LAST = "network.logit.weight"  # what its name ends with in an exported critic
GAIN, PLACES = "gain", "places"  # outputs that only those with a second look have
BEFORE = "before."  # what the critic's outputs are called where a graft's take their place

# What the U-Net ends with, the largest of that around, and its logit, where scores are given
FEATURES = """
    near = MaxPool <kernel_shape = [NEAR, NEAR], pads = [HALF, HALF, HALF, HALF]> (fine)
    all = Concat <axis = 1> (said, fine, near)
    crop = Constant <value_ints = [0, 0, -LOST, -LOST, 0, 0, -LOST, -LOST]> ()
    features = Pad (all, crop)
"""
EYE = f"""
<ir_version: 10, opset_import: ["" : 18]>
eye (float[N,R,C] standing, float[N,K,H,W] fine, float[N,1,H,W] said)
    => (float[N,F,R,C] features) {{ {FEATURES} }}
"""
JUDGE = f"""
<ir_version: 10, opset_import: ["" : 18]>
judge (float[N,R,C] standing, float[N,K,H,W] fine, float[N,1,H,W] said,
       float[N,1,Y,X] expected, float[N,R,C] doubt)
    => (float[N,r,c] score, float[N,1,y,x] completion, float[N,r,c] logit) {{
    {FEATURES}
    above = Sub (features, last_mean)
    standard = Div (above, last_spread)
    held = Clip (standard, last_low, last_high)
    weighed = Conv (held, last_weight, last_bias)
    one = Constant <value_ints = [1]> ()
    place = Unsqueeze (standing, one)
    own = Mul (place, last_gain)
    change = Add (weighed, own)
    largest = MaxPool <kernel_shape = [TOP, TOP], pads = [EDGE, EDGE, EDGE, EDGE]> (place)
    is_top = Equal (place, largest)
    at_top = Where (is_top, change, last_nowhere)
    most = MaxPool <kernel_shape = [TOP, TOP], pads = [EDGE, EDGE, EDGE, EDGE]> (at_top)
    is_near = Greater (most, last_nowhere)
    added = Where (is_near, most, last_least)
    changed = Add (place, added)
    beyond = Sub (changed, last_knots)
    over = Relu (beyond)
    turned = Conv (over, last_turns, last_shift)
    bent = Add (changed, turned)
    positions = Constant <value_ints = [0, 0, -RIM, -RIM, 0, 0, -RIM, -RIM]> ()
    inner = Pad (bent, positions)
    score = Squeeze (inner, one)
    pixels = Constant <value_ints = [0, 0, -PIXELS, -PIXELS, 0, 0, -PIXELS, -PIXELS]> ()
    completion = Pad (expected, pixels)
    flat = Constant <value_ints = [0, -RIM, -RIM, 0, -RIM, -RIM]> ()
    logit = Pad (doubt, flat)
}}
"""


@dataclass(frozen=True)
class Anatomy:
    """Where in an exported critic its last layer is."""

    fine: str  # names of values: what the U-Net ends with,
    said: str  # and the logit made of it, both before they are cut to where scores are given
    lost: int  # positions each way that are cut off

    @classmethod
    def of(cls, model: onnx.ModelProto, card: ModelCard) -> Anatomy:
        """That of a critic.

        Raises:
            ModelError: it has none, or has been given another already.
        """
        last = [
            node for node in model.graph.node if any(name.endswith(LAST) for name in node.input)
        ]
        if len(last) != 1 or any(part.name.startswith("last_") for part in model.graph.initializer):
            raise ModelError("it has no last layer to fit; give a critic that has learned no scene")
        fine, said = last[0].input[0], last[0].output[0]
        whole = onnx.ModelProto()
        whole.CopyFrom(model)
        whole.graph.output.append(_value(said, 4))
        session = onnxruntime.InferenceSession(whole.SerializeToString(), providers=[CPU])
        side = 2 * card.margin + LARGE
        ground = np.zeros((1, 1, side, side), np.float32)
        score, logit = session.run(["score", said], feed(ground, 0.0, 1.0))
        return cls(fine, said, (logit.shape[2] - score.shape[1]) // 2)


def feed(dn: NDArray[np.float32], centre: float, scale: float) -> dict[str, NDArray[np.float32]]:
    """The inputs of a graph: `dn [N, 1, H, W]` of a scene with this centre and scale (DN)."""
    facts = (np.array([fact], np.float32) for fact in (centre, scale))
    return {"dn": dn, **dict(zip(("centre", "scale"), facts, strict=True))}


def seeing(model: onnx.ModelProto, anatomy: Anatomy) -> onnx.ModelProto:
    """A critic's graph that gives its scores and `features [N, C, h, w]` alone."""
    whole = _grafted(model, anatomy, EYE, {"score": "standing"}, {})
    whole.graph.output.append(_value(BEFORE + "score", 3))
    return whole


def judging(
    model: onnx.ModelProto, anatomy: Anatomy, stride: int, weights: Mapping[str, Any]
) -> onnx.ModelProto:
    """A critic's graph with a layer behind it, which changes its scores.

    An area needs `RIM` positions more of a margin.

    Args:
        model: the critic's.
        anatomy: where its last layer is.
        stride: px between positions.
        weights: `mean`, `spread` and `weight [C]` of features, `bias`, `gain` and `least`; `knots`
            and `turns [K]`, and `shift`.
    """
    rows = ("mean", "spread", "weight", "knots", "turns")
    shapes = dict.fromkeys(rows, (1, -1, 1, 1)) | {"bias": (1,), "shift": (1,)}
    known = {"low": -FURTHEST, "high": FURTHEST, "nowhere": NOWHERE} | dict(weights)
    arrays = {
        name: np.reshape(np.asarray(value, np.float32), shapes.get(name, ()))
        for name, value in known.items()
    }
    given = {"score": "standing", "completion": "expected", "logit": "doubt"}
    looks_again = any(output.name == GAIN for output in model.graph.output)
    if looks_again:
        given |= {GAIN: "more", PLACES: "told"}
    shapes = {output.name: output for output in model.graph.output}
    whole = _grafted(model, anatomy, JUDGE.replace("PIXELS", str(RIM * stride)), given, arrays)
    if looks_again:
        whole.graph.node.append(onnx.helper.make_node("Pad", [BEFORE + GAIN, "flat"], [GAIN]))
        whole.graph.node.append(
            onnx.helper.make_node("Pad", [BEFORE + PLACES, "positions"], [PLACES])
        )
        whole.graph.output.extend([_value(GAIN, 3), shapes[PLACES]])
    return whole


def _grafted(
    model: onnx.ModelProto,
    anatomy: Anatomy,
    text: str,
    given: Mapping[str, str],
    weights: Mapping[str, NDArray[np.float32]],
) -> onnx.ModelProto:
    """A critic's graph with another behind it, whose outputs take the place of its own.

    Args:
        model: the critic's.
        anatomy: what the other calls `fine` and `said`.
        text: the other; words in capitals stand for numbers.
        given: what else it takes: names of the critic's outputs, and what it calls them.
        weights: what it calls `last_NAME`.
    """
    numbers = {"NEAR": NEAR, "HALF": NEAR // 2, "LOST": anatomy.lost, "TOP": TOP, "EDGE": TOP // 2}
    for word, number in (numbers | {"RIM": RIM}).items():
        text = text.replace(word, str(number))
    more = onnx.parser.parse_model(text).graph
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    graph = whole.graph
    renamed = {own: BEFORE + own for own in given}
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    takes = {"fine": anatomy.fine, "said": anatomy.said}
    takes |= {theirs: BEFORE + own for own, theirs in given.items()}
    for node in more.node:
        node.input[:] = [takes.get(name, name) for name in node.input]
        graph.node.append(node)
    graph.initializer.extend(
        numpy_helper.from_array(values, f"last_{name}") for name, values in weights.items()
    )
    del graph.output[:], graph.value_info[:]
    graph.output.extend(more.output)
    return whole


def _value(name: str, rank: int) -> onnx.ValueInfoProto:
    """A value of floats of so many dimensions, of any size."""
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None] * rank)
