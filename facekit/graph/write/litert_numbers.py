"""LiteRT operators that treat each number alike, or that sum numbers up."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from facekit.graph.graph import Node, Operation
from facekit.graph.write.litert_file import LiteRtFile, Writer

_BUILTIN = schema.BuiltinOperator
_OPTIONS = schema.BuiltinOptions
FUSED = {
    Operation.RELU: schema.ActivationFunctionType.RELU,
    Operation.RELU6: schema.ActivationFunctionType.RELU6,
}
"""activations that may be part of another operator"""
FUSING = (
    Operation.CONVOLUTION,
    Operation.DENSE,
    Operation.BATCH_NORM,
    Operation.ADD,
    Operation.MULTIPLY,
    Operation.SUBTRACT,
    Operation.DIVIDE,
)
"""operators that they may be part of"""
_POWERS = {
    0.5: (_BUILTIN.SQRT, None),
    -0.5: (_BUILTIN.RSQRT, None),
    2.0: (_BUILTIN.SQUARE, (_OPTIONS.SquareOptions, schema.SquareOptionsT())),
}


def activation(fused: Node | None) -> int:
    """The schema's number of the activation that is part of an operator."""
    return int(schema.ActivationFunctionType.NONE if fused is None else FUSED[fused.operation])


def given(file: LiteRtFile, node: Node, fused: Node | None) -> int:
    """The tensor that an operator with its activation gives, called after the activation."""
    return file.computed(node, name=None if fused is None else fused.name)


def _elementwise(code: int, kind: int, table: Any) -> Writer:
    def write(file: LiteRtFile, node: Node, fused: Node | None) -> None:
        inputs = file.read_by(node)
        if "constant" in node.weights:
            inputs.append(file.constant(f"{node.name}/constant", node.weights["constant"]))
        made = table() if fused is None else table(fusedActivationFunction=activation(fused))
        file.operator(code, inputs, given(file, node, fused), (kind, made))

    return write


def _plain(code: int, options: tuple[int, Any] | None = None) -> Writer:
    """Of one node, without weights and settings."""

    def write(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
        file.operator(code, file.read_by(node), file.computed(node), options)

    return write


def _prelu(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    slope = node.weights["slope"]
    shape = (1,) * (len(node.shape) - 2) + slope.shape
    inputs = [*file.read_by(node), file.constant(f"{node.name}/slope", slope.reshape(shape))]
    file.operator(_BUILTIN.PRELU, inputs, file.computed(node))


def _leaky_relu(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    table = schema.LeakyReluOptionsT(alpha=node.numbers["slope"])
    options = (_OPTIONS.LeakyReluOptions, table)
    file.operator(_BUILTIN.LEAKY_RELU, file.read_by(node), file.computed(node), options)


def _power(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    inputs, exponent = file.read_by(node), node.numbers["exponent"]
    code, options = _POWERS.get(
        exponent, (_BUILTIN.POW, (_OPTIONS.PowOptions, schema.PowOptionsT()))
    )
    if code == _BUILTIN.POW:
        inputs.append(file.constant(f"{node.name}/exponent", np.array([exponent], np.float32)))
    file.operator(code, inputs, file.computed(node), options)


def _reduced(code: int) -> Writer:
    def write(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
        axes = file.constant(f"{node.name}/axes", np.array(node.integers["axes"], np.int32))
        keeps = len(node.shape) == len(node.inputs[0].shape)
        options = (_OPTIONS.ReducerOptions, schema.ReducerOptionsT(keepDims=keeps))
        file.operator(code, [*file.read_by(node), axes], file.computed(node), options)

    return write


_GREATER_OR_LESSER = (_OPTIONS.MaximumMinimumOptions, schema.MaximumMinimumOptionsT)
NUMBERS: dict[Operation, Writer] = {
    Operation.ADD: _elementwise(_BUILTIN.ADD, _OPTIONS.AddOptions, schema.AddOptionsT),
    Operation.MULTIPLY: _elementwise(_BUILTIN.MUL, _OPTIONS.MulOptions, schema.MulOptionsT),
    Operation.SUBTRACT: _elementwise(_BUILTIN.SUB, _OPTIONS.SubOptions, schema.SubOptionsT),
    Operation.DIVIDE: _elementwise(_BUILTIN.DIV, _OPTIONS.DivOptions, schema.DivOptionsT),
    Operation.MAXIMUM: _elementwise(_BUILTIN.MAXIMUM, *_GREATER_OR_LESSER),
    Operation.MINIMUM: _elementwise(_BUILTIN.MINIMUM, *_GREATER_OR_LESSER),
    Operation.POWER: _power,
    Operation.RELU: _plain(_BUILTIN.RELU),
    Operation.RELU6: _plain(_BUILTIN.RELU6),
    Operation.PRELU: _prelu,
    Operation.LEAKY_RELU: _leaky_relu,
    Operation.ELU: _plain(_BUILTIN.ELU),
    Operation.SIGMOID: _plain(_BUILTIN.LOGISTIC),
    Operation.HARD_SWISH: _plain(
        _BUILTIN.HARD_SWISH, (_OPTIONS.HardSwishOptions, schema.HardSwishOptionsT())
    ),
    Operation.SOFTMAX: _plain(
        _BUILTIN.SOFTMAX, (_OPTIONS.SoftmaxOptions, schema.SoftmaxOptionsT(beta=1.0))
    ),
    Operation.UNIT_LENGTH: _plain(
        _BUILTIN.L2_NORMALIZATION, (_OPTIONS.L2NormOptions, schema.L2NormOptionsT())
    ),
    Operation.MEAN: _reduced(_BUILTIN.MEAN),
    Operation.SUM: _reduced(_BUILTIN.SUM),
    Operation.GREATEST: _reduced(_BUILTIN.REDUCE_MAX),
}
