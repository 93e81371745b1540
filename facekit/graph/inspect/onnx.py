"""Inspects an .onnx file: tensors, operators, parameters, multiply-accumulates.

The file is read by the package onnx, which is needed only here and for writing ONNX files.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from facekit.errors import ModelMismatchError, ModelMissingError, StorageError
from facekit.graph.graph import DYNAMIC
from facekit.graph.inspect.network import Network, Operator, Tensor, count_macs, count_parameters
from facekit.system.extras import require

_QUANTIZES, _DEQUANTIZES = "QuantizeLinear", "DequantizeLinear"


def inspect_onnx(path: Path) -> Network:
    """Returns a description of the file's graph.  A QDQ file's quantize nodes count as operators.

    Raises ModelMissingError or StorageError if the file cannot be read, ModelMismatchError if it is
    not a valid .onnx file, and MissingExtraError if onnx is not installed.
    """
    onnx = require("onnx", extra="convert", needed_for="Reading an .onnx file's operators")
    graph = _load_model(onnx, path).graph
    tensors = _tensors(onnx, graph)
    operators = tuple(_operator(node, tensors) for node in graph.node)
    constants = {constant.name for constant in graph.initializer}
    # The file's list of inputs may also contain constants, and names that quantizers left behind.
    node_inputs = {name for node in graph.node for name in node.input} - constants
    quantizing = [node for node in graph.node if node.op_type in (_QUANTIZES, _DEQUANTIZES)]
    trained = constants - {name for node in quantizing for name in node.input[1:]}
    return Network(
        inputs=tuple(tensors[value.name] for value in graph.input if value.name in node_inputs),
        outputs=tuple(tensors[value.name] for value in graph.output),
        operators=operators,
        parameters=count_parameters(tensors[name] for name in trained),
        macs=count_macs(operators),
    )


def _load_model(onnx: Any, path: Path) -> Any:
    """Returns the checked model with the shapes of all its tensors."""
    try:
        model = onnx.load_model_from_string(path.read_bytes())
        onnx.checker.check_model(model)
        return onnx.shape_inference.infer_shapes(model, strict_mode=True)
    except FileNotFoundError as error:
        raise ModelMissingError(f"There is no model file {path}.") from error
    except OSError as error:
        raise StorageError(f"Model file {path} cannot be read: {error.strerror}") from error
    except Exception as error:  # protobuf, the checker and shape inference raise their own errors
        first_line = str(error).strip().partition("\n")[0]
        raise ModelMismatchError(
            f"{path} is not an ONNX model, or is damaged: {first_line or type(error).__name__}. "
            "Export it again, or copy it again from where it came."
        ) from error


def _tensors(onnx: Any, graph: Any) -> dict[str, Tensor]:
    scales = _scales(onnx, graph)
    found = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        kind = value.type.tensor_type
        shape = tuple(
            dimension.dim_value if dimension.HasField("dim_value") else DYNAMIC
            for dimension in kind.shape.dim
        )
        found[value.name] = _tensor(onnx, value.name, shape, kind.elem_type, scales)
    for constant in graph.initializer:
        shape = tuple(constant.dims)
        found[constant.name] = _tensor(
            onnx, constant.name, shape, constant.data_type, scales, is_constant=True
        )
    return found


def _tensor(
    onnx: Any,
    name: str,
    shape: tuple[int, ...],
    data_type: int,
    scales: dict[str, tuple[tuple[float, ...], tuple[int, ...]]],
    *,
    is_constant: bool = False,
) -> Tensor:
    tensor_scales, zero_points = scales.get(name, ((), ()))
    try:
        dtype = str(onnx.helper.tensor_dtype_to_np_dtype(data_type))
    except (KeyError, ValueError):
        dtype = f"unknown {data_type}"
    return Tensor(name, shape, dtype, tensor_scales, zero_points, is_constant)


def _scales(onnx: Any, graph: Any) -> dict[str, tuple[tuple[float, ...], tuple[int, ...]]]:
    """Returns (scales, zero points) of each quantized tensor, from the nodes that read or
    write it."""
    constants = {constant.name: constant for constant in graph.initializer}
    found = {}
    for node in graph.node:
        if node.op_type in (_QUANTIZES, _DEQUANTIZES) and node.input[1] in constants:
            integers = node.input[0] if node.op_type == _DEQUANTIZES else node.output[0]
            values = [
                onnx.numpy_helper.to_array(constants[name]).ravel().tolist()
                for name in node.input[1:3]
                if name in constants
            ]
            zero_points = tuple(values[1]) if len(values) > 1 else (0,) * len(values[0])
            found[integers] = tuple(values[0]), zero_points
    return found


def _operator(node: Any, tensors: dict[str, Tensor]) -> Operator:
    inputs = tuple(tensors.get(name) for name in node.input)
    shapes = [() if tensor is None else tensor.shape for tensor in inputs]
    products = reads = 0
    if node.op_type == "Conv":
        products = prod(shapes[1][1:])  # (out, in / groups, height, width)
    elif node.op_type in ("Gemm", "MatMul"):
        products = shapes[0][-1] if shapes[0] else 0
    elif node.op_type == "GlobalAveragePool":
        reads = abs(prod(shapes[0][2:]))
    elif node.op_type in ("AveragePool", "MaxPool"):
        reads = next(
            prod(tensor.ints) for tensor in node.attribute if tensor.name == "kernel_shape"
        )
    outputs = tuple(tensors[name] for name in node.output if name in tensors)
    return Operator(node.op_type, inputs, outputs, products, reads)
