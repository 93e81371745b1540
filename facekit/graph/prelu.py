"""Finds PReLUs that a file expresses by several operators, e.g. because a runtime has no PReLU."""

from __future__ import annotations

import numpy as np

from facekit.graph import operations
from facekit.graph.graph import Graph, Node, Operation
from facekit.types import Float32Array

_TOLERANCE = 1e-6
"""Tolerance for a + (1 - a) == 1 in float32."""


def merge_prelus(graph: Graph) -> Graph:
    """Returns the graph with each of these patterns replaced by a PReLU of the same name:

    max(x, a x) with a <= 1
    relu(x) + a min(x, 0), where min(x, 0) may also be written x - relu(x) or -relu(-x)
    a x + (1 - a) relu(x)
    """
    return graph.rewrite(_merge_prelu)


def _merge_prelu(node: Node) -> Node:
    if len(node.inputs) != 2:
        return node
    for term, product in (node.inputs, node.inputs[::-1]):
        x, slope = _split_product(product)
        if slope is None:
            continue
        if node.operation is Operation.MAXIMUM and x is term and slope.max() <= 1:
            return operations.prelu(x, slope, node.name)
        if node.operation is Operation.ADD and term.operation is Operation.MULTIPLY:
            positive_part, rest = _split_product(term)
            sums_to_one = rest is not None and abs(rest + slope - 1).max() <= _TOLERANCE
            if (
                sums_to_one
                and positive_part.operation is Operation.RELU
                and positive_part.inputs == (x,)
            ):
                return operations.prelu(x, slope, node.name)
        if (
            node.operation in (Operation.ADD, Operation.SUBTRACT)
            and term.operation is Operation.RELU
        ):
            sign = _sign_below_zero(x, term)
            if node.operation is Operation.SUBTRACT:
                sign = -sign if term is node.inputs[0] else 0
            if sign:
                return operations.prelu(term.inputs[0], slope * np.float32(sign), node.name)
    return node


def _split_product(node: Node) -> tuple[Node, Float32Array | None]:
    """Returns (x, factor) of a MULTIPLY by one value per channel.

    Returns (node, None) for any other node.
    """
    constant = node.weights.get("constant")
    if node.operation is not Operation.MULTIPLY or constant is None or constant.ndim != 1:
        return node, None
    return node.inputs[0], constant


def _sign_below_zero(node: Node, relu: Node) -> int:
    """Returns 1 if the node is min(x, 0), -1 if the node is relu(-x), else 0.

    x is the input of `relu`.
    """
    (x,) = relu.inputs
    if node.operation is Operation.SUBTRACT:
        return int(node.inputs == (x, relu))
    if node.operation is Operation.MINIMUM and node.inputs == (x,):
        return int(not node.weights["constant"].any())
    if node.operation is Operation.RELU:
        negative, factor = _split_product(node.inputs[0])
        return -int(negative is x and factor is not None and bool((factor == -1).all()))
    return 0
