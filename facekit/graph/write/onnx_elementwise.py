"""Writes ONNX's elementwise operators."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.graph.graph import Node, Operation
from facekit.graph.write.onnx_file import POSITIVE_PART, TO_FIRST, OnnxFile, Writer


def elementwise(kind: str, **attributes: Any) -> Writer:
    """Returns a function that writes an operator whose output has the shape of its input.

    The node's weights, such as a constant or slope, become further inputs.  The output has its
    channels first if all inputs are images and at least one of them has its channels first.
    """

    def write(file: OnnxFile, node: Node) -> None:
        channels_first = file.is_channels_first(node.inputs)
        inputs = [
            file.tensor_in_layout(node_input, channels_first=channels_first)
            for node_input in node.inputs
        ]
        for role, weight in node.weights.items():
            name = "operand_1" if role == "constant" else role
            inputs.append(
                file.add_constant(
                    f"{file.name_output(node, channels_first=channels_first)}/{name}",
                    _broadcastable(weight, channels_first),
                )
            )
        file.add_node(kind, inputs, node, channels_first=channels_first, **attributes)

    return write


def _broadcastable(weight: NDArray[Any], channels_first: bool) -> NDArray[Any]:
    """Returns a constant in the node's layout.

    The constant has one value per channel, or as many axes as the node.
    """
    if not channels_first or weight.ndim == 0:
        return weight
    return weight.reshape(-1, 1, 1) if weight.ndim == 1 else weight.transpose(TO_FIRST)


def _prelu(file: OnnxFile, node: Node) -> None:
    """Writes a PReLU with slope s as s * x + (1 - s) * relu(x).

    With this form ONNX Runtime runs SFace in half of the time that it needs with PRelu, which
    interrupts the memory layout shared by the convolutions.
    """
    channels_first, slope = file.is_channels_first(node.inputs), node.weights["slope"]
    x, name = (
        file.tensor_in_layout(node.inputs[0], channels_first=channels_first),
        file.name_output(node, channels_first=channels_first),
    )
    positive_part = file.add_operator("Relu", [x], name + POSITIVE_PART)
    terms = []
    for role, source, factor in (
        ("slope", x, slope),
        ("rest", positive_part, np.float32(1) - slope),
    ):
        constant = file.add_constant(f"{name}/{role}", _broadcastable(factor, channels_first))
        terms.append(file.add_operator("Mul", [source, constant], f"{name}/by_{role}"))
    file.add_node("Add", terms, node, channels_first=channels_first)


def _gelu(file: OnnxFile, node: Node) -> None:
    channels_first = file.is_channels_first(node.inputs)
    x = file.tensor_in_layout(node.inputs[0], channels_first=channels_first)
    name = file.name_output(node, channels_first=channels_first)
    numbers = {"root_of_half": 0.5**0.5, "one": 1, "half": 0.5}
    root_of_half, one, half = (
        file.add_constant(f"{name}/{role}", np.float32(number)) for role, number in numbers.items()
    )
    scaled = file.add_operator("Mul", [x, root_of_half], f"{name}/scaled")
    erf = file.add_operator("Erf", [scaled], f"{name}/erf")
    gate = file.add_operator("Add", [erf, one], f"{name}/gate")
    gated = file.add_operator("Mul", [x, gate], f"{name}/gated")
    file.add_node("Mul", [gated, half], node, channels_first=channels_first)


def _leaky_relu(file: OnnxFile, node: Node) -> None:
    elementwise("LeakyRelu", alpha=node.float_attributes["slope"])(file, node)


def _relu6(file: OnnxFile, node: Node) -> None:
    bounds = {"min": np.float32(0), "max": np.float32(6)}
    elementwise("Clip")(file, replace(node, weights={a: np.asarray(b) for a, b in bounds.items()}))


def _power(file: OnnxFile, node: Node) -> None:
    exponent = node.float_attributes["exponent"]
    kind = {0.5: "Sqrt", -1: "Reciprocal"}.get(exponent)
    if kind is None:
        node = replace(node, weights={"exponent": np.full(1, exponent, np.float32)})
    elementwise(kind or "Pow")(file, node)


ELEMENTWISE_WRITERS: dict[Operation, Writer] = {
    Operation.ADD: elementwise("Add"),
    Operation.MULTIPLY: elementwise("Mul"),
    Operation.MAXIMUM: elementwise("Max"),
    Operation.MINIMUM: elementwise("Min"),
    Operation.SUBTRACT: elementwise("Sub"),
    Operation.DIVIDE: elementwise("Div"),
    Operation.POWER: _power,
    Operation.RELU: elementwise("Relu"),
    Operation.RELU6: _relu6,
    Operation.PRELU: _prelu,
    Operation.LEAKY_RELU: _leaky_relu,
    Operation.ELU: elementwise("Elu", alpha=1.0),
    Operation.SIGMOID: elementwise("Sigmoid"),
    Operation.HARD_SWISH: elementwise("HardSwish"),
    Operation.GELU: _gelu,
    Operation.ERF: elementwise("Erf"),
}
