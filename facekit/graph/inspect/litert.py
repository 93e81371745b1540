"""Inspects a .tflite file: tensors, operators, parameters, multiply-accumulates."""

from __future__ import annotations

import importlib
from math import prod
from pathlib import Path
from typing import Any

from facekit.errors import AcceleratorError, ModelMismatchError
from facekit.graph.inspect.network import Network, Operator, Tensor, count_macs, count_parameters
from facekit.graph.weights import MAX_BYTES
from facekit.runtime.interpreter import new_interpreter, require_model_file
from facekit.system.inputs import InputKind, read_input, reading

LITERT_MODEL = InputKind("a LiteRT model", ModelMismatchError, max_bytes=MAX_BYTES)
_READER = "facekit.graph.read.litert_file"


def open_litert(path: Path) -> None:
    """Opens the file with LiteRT alone, which raises an error if it refuses the file.

    Raises the errors of `new_interpreter`.
    """
    new_interpreter(path, threads=1)


def inspect_litert(path: Path) -> Network:
    """Returns a description of the file's first subgraph, which is the network.

    LiteRT does not open the file; see `open_litert`.

    Raises ModelMissingError or StorageError if the file cannot be read, ModelMismatchError if it is
    not a valid .tflite file, and AcceleratorError if ai-edge-litert, which has the format's schema,
    is not installed.
    """
    require_model_file(path)
    reader = file_reader()
    with reading(LITERT_MODEL, path):
        return _network(reader.read_tables(read_input(path, LITERT_MODEL)))


def _network(tables: Any) -> Network:
    tensors = [
        Tensor(
            tensor.name,
            tensor.shape,
            tensor.kind.lower(),
            tensor.scales,
            tensor.zero_points,
            is_constant=tensor.content is not None,
        )
        for tensor in tables.tensors
    ]
    operators = tuple(_operator(tensor, tensors) for tensor in tables.operators)
    return Network(
        inputs=tuple(tensors[index] for index in tables.inputs),
        outputs=tuple(tensors[index] for index in tables.outputs),
        operators=operators,
        parameters=count_parameters(tensor for tensor in tensors if tensor.is_constant),
        macs=count_macs(operators),
    )


def file_reader() -> Any:
    """Returns the module that reads .tflite files.

    Raises AcceleratorError if ai-edge-litert, which has the format's schema, is not installed.
    """
    try:
        return importlib.import_module(_READER)
    except ImportError as error:
        raise AcceleratorError(
            "Reading a model's operators needs ai-edge-litert; tflite-runtime does not know the "
            "format. Install it with: python -m pip install ai-edge-litert"
        ) from error


def _operator(raw: Any, tensors: list[Tensor]) -> Operator:
    inputs = tuple(tensors[index] if index >= 0 else None for index in raw.inputs)
    outputs = tuple(tensors[index] for index in raw.outputs)
    shapes = [() if tensor is None else tensor.shape for tensor in inputs]
    products = reads = 0
    if raw.kind in ("CONV_2D", "FULLY_CONNECTED"):
        products = prod(shapes[1][1:])  # (out, [height, width,] in)
    elif raw.kind == "DEPTHWISE_CONV_2D":
        products = prod(shapes[1][1:3])  # (1, height, width, out)
    elif raw.kind == "MEAN":
        reads = abs(prod(shapes[0]) // prod(outputs[0].shape))
    elif raw.kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        options = raw.options("Pool2DOptions")
        reads = options.FilterHeight() * options.FilterWidth()
    return Operator(raw.kind, inputs, outputs, products, reads)
