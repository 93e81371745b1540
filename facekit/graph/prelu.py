"""PReLUs that a file has as several operators, since its runtime or quantizer had none."""

from __future__ import annotations

import numpy as np

from facekit.graph import operations
from facekit.graph.graph import Graph, Node, Operation
from facekit.types import Float32Array

_NEAR = 1e-6
"""of 1: as near as float32 adds a and 1 - a"""


def with_prelus(graph: Graph) -> Graph:
    """Each of these as a PReLU of its name:

    max(x, a x) with a <= 1
    relu(x) + a min(x, 0), in which min(x, 0) may be x - relu(x) or -relu(-x)
    a x + (1 - a) relu(x)
    """
    return graph.rewritten(_as_prelu)


def _as_prelu(node: Node) -> Node:
    if len(node.inputs) != 2:
        return node
    for one, other in (node.inputs, node.inputs[::-1]):
        x, slope = _multiplied(other)
        if slope is None:
            continue
        if node.operation is Operation.MAXIMUM and x is one and slope.max() <= 1:
            return operations.prelu(x, slope, node.name)
        if node.operation is Operation.ADD and one.operation is Operation.MULTIPLY:
            above, rest = _multiplied(one)
            together = rest is not None and abs(rest + slope - 1).max() <= _NEAR
            if together and above.operation is Operation.RELU and above.inputs == (x,):
                return operations.prelu(x, slope, node.name)
        if (
            node.operation in (Operation.ADD, Operation.SUBTRACT)
            and one.operation is Operation.RELU
        ):
            sign = _sign_below_zero(x, one)
            if node.operation is Operation.SUBTRACT:
                sign = -sign if one is node.inputs[0] else 0
            if sign:
                return operations.prelu(one.inputs[0], slope * np.float32(sign), node.name)
    return node


def _multiplied(node: Node) -> tuple[Node, Float32Array | None]:
    """What is multiplied, and by what: one number a channel; None for anything else."""
    constant = node.weights.get("constant")
    if node.operation is not Operation.MULTIPLY or constant is None or constant.ndim != 1:
        return node, None
    return node.inputs[0], constant


def _sign_below_zero(node: Node, relu: Node) -> int:
    """1 for min(x, 0) of the x of `relu`, -1 for relu(-x), 0 for anything else."""
    (x,) = relu.inputs
    if node.operation is Operation.SUBTRACT:
        return int(node.inputs == (x, relu))
    if node.operation is Operation.MINIMUM and node.inputs == (x,):
        return int(not node.weights["constant"].any())
    if node.operation is Operation.RELU:
        negative, factor = _multiplied(node.inputs[0])
        return -int(negative is x and factor is not None and bool((factor == -1).all()))
    return 0
