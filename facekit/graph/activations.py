"""A .tflite file as a quantizer sees it: its activations by name, and its first convolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from facekit.errors import ModelBuildError

LINEAR = "/linear"
"""the end of the name of a layer whose activation, one operator with it in a LiteRT file, has the
plain name"""


@dataclass(frozen=True, slots=True)
class Activation:
    """What one operator writes."""

    key: str
    """its layer, the same in every file of the same graph: "Block35_1_Activation/Relu"; of an
    output "output_0", as the file's signature calls it; the whole name where layers share one"""
    tensor: str
    """its tensor's whole name in this file"""
    index: int
    """among the file's tensors"""
    rank: int


def activations(content: bytes) -> tuple[Activation, ...]:
    """The output of every operator, in the order in which they run.

    Raises ModelBuildError where two tensors have one name.
    """
    graph = schema.Model.GetRootAs(content).Subgraphs(0)
    outputs = {int(index): f"output_{place}" for place, index in enumerate(graph.OutputsAsNumpy())}
    found = []
    for operator in map(graph.Operators, range(graph.OperatorsLength())):
        for index in _outputs(operator):
            tensor = graph.Tensors(index)
            name = tensor.Name().decode()
            key = outputs.get(index) or layer_name(name)
            found.append(Activation(key, name, index, tensor.ShapeLength()))
    if len({one.key for one in found}) != len(found):
        found = [replace(one, key=outputs.get(one.index, one.tensor)) for one in found]
    if len({one.tensor for one in found}) != len(found):
        raise ModelBuildError("Two layers of this file have one name: its graph is not facekit's.")
    return tuple(found)


def input_tensor(content: bytes) -> tuple[str, int]:
    """Name and rank of the one input."""
    graph = schema.Model.GetRootAs(content).Subgraphs(0)
    tensor = graph.Tensors(int(graph.InputsAsNumpy()[0]))
    return tensor.Name().decode(), tensor.ShapeLength()


def has_open_side(content: bytes) -> bool:
    """Whether a side of the input, the batch among them, is left open."""
    graph = schema.Model.GetRootAs(content).Subgraphs(0)
    tensor = graph.Tensors(int(graph.InputsAsNumpy()[0]))
    shape = tensor.ShapeSignatureAsNumpy() if tensor.ShapeSignatureLength() else ()
    return -1 in shape


def begins_with_convolution(content: bytes) -> bool:
    """Whether the first operator, or the one after a padding, is a convolution."""
    model = schema.Model.GetRootAs(content)
    return bool(_code(model, _first(model)) == schema.BuiltinOperator.CONV_2D)


def with_shifted_input(content: bytes, shift: float) -> bytes:
    """The file for inputs that are smaller by `shift`: net(x) == shifted(x - shift).

    The net must begin with a convolution, whose bias takes the shift up.  The equation is exact
    but along a padded border: zeros that are padded there are not shifted, and stand for another
    input than before, half a gray level away for pixels.
    """
    buffer = bytearray(content)
    model = schema.Model.GetRootAs(buffer)
    graph = model.Subgraphs(0)
    _, kernel_index, bias_index = _first(model).InputsAsNumpy()
    kernel = _constant(model, graph.Tensors(int(kernel_index)))  # (out, height, width, in)
    bias = _constant(model, graph.Tensors(int(bias_index)))  # a view: changes land in `buffer`
    bias += (kernel.astype(np.float64).sum((1, 2, 3)) * shift).astype(np.float32)
    return bytes(buffer)


def _first(model: Any) -> Any:
    """The first operator that does more than pad."""
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


def layer_name(tensor: str) -> str:
    """Of the layer that gives the tensor, without the name of the network that stands before it:
    "sface/conv_1/relu" -> "conv_1/relu".  TensorFlow joins the names of what it made one
    operator; the first is taken.
    """
    first = tensor.partition(";")[0]
    return first.partition("/")[2] or first
