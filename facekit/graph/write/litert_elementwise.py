"""Writes LiteRT's elementwise operators and reductions."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from facekit.errors import ModelBuildError
from facekit.graph.graph import Node, Operation
from facekit.graph.litert_tables import filled
from facekit.graph.write.litert_file import LiteRtFile, Writer

_BUILTIN = schema.BuiltinOperator
_OPTIONS = schema.BuiltinOptions
FUSABLE_ACTIVATIONS = {
    Operation.RELU: schema.ActivationFunctionType.RELU,
    Operation.RELU6: schema.ActivationFunctionType.RELU6,
}
"""The activation functions that may be merged into another operator."""
FUSING_OPERATIONS = (
    Operation.CONVOLUTION,
    Operation.DENSE,
    Operation.BATCH_NORM,
    Operation.ADD,
    Operation.MULTIPLY,
    Operation.SUBTRACT,
    Operation.DIVIDE,
)
"""The operations that an activation function may be merged into."""
_POWERS = {
    0.5: (_BUILTIN.SQRT, None),
    -0.5: (_BUILTIN.RSQRT, None),
    2.0: (_BUILTIN.SQUARE, (_OPTIONS.SquareOptions, schema.SquareOptionsT())),
}


def activation_code(fused: Node | None) -> int:
    """Returns the schema's code of the activation function to merge; `fused` None means none."""
    return int(
        schema.ActivationFunctionType.NONE
        if fused is None
        else FUSABLE_ACTIVATIONS[fused.operation]
    )


def output_tensor(file: LiteRtFile, node: Node, fused: Node | None) -> int:
    """Adds the output tensor of an operator.

    The tensor is named after the merged activation function, if there is one.
    """
    return file.add_activation(node, name=None if fused is None else fused.name)


def _elementwise(code: int, kind: int, table: Any) -> Writer:
    def write(file: LiteRtFile, node: Node, fused: Node | None) -> None:
        inputs = file.input_tensors(node)
        if "constant" in node.weights:
            inputs.append(file.add_constant(f"{node.name}/constant", node.weights["constant"]))
        members = {} if fused is None else {"fusedActivationFunction": activation_code(fused)}
        options = (kind, filled(table, **members))
        file.add_operator(code, inputs, output_tensor(file, node, fused), options)

    return write


def _without_options(code: int, options: tuple[int, Any] | None = None) -> Writer:
    """Returns the writer of an operator with one input and without weights."""

    def write(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
        file.add_operator(code, file.input_tensors(node), file.add_activation(node), options)

    return write


def _prelu(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    slope = node.weights["slope"]
    shape = (1,) * (len(node.shape) - 2) + slope.shape
    inputs = [
        *file.input_tensors(node),
        file.add_constant(f"{node.name}/slope", slope.reshape(shape)),
    ]
    file.add_operator(_BUILTIN.PRELU, inputs, file.add_activation(node))


def _leaky_relu(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    table = filled(schema.LeakyReluOptionsT, alpha=node.float_attributes["slope"])
    options = (_OPTIONS.LeakyReluOptions, table)
    file.add_operator(
        _BUILTIN.LEAKY_RELU, file.input_tensors(node), file.add_activation(node), options
    )


def _erf(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    raise ModelBuildError(f"{node.name} is the error function, which LiteRT has within GELU only.")


def _power(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    inputs, exponent = file.input_tensors(node), node.float_attributes["exponent"]
    code, options = _POWERS.get(
        exponent, (_BUILTIN.POW, (_OPTIONS.PowOptions, schema.PowOptionsT()))
    )
    if code == _BUILTIN.POW:
        inputs.append(file.add_constant(f"{node.name}/exponent", np.array([exponent], np.float32)))
    file.add_operator(code, inputs, file.add_activation(node), options)


def _reduction(code: int) -> Writer:
    def write(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
        axes = file.add_constant(
            f"{node.name}/axes", np.array(node.int_attributes["axes"], np.int32)
        )
        keeps = len(node.shape) == len(node.inputs[0].shape)
        options = (_OPTIONS.ReducerOptions, filled(schema.ReducerOptionsT, keepDims=keeps))
        file.add_operator(
            code, [*file.input_tensors(node), axes], file.add_activation(node), options
        )

    return write


_MAXIMUM_MINIMUM = (_OPTIONS.MaximumMinimumOptions, schema.MaximumMinimumOptionsT)
ELEMENTWISE_WRITERS: dict[Operation, Writer] = {
    Operation.ADD: _elementwise(_BUILTIN.ADD, _OPTIONS.AddOptions, schema.AddOptionsT),
    Operation.MULTIPLY: _elementwise(_BUILTIN.MUL, _OPTIONS.MulOptions, schema.MulOptionsT),
    Operation.SUBTRACT: _elementwise(_BUILTIN.SUB, _OPTIONS.SubOptions, schema.SubOptionsT),
    Operation.DIVIDE: _elementwise(_BUILTIN.DIV, _OPTIONS.DivOptions, schema.DivOptionsT),
    Operation.MAXIMUM: _elementwise(_BUILTIN.MAXIMUM, *_MAXIMUM_MINIMUM),
    Operation.MINIMUM: _elementwise(_BUILTIN.MINIMUM, *_MAXIMUM_MINIMUM),
    Operation.POWER: _power,
    Operation.RELU: _without_options(_BUILTIN.RELU),
    Operation.RELU6: _without_options(_BUILTIN.RELU6),
    Operation.PRELU: _prelu,
    Operation.LEAKY_RELU: _leaky_relu,
    Operation.ELU: _without_options(_BUILTIN.ELU),
    Operation.SIGMOID: _without_options(_BUILTIN.LOGISTIC),
    Operation.HARD_SWISH: _without_options(
        _BUILTIN.HARD_SWISH, (_OPTIONS.HardSwishOptions, schema.HardSwishOptionsT())
    ),
    Operation.GELU: _without_options(_BUILTIN.GELU, (_OPTIONS.GeluOptions, schema.GeluOptionsT())),
    Operation.ERF: _erf,
    Operation.SOFTMAX: _without_options(
        _BUILTIN.SOFTMAX, (_OPTIONS.SoftmaxOptions, filled(schema.SoftmaxOptionsT, beta=1.0))
    ),
    Operation.UNIT_LENGTH: _without_options(
        _BUILTIN.L2_NORMALIZATION, (_OPTIONS.L2NormOptions, schema.L2NormOptionsT())
    ),
    Operation.REDUCE_MEAN: _reduction(_BUILTIN.MEAN),
    Operation.REDUCE_SUM: _reduction(_BUILTIN.SUM),
    Operation.REDUCE_MAX: _reduction(_BUILTIN.REDUCE_MAX),
}
