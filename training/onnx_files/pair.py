"""Two exported graphs as one, of which the caller chooses."""

from __future__ import annotations

import onnx

BLACK = "black"  # the input that says which of two networks is asked


def either(of_black: onnx.ModelProto, of_white: onnx.ModelProto) -> onnx.ModelProto:
    """Two graphs of the same inputs and outputs as one, which takes `black` besides: ONNX's `If`.

    Only the branch that is asked for runs.
    """
    inputs, outputs = of_black.graph.input, of_black.graph.output
    branches = {
        f"{word}_branch": _branch(graph, f"{word}.")
        for word, graph in (("then", of_black.graph), ("else", of_white.graph))
    }
    asked = onnx.helper.make_tensor_value_info(BLACK, onnx.TensorProto.BOOL, [])
    node = onnx.helper.make_node("If", [BLACK], [one.name for one in outputs], **branches)
    graph = onnx.helper.make_graph([node], "either", [*inputs, asked], outputs)
    return onnx.helper.make_model(
        graph, opset_imports=of_black.opset_import, ir_version=of_black.ir_version
    )


def _branch(graph: onnx.GraphProto, prefix: str) -> onnx.GraphProto:
    """A graph as a branch of another, whose inputs it sees: its names must be its own."""
    branch = onnx.GraphProto()
    branch.CopyFrom(graph)
    branch.name = prefix
    made = {weight.name for weight in branch.initializer}
    made |= {name for node in branch.node for name in node.output if name}

    def renamed(name: str) -> str:
        return prefix + name if name in made else name

    for node in branch.node:
        node.name = node.name and prefix + node.name
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]
    for part in (*branch.initializer, *branch.output):
        part.name = renamed(part.name)
    del branch.input[:], branch.value_info[:]
    return branch
