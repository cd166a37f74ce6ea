"""A network simple enough to know its scores by heart, with a card as the real ones have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx

from dashboard.detector import ModelCard

CARD = ModelCard(
    kind="article",
    scores="tiles",
    title="A plain model for tests: it expects the scene's median everywhere",
    tile=256,
    hole=64,
    score_window=48,
    stride=48,
    strides=(16, 48, 256),
    margin=104,
    around=0,
    input_range="any DN",
    bands=1,
    score_unit="mean absolute difference from the median, in 4 robust sigma",
    parameters=0,
    preset="none",
    start=None,
    epochs=0.0,
    windows_seen=0,
    hours=0.0,
    hardware="none",
    loss=0.0,
    scenes=("none",),
    polluted=False,
    date="2026-01-01",
    git_revision="none",
    opset=18,
    precision="float32",
    parity=0.0,
    parity_checksum="",
)

# score = mean over the centre 24 x 24 of |halved dn - centre| / (4 scale); completion = centre
GRAPH = """
<ir_version: 9, opset_import: ["" : 18]>
plain (float[N,1,256,256] dn, float[1] centre, float[1] scale)
    => (float[N] score, float[N,1,128,128] completion) {
    half = AveragePool <kernel_shape = [2, 2], strides = [2, 2]> (dn)
    four = Constant <value_floats = [4.0]> ()
    unit = Mul (scale, four)
    above = Sub (half, centre)
    scaled = Div (above, unit)
    residual = Abs (scaled)
    starts = Constant <value_ints = [52, 52]> ()
    ends = Constant <value_ints = [76, 76]> ()
    plane = Constant <value_ints = [2, 3]> ()
    inner = Slice (residual, starts, ends, plane)
    axes = Constant <value_ints = [1, 2, 3]> ()
    score = ReduceMean <keepdims = 0> (inner, axes)
    completion = Sub (half, above)
}
"""

# The same for areas: the mean over 4 x 4 px of |dn - centre| / scale, of all but a margin of 8 px
AREA_CARD = replace(
    CARD,
    kind="guarded",
    scores="areas",
    title="A plain model for tests that scores areas",
    tile=64,
    hole=12,
    score_window=12,
    stride=4,
    strides=(4,),
    margin=8,
)
AREA_GRAPH = """
<ir_version: 9, opset_import: ["" : 18]>
plain (float[N,1,H,W] dn, float[1] centre, float[1] scale)
    => (float[N,h,w] score, float[N,1,y,x] completion) {
    starts = Constant <value_ints = [8, 8]> ()
    ends = Constant <value_ints = [-8, -8]> ()
    plane = Constant <value_ints = [2, 3]> ()
    inner = Slice (dn, starts, ends, plane)
    above = Sub (inner, centre)
    scaled = Div (above, scale)
    residual = Abs (scaled)
    pooled = AveragePool <kernel_shape = [4, 4], strides = [4, 4]> (residual)
    axes = Constant <value_ints = [1]> ()
    score = Squeeze (pooled, axes)
    completion = Sub (inner, above)
}
"""


# A judge of places: the logit is what the middle 16 px have above the mean of the window, in DN;
# the description the means of its 64 squares of 16 px
JUDGE_CARD = replace(
    CARD, kind="places", scores="windows", title="A plain judge for tests", tile=128, margin=0
)
JUDGE_GRAPH = """
<ir_version: 9, opset_import: ["" : 18]>
judge (float[N,1,128,128] windows) => (float[N] logit, float[N,64] description) {
    squares = AveragePool <kernel_shape = [16, 16], strides = [16, 16]> (windows)
    flat = Constant <value_ints = [0, 64]> ()
    description = Reshape (squares, flat)
    starts = Constant <value_ints = [56, 56]> ()
    ends = Constant <value_ints = [72, 72]> ()
    plane = Constant <value_ints = [2, 3]> ()
    inner = Slice (windows, starts, ends, plane)
    axes = Constant <value_ints = [1, 2, 3]> ()
    middle = ReduceMean <keepdims = 0> (inner, axes)
    all = ReduceMean <keepdims = 0> (windows, axes)
    logit = Sub (middle, all)
}
"""

# The same, less the mean over 5 x 5 positions around, which a caller may take off by itself
AROUND_CARD = replace(AREA_CARD, margin=16, around=5)
AROUND_GRAPH = """
<ir_version: 9, opset_import: ["" : 18]>
plain (float[N,1,H,W] dn, float[1] centre, float[1] scale)
    => (float[N,a,b] score, float[N,1,y,x] completion, float[N,h,w] surprise) {
    eight = Constant <value_ints = [8, 8]> ()
    less = Constant <value_ints = [-8, -8]> ()
    two = Constant <value_ints = [2, 2]> ()
    but = Constant <value_ints = [-2, -2]> ()
    plane = Constant <value_ints = [2, 3]> ()
    axes = Constant <value_ints = [1]> ()
    inner = Slice (dn, eight, less, plane)
    above = Sub (inner, centre)
    scaled = Div (above, scale)
    residual = Abs (scaled)
    pooled = AveragePool <kernel_shape = [4, 4], strides = [4, 4]> (residual)
    surprise = Squeeze (pooled, axes)
    middle = Slice (pooled, two, but, plane)
    around = AveragePool <kernel_shape = [5, 5], strides = [1, 1]> (pooled)
    out = Sub (middle, around)
    score = Squeeze (out, axes)
    whole = Sub (inner, above)
    completion = Slice (whole, eight, less, plane)
}
"""


def around_model(path: Path, **facts: object) -> Path:
    """Writes the plain model whose scores stand out from what is around to a file."""
    graph = onnx.parser.parse_model(AROUND_GRAPH)
    onnx.helper.set_model_props(graph, replace(AROUND_CARD, **facts).to_metadata())
    onnx.save(graph, path)
    return path


def area_model(path: Path, **facts: object) -> Path:
    """Writes the plain model for areas to a file, its card changed by `facts`."""
    graph = onnx.parser.parse_model(AREA_GRAPH)
    onnx.helper.set_model_props(graph, replace(AREA_CARD, **facts).to_metadata())
    onnx.save(graph, path)
    return path


def plain_model(path: Path, **facts: object) -> Path:
    """Writes the plain model to a file, its card changed by `facts`."""
    graph = onnx.parser.parse_model(GRAPH)
    onnx.helper.set_model_props(graph, replace(CARD, **facts).to_metadata())
    onnx.save(graph, path)
    return path


def judge_model(path: Path, **facts: object) -> Path:
    """Writes the plain judge to a file, and beside it the plain finder whose places it judges."""
    area_model(path.with_name("guarded.onnx"), tile=128)
    graph = onnx.parser.parse_model(JUDGE_GRAPH)
    onnx.helper.set_model_props(graph, replace(JUDGE_CARD, **facts).to_metadata())
    onnx.save(graph, path)
    return path
