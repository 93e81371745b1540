"""Lists the activations of a .tflite file, and edits its first convolution, for quantization."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from facekit.errors import ModelBuildError


@dataclass(frozen=True, slots=True)
class Activation:
    """The output tensor of one operator."""

    key: str
    """The layer's name, e.g. "Block35_1_Activation/Relu", equal in all files of the same graph.

    An output of the network has the key "output_0", as in the file's signature.  If two layers have
    the same name, the key is the tensor's full name.
    """
    tensor: str
    """The tensor's full name in this file."""
    index: int
    """The index of the tensor in the file."""
    rank: int


def list_activations(content: bytes) -> tuple[Activation, ...]:
    """Returns the output of every operator in execution order.

    Raises ModelBuildError if two tensors have the same name.
    """
    graph = schema.Model.GetRootAs(content).Subgraphs(0)
    outputs = {
        int(index): f"output_{position}" for position, index in enumerate(graph.OutputsAsNumpy())
    }
    found = []
    for operator in map(graph.Operators, range(graph.OperatorsLength())):
        for index in _outputs(operator):
            tensor = graph.Tensors(index)
            name = tensor.Name().decode()
            key = outputs.get(index) or strip_network_name(name)
            found.append(Activation(key, name, index, tensor.ShapeLength()))
    if len({activation.key for activation in found}) != len(found):
        found = [
            replace(activation, key=outputs.get(activation.index, activation.tensor))
            for activation in found
        ]
    if len({activation.tensor for activation in found}) != len(found):
        raise ModelBuildError("Two layers of this file have one name: its graph is not facekit's.")
    return tuple(found)


def input_tensor(content: bytes) -> tuple[str, int]:
    """Returns the name and the rank of the network's only input tensor."""
    graph = schema.Model.GetRootAs(content).Subgraphs(0)
    tensor = graph.Tensors(int(graph.InputsAsNumpy()[0]))
    return tensor.Name().decode(), tensor.ShapeLength()


def has_dynamic_dimension(content: bytes) -> bool:
    """Returns whether a dimension of the input, including the batch, is dynamic."""
    graph = schema.Model.GetRootAs(content).Subgraphs(0)
    tensor = graph.Tensors(int(graph.InputsAsNumpy()[0]))
    shape = tensor.ShapeSignatureAsNumpy() if tensor.ShapeSignatureLength() else ()
    return -1 in shape


def begins_with_convolution(content: bytes) -> bool:
    """Returns whether the first operator, or the one after a PAD operator, is a convolution."""
    model = schema.Model.GetRootAs(content)
    return bool(_code(model, _first(model)) == schema.BuiltinOperator.CONV_2D)


def shift_input(content: bytes, shift: float) -> bytes:
    """Returns a file that expects inputs smaller by `shift`: net(x) == shifted_net(x - shift).

    The network must begin with a convolution, because its bias compensates for the shift.  The
    equation is exact except along a zero-padded border, because the padding zeros are not shifted
    and therefore represent another input than before.  For pixels the difference is half a gray
    level.
    """
    buffer = bytearray(content)
    model = schema.Model.GetRootAs(buffer)
    graph = model.Subgraphs(0)
    _, kernel_index, bias_index = _first(model).InputsAsNumpy()
    kernel = _constant(model, graph.Tensors(int(kernel_index)))  # (out, height, width, in)
    bias = _constant(model, graph.Tensors(int(bias_index)))  # a view: changes are made in `buffer`
    bias += (kernel.astype(np.float64).sum((1, 2, 3)) * shift).astype(np.float32)
    return bytes(buffer)


def _first(model: Any) -> Any:
    """Returns the first operator that is not a PAD."""
    graph = model.Subgraphs(0)
    first = graph.Operators(0)
    if _code(model, first) == schema.BuiltinOperator.PAD and graph.OperatorsLength() > 1:
        return graph.Operators(1)
    return first


def _code(model: Any, operator: Any) -> int:
    return int(model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode())


def _outputs(operator: Any) -> Sequence[int]:
    return [int(index) for index in operator.OutputsAsNumpy()]


def _constant(model: Any, tensor: Any) -> Any:
    raw = model.Buffers(tensor.Buffer()).DataAsNumpy()
    return raw.view(np.float32).reshape(tensor.ShapeAsNumpy())


def strip_network_name(tensor: str) -> str:
    """Returns the layer's name without the network's name: "sface/conv_1/relu" -> "conv_1/relu".

    TensorFlow joins the names of merged operators with ";"; the first one is used.
    """
    first = tensor.partition(";")[0]
    return first.partition("/")[2] or first
