"""Several ONNX operators that are one operation of ours, as exporters spell it out.

Each function has what was read before, and gives None where it is not that.
"""

from __future__ import annotations

import numpy as np

from facekit.graph import operations
from facekit.graph.graph import Node, Operation
from facekit.types import Float32Array

_SIXTH = np.float32(1 / 6)
_NEAR = 1e-6
"""of a factor; also the largest number that keeps a length from being zero"""


def hard_swish_of(x: Node, y: Node | Float32Array, name: str) -> Node | None:
    """x * (ReLU6(x + 3) / 6) of two nodes in any order, or (x * ReLU6(x + 3)) * 1/6."""
    if isinstance(y, Node):
        for one, other in ((x, y), (y, x)):
            if _constant(other, Operation.MULTIPLY, _SIXTH) and _gate(one, other.inputs[0]):
                return operations.activation(Operation.HARD_SWISH, one, name)
    elif _is(y, _SIXTH) and x.operation is Operation.MULTIPLY and len(x.inputs) == 2:
        for one, other in (x.inputs, x.inputs[::-1]):
            if _gate(one, other):
                return operations.activation(Operation.HARD_SWISH, one, name)
    return None


def unit_length_of(x: Node, length: Node, exponent: float, name: str) -> Node | None:
    """x / |x|, or x * (1 / |x|) with the exponent -1, where the length is calculated from `x`
    over its last side and perhaps kept from being zero by a tiny number."""
    node, left = length, exponent
    while node.operation is not Operation.SUM:
        tiny = node.operation in (Operation.MAXIMUM, Operation.ADD) and len(node.inputs) == 1
        if node.operation is Operation.POWER:
            left *= node.numbers["exponent"]
        elif tiny:
            if not (node.weights["constant"] > 0).all() or node.weights["constant"].max() > _NEAR:
                return None
        elif node.operation is not Operation.BROADCAST:
            return None
        (node,) = node.inputs
    squares = node.inputs[0]
    is_square = (squares.operation is Operation.MULTIPLY and squares.inputs == (x, x)) or (
        squares.operation is Operation.POWER
        and squares.inputs == (x,)
        and squares.numbers["exponent"] == 2
    )
    last = node.integers["axes"] == (len(x.shape) - 1,) and len(node.shape) == len(x.shape)
    if is_square and last and left == 0.5:
        return operations.unit_length(x, name)
    return None


def _gate(x: Node, node: Node) -> bool:
    """Whether the node is ReLU6(x + 3)."""
    if node.operation is not Operation.RELU6:
        return False
    (moved,) = node.inputs
    return moved.inputs == (x,) and _constant(moved, Operation.ADD, np.float32(3))


def _constant(node: Node, operation: Operation, number: np.float32) -> bool:
    if node.operation is not operation or "constant" not in node.weights:
        return False
    return _is(node.weights["constant"], number)


def _is(constant: Float32Array, number: np.float32) -> bool:
    return bool((abs(constant - number) <= abs(number) * _NEAR).all())
