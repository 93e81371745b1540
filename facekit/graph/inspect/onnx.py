"""The network in an .onnx file: tensors, operators, parameters, multiply-accumulates.

Read by the package onnx, which nothing but this and making such files needs.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from facekit.errors import ModelMismatchError, ModelMissingError, StorageError
from facekit.graph.graph import OPEN
from facekit.graph.inspect.network import Network, Operator, Tensor, macs, parameters
from facekit.system.extras import require

_QUANTIZES, _DEQUANTIZES = "QuantizeLinear", "DequantizeLinear"


def inspect_onnx(path: Path) -> Network:
    """Reads the file's graph; a QDQ file's operators are listed with their quantize nodes.

    Raises ModelMissingError, StorageError, ModelMismatchError for what is no sound .onnx, and
    MissingExtraError without the package onnx.
    """
    onnx = require("onnx", extra="convert", needed_for="Reading an .onnx file's operators")
    graph = _read(onnx, path).graph
    tensors = _tensors(onnx, graph)
    operators = tuple(_operator(node, tensors) for node in graph.node)
    constants = {constant.name for constant in graph.initializer}
    # Exporters list constants too, and quantizers leave the names of those they replaced.
    fed = {name for node in graph.node for name in node.input} - constants
    quantizing = [node for node in graph.node if node.op_type in (_QUANTIZES, _DEQUANTIZES)]
    trained = constants - {name for node in quantizing for name in node.input[1:]}
    return Network(
        inputs=tuple(tensors[one.name] for one in graph.input if one.name in fed),
        outputs=tuple(tensors[one.name] for one in graph.output),
        operators=operators,
        parameters=parameters(tensors[name] for name in trained),
        macs=macs(operators),
    )


def _read(onnx: Any, path: Path) -> Any:
    """The model, checked, with the shapes of all its tensors."""
    try:
        model = onnx.load_model_from_string(path.read_bytes())
        onnx.checker.check_model(model)
        return onnx.shape_inference.infer_shapes(model, strict_mode=True)
    except FileNotFoundError as error:
        raise ModelMissingError(f"There is no model file {path}.") from error
    except OSError as error:
        raise StorageError(f"Model file {path} cannot be read: {error.strerror}") from error
    except Exception as error:  # protobuf, the checker and shape inference have their own
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
            side.dim_value if side.HasField("dim_value") else OPEN for side in kind.shape.dim
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
    own_scales, zero_points = scales.get(name, ((), ()))
    try:
        dtype = str(onnx.helper.tensor_dtype_to_np_dtype(data_type))
    except (KeyError, ValueError):
        dtype = f"unknown {data_type}"
    return Tensor(name, shape, dtype, own_scales, zero_points, is_constant)


def _scales(onnx: Any, graph: Any) -> dict[str, tuple[tuple[float, ...], tuple[int, ...]]]:
    """Of each tensor of integers: scale and zero point stand beside it in the nodes that read
    or write it."""
    constants = {constant.name: constant for constant in graph.initializer}
    found = {}
    for node in graph.node:
        if node.op_type in (_QUANTIZES, _DEQUANTIZES) and node.input[1] in constants:
            integers = node.input[0] if node.op_type == _DEQUANTIZES else node.output[0]
            numbers = [
                onnx.numpy_helper.to_array(constants[name]).ravel().tolist()
                for name in node.input[1:3]
                if name in constants
            ]
            zero_points = tuple(numbers[1]) if len(numbers) > 1 else (0,) * len(numbers[0])
            found[integers] = tuple(numbers[0]), zero_points
    return found


def _operator(node: Any, tensors: dict[str, Tensor]) -> Operator:
    inputs = tuple(tensors.get(name) for name in node.input)
    shapes = [() if one is None else one.shape for one in inputs]
    products = reads = 0
    if node.op_type == "Conv":
        products = prod(shapes[1][1:])  # (out, in / groups, height, width)
    elif node.op_type in ("Gemm", "MatMul"):
        products = shapes[0][-1] if shapes[0] else 0
    elif node.op_type == "GlobalAveragePool":
        reads = abs(prod(shapes[0][2:]))
    elif node.op_type in ("AveragePool", "MaxPool"):
        reads = next(prod(one.ints) for one in node.attribute if one.name == "kernel_shape")
    outputs = tuple(tensors[name] for name in node.output if name in tensors)
    return Operator(node.op_type, inputs, outputs, products, reads)
