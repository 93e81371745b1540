"""A float32 .tflite file as steps, and so back into our graph.

Only the operators that facekit's own conversion writes are known.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph import steps
from facekit.graph.fold_port import port_steps
from facekit.graph.steps import Node
from facekit.runtime.interpreter import new_interpreter
from facekit.system.keras_backend import keras

Constants: TypeAlias = "list[NDArray[Any]]"


def load_litert(net: keras.Model, path: Path) -> None:
    """Fills `net` from a file that facekit made of a net of this graph.

    Raises ModelBuildError naming file and tensor, ModelMismatchError for no sound .tflite.
    """
    port_steps(net, read_litert(path), origin=path.name)


def read_litert(path: Path) -> Node:
    """The file's one output.  Raises ModelBuildError naming the operator that is not known."""
    from ai_edge_litert import schema_py_generated as schema

    new_interpreter(path, threads=1)  # for its verifier: the schema's classes trust every offset
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes())
    graph = model.subgraphs[0]
    if (len(graph.inputs), len(graph.outputs)) != (1, 1):
        raise ModelBuildError(f"{path.name} must have one input and one output.")
    picture = graph.tensors[graph.inputs[0]]
    if len(picture.shape) != 4 or picture.shape[3] != 3:
        raise ModelBuildError(f"{path.name} takes no pictures: input of shape {picture.shape}.")
    nodes = {graph.inputs[0]: steps.image(picture.shape[1], picture.shape[2], _name(picture))}
    used: set[int] = set(graph.outputs)
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        kind = next(name for name, value in vars(schema.BuiltinOperator).items() if value == number)
        name = _name(graph.tensors[operator.outputs[0]])
        make = _MAKERS.get(kind)
        if make is None:
            raise ModelBuildError(f"{path.name}: {name} is a {kind}, which none of our nets has.")
        data = [nodes[index] for index in operator.inputs if index in nodes]
        constants = [
            _constant(model, graph.tensors[index], schema)
            for index in operator.inputs
            if index not in nodes and index >= 0
        ]
        used.update(operator.inputs)
        try:
            node = make(operator.builtinOptions, data, constants, name)
            nodes[operator.outputs[0]] = _activated(operator.builtinOptions, node, name)
        except (ValueError, TypeError, IndexError) as error:
            raise ModelBuildError(f"{path.name}: {name} cannot be read: {error}.") from error
    if idle := [_name(graph.tensors[index]) for index in nodes if index not in used]:
        raise ModelBuildError(f"{path.name}: {idle[0]} leads to no output.")
    return nodes[graph.outputs[0]]


def _name(tensor: Any) -> str:
    return str(tensor.name.decode(errors="replace"))


def _constant(model: Any, tensor: Any, schema: Any) -> NDArray[Any]:
    """In the tensor's own shape, float32 or int32."""
    dtypes = {schema.TensorType.FLOAT32: "<f4", schema.TensorType.INT32: "<i4"}
    data = model.buffers[tensor.buffer].data
    if tensor.type not in dtypes or data is None:
        raise ModelBuildError(f"{_name(tensor)} is neither a float32 nor an int32 constant.")
    values: NDArray[Any] = np.asarray(data, np.uint8).view(dtypes[tensor.type])
    return values.reshape(tuple(map(int, tensor.shape)))


def _activated(options: Any, node: Node, name: str) -> Node:
    fused = getattr(options, "fusedActivationFunction", 0)
    if fused not in (0, 1):  # ActivationFunctionType NONE, RELU
        raise ValueError(f"fused activation {fused}")
    return steps.relu(node, name) if fused else node


def _convolution(options: Any, data: list[Node], constants: Constants, name: str) -> Node:
    if (options.dilationHFactor, options.dilationWFactor) != (1, 1):
        raise ValueError("a dilated convolution")
    kernel = constants[0].transpose(1, 2, 3, 0)  # (out, height, width, in)
    return steps.kernel_step(
        data[0],
        kernel,
        name,
        offset=constants[1] if len(constants) > 1 else None,
        stride=(options.strideH, options.strideW),
        pads=_pads(options, data[0], kernel.shape[:2]),
    )


def _dense(_options: Any, data: list[Node], constants: Constants, name: str) -> Node:
    kernel = constants[0].T[None, None]  # (out, in)
    return steps.kernel_step(
        data[0], kernel, name, offset=constants[1] if len(constants) > 1 else None
    )


def _max_pool(options: Any, data: list[Node], _constants: Constants, name: str) -> Node:
    window = (options.filterHeight, options.filterWidth)
    return steps.max_pool(
        data[0],
        window,
        name,
        stride=(options.strideH, options.strideW),
        pads=_pads(options, data[0], window),
    )


def _pads(options: Any, x: Node, window: tuple[int, int]) -> steps.Pads:
    if options.padding == 1:  # Padding VALID
        return steps.NO_PADS
    return steps.same_pads(x.shape, window, (options.strideH, options.strideW))


def _pad(_options: Any, data: list[Node], constants: Constants, name: str) -> Node:
    batch, (top, bottom), (left, right), channels = constants[0].tolist()
    if any((*batch, *channels)):
        raise ValueError("padding of batch or channels")
    return steps.pad(data[0], (top, left, bottom, right), name)


def _mean(_options: Any, data: list[Node], constants: Constants, name: str) -> Node:
    if sorted(constants[0].ravel().tolist()) != [1, 2]:
        raise ValueError("a mean over other axes than height and width")
    return steps.mean(data[0], name)


def _add(_options: Any, data: list[Node], constants: Constants, name: str) -> Node:
    if constants:
        return steps.shifted(data[0], constants[0], name)
    return steps.add(data[0], data[1], name)


def _concatenate(options: Any, data: list[Node], _constants: Constants, name: str) -> Node:
    if options.axis not in (3, -1):
        raise ValueError("concatenation along another axis than the channels")
    return steps.concatenate(data, name)


_MAKERS: dict[str, Callable[[Any, list[Node], Constants, str], Node]] = {
    "CONV_2D": _convolution,
    "FULLY_CONNECTED": _dense,
    "MAX_POOL_2D": _max_pool,
    "PAD": _pad,
    "MEAN": _mean,
    "ADD": _add,
    "MUL": lambda _, data, constants, name: steps.scaled(data[0], constants[0], name),
    "RELU": lambda _, data, constants, name: steps.relu(data[0], name),
    "SUB": lambda _, data, constants, name: steps.difference(data[0], data[1], name),
    "MAXIMUM": lambda _, data, constants, name: steps.maximum(data[0], data[1], name),
    "PRELU": lambda _, data, constants, name: steps.prelu(data[0], constants[0], name),
    "RESHAPE": lambda _, data, constants, name: steps.flatten(data[0], name),
    "CONCATENATION": _concatenate,
}
