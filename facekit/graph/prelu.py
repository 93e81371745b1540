"""PReLUs that a file has as several operators, since its runtime or quantizer had none."""

from __future__ import annotations

import numpy as np

from facekit.graph import operations
from facekit.graph.graph import Graph, Node, Operation
from facekit.types import Float32Array


def with_prelus(graph: Graph) -> Graph:
    """Each max(x, a x) with a <= 1, and each relu(x) + a min(x, 0), as a PReLU of its name.

    min(x, 0) may be x - relu(x) or -relu(-x).
    """
    return graph.rewritten(_as_prelu)


def _as_prelu(node: Node) -> Node:
    if len(node.inputs) != 2:
        return node
    for a, b in (node.inputs, node.inputs[::-1]):
        x, slope = _multiplied(b)
        if node.operation is Operation.MAXIMUM and x is a and slope is not None:
            if slope.max() <= 1:
                return operations.prelu(a, slope, node.name)
        elif (
            node.operation in (Operation.ADD, Operation.SUBTRACT) and a.operation is Operation.RELU
        ):
            factor = None if slope is None else _times_below_zero(x, a)
            if factor is None or slope is None:
                continue
            if node.operation is Operation.SUBTRACT:
                if a is not node.inputs[0]:
                    continue
                factor = -factor
            return operations.prelu(a.inputs[0], slope * np.float32(factor), node.name)
    return node


def _multiplied(node: Node) -> tuple[Node, Float32Array | None]:
    """What is multiplied, and by what: one number a channel; None for anything else."""
    constant = node.weights.get("constant")
    if node.operation is not Operation.MULTIPLY or constant is None or constant.ndim != 1:
        return node, None
    return node.inputs[0], constant


def _times_below_zero(node: Node, relu: Node) -> int | None:
    """1 for min(x, 0) of the x of `relu`, -1 for relu(-x), None for anything else."""
    (x,) = relu.inputs
    if node.operation is Operation.SUBTRACT and node.inputs == (x, relu):
        return 1
    if node.operation is Operation.MINIMUM and node.inputs == (x,):
        return None if node.weights["constant"].any() else 1
    if node.operation is Operation.RELU:
        negative, factor = _multiplied(node.inputs[0])
        return -1 if negative is x and factor is not None and (factor == -1).all() else None
    return None
