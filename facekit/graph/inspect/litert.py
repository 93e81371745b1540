"""The network in a .tflite file: tensors, operators, parameters, multiply-accumulates."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from facekit.errors import AcceleratorError
from facekit.graph.inspect.network import VELA_OPERATOR, Macs, Network, Operator, Tensor
from facekit.runtime.interpreter import new_interpreter

_SCHEMA = "ai_edge_litert.schema_py_generated"
_FLOATS = ("float16", "float32", "bfloat16")
_WINDOW_OPERATORS = ("AVERAGE_POOL_2D", "MAX_POOL_2D")


def inspect_litert(path: Path) -> Network:
    """Reads the file's first subgraph, which is the network.

    Raises ModelMissingError, StorageError, ModelMismatchError for what is no sound .tflite, and
    AcceleratorError where ai-edge-litert, which knows the format, is not installed.
    """
    new_interpreter(path, threads=1)  # for its verifier: the schema's classes trust every offset
    model = _schema().Model.GetRootAs(path.read_bytes())
    graph = model.Subgraphs(0)
    tensors = [_tensor(model, graph.Tensors(index)) for index in range(graph.TensorsLength())]
    operators = tuple(
        _operator(model, graph.Operators(index), tensors)
        for index in range(graph.OperatorsLength())
    )
    return Network(
        inputs=tuple(tensors[index] for index in graph.InputsAsNumpy()),
        outputs=tuple(tensors[index] for index in graph.OutputsAsNumpy()),
        operators=operators,
        parameters=_parameters(tensors),
        macs=_macs(operators),
    )


def _schema() -> Any:
    try:
        return importlib.import_module(_SCHEMA)
    except ImportError as error:
        raise AcceleratorError(
            "Reading a model's operators needs ai-edge-litert; tflite-runtime does not know the "
            "format. Install it with: python -m pip install ai-edge-litert"
        ) from error


def _tensor(model: Any, raw: Any) -> Tensor:
    shape = raw.ShapeSignatureAsNumpy() if raw.ShapeSignatureLength() else raw.ShapeAsNumpy()
    quantisation = raw.Quantization()
    return Tensor(
        name=raw.Name().decode(errors="replace"),
        shape=tuple(map(int, shape)) if raw.ShapeLength() else (),
        dtype=_constant_name(_schema().TensorType, raw.Type()).lower(),
        scales=_listed(quantisation, "Scale", float),
        zero_points=_listed(quantisation, "ZeroPoint", int),
        is_constant=_holds_data(model.Buffers(raw.Buffer())),
    )


def _holds_data(buffer: Any) -> bool:
    """Data stands in the flatbuffer or, as ai-edge-quantizer writes it, behind it at an offset."""
    return bool(buffer.DataLength() or buffer.Size())


def _listed(quantisation: Any, field: str, kind: type) -> tuple[Any, ...]:
    if quantisation is None or not getattr(quantisation, f"{field}Length")():
        return ()
    return tuple(map(kind, getattr(quantisation, f"{field}AsNumpy")()))


def _operator(model: Any, raw: Any, tensors: list[Tensor]) -> Operator:
    code = model.OperatorCodes(raw.OpcodeIndex())
    # Codes above 126 stand in the newer, wider field; older files have the narrow one alone.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    name = _constant_name(_schema().BuiltinOperator, number)
    if name == "CUSTOM":
        name = code.CustomCode().decode(errors="replace")
    window = 0
    if name in _WINDOW_OPERATORS:
        options = _schema().Pool2DOptions()
        options.Init(raw.BuiltinOptions().Bytes, raw.BuiltinOptions().Pos)
        window = options.FilterHeight() * options.FilterWidth()
    return Operator(
        name=name,
        inputs=tuple(tensors[index] if index >= 0 else None for index in _indices(raw, "Inputs")),
        outputs=tuple(tensors[index] for index in _indices(raw, "Outputs")),
        window=window,
    )


def _indices(raw: Any, field: str) -> Iterator[int]:
    return (getattr(raw, field)(index) for index in range(getattr(raw, f"{field}Length")()))


def _constant_name(constants: type, number: int) -> str:
    return next(
        (name for name, value in vars(constants).items() if value == number), f"UNKNOWN_{number}"
    )


def _parameters(tensors: list[Tensor]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for tensor in tensors:
        if tensor.is_constant and (tensor.dtype in _FLOATS or tensor.scales):
            counts[tensor.dtype] += prod(tensor.shape)
    return dict(counts.most_common())


def _macs(operators: tuple[Operator, ...]) -> Macs | None:
    if any(operator.name == VELA_OPERATOR for operator in operators):
        return None
    weighted = pooling = 0
    for operator in operators:
        data, result = operator.inputs[0] if operator.inputs else None, operator.outputs[0]
        if -1 in result.shape[1:] or -1 in _shape(data)[1:]:
            return None
        written = _elements(result)
        if operator.name in ("CONV_2D", "FULLY_CONNECTED"):
            weighted += written * prod(_shape(operator.inputs[1])[1:])  # (out, [height, width,] in)
        elif operator.name == "DEPTHWISE_CONV_2D":
            weighted += written * prod(_shape(operator.inputs[1])[1:3])  # (1, height, width, out)
        elif operator.name == "MEAN":
            pooling += _elements(data)
        pooling += written * operator.window
    return Macs(weighted, pooling)


def _elements(tensor: Tensor | None) -> int:
    """For one picture where the batch is open."""
    return abs(prod(_shape(tensor)))


def _shape(tensor: Tensor | None) -> tuple[int, ...]:
    return () if tensor is None else tensor.shape
