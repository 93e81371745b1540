"""Recognizes operations that exporters express by several ONNX operators.

Each function receives nodes that have already been read, and returns None if they do not form the
pattern.
"""

from __future__ import annotations

import numpy as np

from facekit.graph import operations
from facekit.graph.graph import Node, Operation
from facekit.types import Float32Array

_SIXTH = np.float32(1 / 6)
_HALF = np.float32(0.5)
_ROOT_OF_HALF = np.float32(0.5**0.5)
_TOLERANCE = 1e-6
"""The relative tolerance of a constant, and the largest constant that may keep a length from being
zero."""


def match_gated(x: Node, y: Node | Float32Array, name: str) -> Node | None:
    """Matches hard swish and GELU: x * (gate(x) * constant) or (x * gate(x)) * constant, with the
    factors in any order.

    The gate of hard swish is ReLU6(x + 3), its constant 1/6; that of GELU is 1 + erf(x / sqrt(2)),
    its constant 1/2.
    """
    for operation, constant, is_gate in (
        (Operation.HARD_SWISH, _SIXTH, _is_hard_swish_gate),
        (Operation.GELU, _HALF, _is_gelu_gate),
    ):
        if isinstance(y, Node):
            for a, b in ((x, y), (y, x)):
                if _has_constant(b, Operation.MULTIPLY, constant) and is_gate(a, b.inputs[0]):
                    return operations.activation(operation, a, name)
                # The constant may also be a factor of x.
                if _has_constant(a, Operation.MULTIPLY, constant) and is_gate(a.inputs[0], b):
                    return operations.activation(operation, a.inputs[0], name)
        elif _equals(y, constant) and x.operation is Operation.MULTIPLY and len(x.inputs) == 2:
            for a, b in (x.inputs, x.inputs[::-1]):
                if is_gate(a, b):
                    return operations.activation(operation, a, name)
    return None


def match_unit_length(x: Node, length: Node, name: str, *, exponent: float) -> Node | None:
    """Matches x / |x| (`exponent` 1) or x * (1 / |x|) (`exponent` -1).

    The length must be computed from x over its last axis.  It may be kept from being zero by a tiny
    constant.
    """
    node, power = length, exponent
    while node.operation is not Operation.REDUCE_SUM:
        has_constant = (
            node.operation in (Operation.MAXIMUM, Operation.ADD) and len(node.inputs) == 1
        )
        if node.operation is Operation.POWER:
            power *= node.float_attributes["exponent"]
        elif has_constant:
            if (
                not (node.weights["constant"] > 0).all()
                or node.weights["constant"].max() > _TOLERANCE
            ):
                return None
        elif node.operation is not Operation.BROADCAST:
            return None
        (node,) = node.inputs
    squares = node.inputs[0]
    is_square = (squares.operation is Operation.MULTIPLY and squares.inputs == (x, x)) or (
        squares.operation is Operation.POWER
        and squares.inputs == (x,)
        and squares.float_attributes["exponent"] == 2
    )
    last = node.int_attributes["axes"] == (len(x.shape) - 1,) and len(node.shape) == len(x.shape)
    if is_square and last and power == 0.5:
        return operations.unit_length(x, name)
    return None


def _is_gelu_gate(x: Node, node: Node) -> bool:
    """Returns whether the node is 1 + erf(x / sqrt(2))."""
    if not _has_constant(node, Operation.ADD, np.float32(1)):
        return False
    (erf,) = node.inputs
    if erf.operation is not Operation.ERF:
        return False
    (scaled,) = erf.inputs
    return scaled.inputs == (x,) and _has_constant(scaled, Operation.MULTIPLY, _ROOT_OF_HALF)


def _is_hard_swish_gate(x: Node, node: Node) -> bool:
    """Returns whether the node is ReLU6(x + 3)."""
    if node.operation is not Operation.RELU6:
        return False
    (shifted,) = node.inputs
    return shifted.inputs == (x,) and _has_constant(shifted, Operation.ADD, np.float32(3))


def _has_constant(node: Node, operation: Operation, value: np.float32) -> bool:
    if node.operation is not operation or "constant" not in node.weights:
        return False
    return _equals(node.weights["constant"], value)


def _equals(constant: Float32Array, value: np.float32) -> bool:
    return bool((abs(constant - value) <= abs(value) * _TOLERANCE).all())
