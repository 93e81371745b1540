"""The network in a .tflite file: tensors, operators, parameters, multiply-accumulates."""

from __future__ import annotations

import importlib
from math import prod
from pathlib import Path
from typing import Any

from facekit.errors import AcceleratorError, ModelBuildError, ModelMismatchError
from facekit.graph.inspect.network import Network, Operator, Tensor, macs, parameters
from facekit.runtime.interpreter import new_interpreter

_READER = "facekit.graph.read.litert_file"


def inspect_litert(path: Path) -> Network:
    """Reads the file's first subgraph, which is the network.

    Raises ModelMissingError, StorageError, ModelMismatchError for what is no sound .tflite, and
    AcceleratorError where ai-edge-litert, which knows the format, is not installed.
    """
    new_interpreter(path, threads=1)  # what LiteRT itself refuses
    reader = _reader()
    try:
        return _network(reader.read_tables(path.read_bytes()))
    except (ModelBuildError, *reader.MISFITS) as error:
        raise ModelMismatchError(f"{path}: {error}") from error


def _network(tables: Any) -> Network:
    tensors = [
        Tensor(
            one.name,
            one.shape,
            one.kind.lower(),
            one.scales,
            one.zero_points,
            is_constant=one.content is not None,
        )
        for one in tables.tensors
    ]
    operators = tuple(_operator(one, tensors) for one in tables.operators)
    return Network(
        inputs=tuple(tensors[index] for index in tables.inputs),
        outputs=tuple(tensors[index] for index in tables.outputs),
        operators=operators,
        parameters=parameters(one for one in tensors if one.is_constant),
        macs=macs(operators),
    )


def _reader() -> Any:
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
    shapes = [() if one is None else one.shape for one in inputs]
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
