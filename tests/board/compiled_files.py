"""Files of one custom operator, as Vela and neutron-converter write them, without their work."""

from __future__ import annotations

import struct
from typing import Any

import pytest

flatbuffers = pytest.importorskip("flatbuffers")
schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="no ai-edge-litert")

U65_256 = 0x10003008
"""The NPU's register CONFIG in files for ethos-u65-256, as Vela 5.2 writes it."""
U85_256 = 0x20000118


def vela_file(config: int = U65_256, *, letters: bytes = b"COP1") -> bytes:
    """A command stream with the first words that Vela writes: format, action, CONFIG and ID."""
    return custom_file("ethos-u", struct.pack("<4sIII", letters, 0x00100001, config, 0x10066001))


def custom_file(
    operator: str, stream: bytes = b"", *, side: int = 4, kind: str = "UINT8", outputs: int = 2
) -> bytes:
    """One custom operator on an input (1, side, side, 3); its result is float32 (1, outputs)."""
    model = schema.ModelT()
    model.version = 3
    model.operatorCodes = [schema.OperatorCodeT()]
    model.operatorCodes[0].builtinCode = schema.BuiltinOperator.CUSTOM
    model.operatorCodes[0].deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    model.operatorCodes[0].customCode = operator
    empty, constant = schema.BufferT(), schema.BufferT()
    constant.data = list(stream or b"microcode")
    model.buffers = [empty, constant]
    graph = schema.SubGraphT()
    graph.tensors = [
        _tensor("stream", [len(constant.data)], "UINT8", buffer=1),
        _tensor("picture", [1, side, side, 3], kind, scale=1 / 128),
        _tensor("vector", [1, outputs], "FLOAT32"),
    ]
    graph.operators = [schema.OperatorT()]
    graph.operators[0].opcodeIndex = 0
    graph.operators[0].inputs = [0, 1]
    graph.operators[0].outputs = [2]
    graph.inputs, graph.outputs = [1], [2]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(
    name: str, shape: list[int], kind: str, *, buffer: int = 0, scale: float | None = None
) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name, shape, buffer
    tensor.type = getattr(schema.TensorType, kind)
    if scale is not None:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [0]
    return tensor
