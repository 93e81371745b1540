"""Integer forms of operators that ai-edge-quantizer leaves in float32.

It puts a DEQUANTIZE before such an operator and a QUANTIZE behind it, and an NPU runs none of the
three.  LiteRT and Vela know the same operators on int8: here the three become one.

XNNPACK, which runs LiteRT files on a CPU, has no int8 PRELU.  There the form costs much more than
it saves, so each recipe says which operators it wants rewritten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from facekit.graph.write.litert_file import constant_bytes, pack_model
from facekit.types import Float32Array

FORMS = ("LEAKY_RELU", "PRELU", "RELU6")
"""operators that are rewritten; a PRELU's slopes become int8 with one scale"""
_MOST = 127
_NAMES = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}


def with_integer_forms(content: bytes, operators: Collection[str]) -> bytes:
    """The quantized file with int8 forms of `operators`, of FORMS, wherever int8 is on both sides.

    The same bytes for the same arguments; `content` itself where there is nothing to rewrite.
    """
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    graph = model.subgraphs[0]
    writers = {int(index): one for one in graph.operators for index in one.outputs}
    rewritten = 0
    for operator in graph.operators:
        if _name(model, operator) not in operators:
            continue
        before = writers.get(int(operator.inputs[0]))
        after = [one for one in graph.operators if operator.outputs[0] in one.inputs]
        is_output = operator.outputs[0] in graph.outputs
        if before is None or is_output or len(after) != 1:
            continue
        if not (_converts(model, before, "DEQUANTIZE") and _converts(model, after[0], "QUANTIZE")):
            continue
        operator.inputs = np.array([before.inputs[0], *operator.inputs[1:]], np.int32)
        operator.outputs = after[0].outputs
        if len(operator.inputs) > 1:
            _quantize_slopes(model, content, int(operator.inputs[1]))
        after[0].outputs = None  # it goes
        rewritten += 1
    if not rewritten:
        return content
    kept = [one for one in graph.operators if one.outputs is not None]
    read = {int(index) for one in kept for index in one.inputs} | set(map(int, graph.outputs))
    graph.operators = [
        one for one in kept if _name(model, one) != "DEQUANTIZE" or int(one.outputs[0]) in read
    ]
    _drop_unread(model)
    return pack_model(model, content)


def float_operators(content: bytes) -> dict[str, int]:
    """Which operators of a quantized file compute in float32, and how many of each.

    Conversions between integers and float32 are not counted.
    """
    model = schema.Model.GetRootAs(content)
    graph = model.Subgraphs(0)
    found: Counter[str] = Counter()
    for operator in map(graph.Operators, range(graph.OperatorsLength())):
        code = model.OperatorCodes(operator.OpcodeIndex())
        name = _NAMES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        written = graph.Tensors(operator.Outputs(0))
        if name != "DEQUANTIZE" and written.Type() == schema.TensorType.FLOAT32:
            found[name] += 1
    return dict(sorted(found.items()))


def _name(model: Any, operator: Any) -> str:
    code = model.operatorCodes[operator.opcodeIndex]
    return str(_NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)])


def _converts(model: Any, operator: Any, name: str) -> bool:
    """Whether `operator` is the conversion `name` from or to int8."""
    if _name(model, operator) != name:
        return False
    index = operator.inputs[0] if name == "DEQUANTIZE" else operator.outputs[0]
    return bool(model.subgraphs[0].tensors[index].type == schema.TensorType.INT8)


def _quantize_slopes(model: Any, content: bytes, index: int) -> None:
    tensor = model.subgraphs[0].tensors[index]
    if tensor.type == schema.TensorType.INT8:  # two layers may share their slopes
        return
    data = constant_bytes(model.buffers[tensor.buffer], content)
    assert data is not None  # slopes are constants
    slopes: Float32Array = data.view(np.float32)
    scale = max(float(np.abs(slopes).max()), np.finfo(np.float32).tiny) / _MOST
    tensor.type = schema.TensorType.INT8
    tensor.quantization = schema.QuantizationParametersT(
        scale=np.array([scale], np.float32), zeroPoint=np.array([0], np.int64)
    )
    tensor.buffer = len(model.buffers)
    steps = np.rint(slopes / scale).astype(np.int8)
    model.buffers.append(schema.BufferT(data=steps.view(np.uint8)))


def _drop_unread(model: Any) -> None:
    """Tensors that no operator reads or writes, and constants of none but them."""
    graph = model.subgraphs[0]
    used = {int(index) for one in graph.operators for index in (*one.inputs, *one.outputs)}
    used |= {int(index) for index in (*graph.inputs, *graph.outputs)}
    place = {old: new for new, old in enumerate(sorted(used - {-1}))} | {-1: -1}
    graph.tensors = [graph.tensors[old] for old in sorted(used - {-1})]
    for table in (*graph.operators, graph):
        table.inputs = np.array([place[int(index)] for index in table.inputs], np.int32)
        table.outputs = np.array([place[int(index)] for index in table.outputs], np.int32)
    for signature in model.signatureDefs or ():
        for entry in (*signature.inputs, *signature.outputs):
            entry.tensorIndex = place[int(entry.tensorIndex)]
    held = sorted({0} | {one.buffer for one in graph.tensors} | _metadata(model))
    buffers = {old: new for new, old in enumerate(held)}
    model.buffers = [model.buffers[old] for old in held]
    for tensor in graph.tensors:
        tensor.buffer = buffers[tensor.buffer]
    for one in model.metadata or ():
        one.buffer = buffers[one.buffer]


def _metadata(model: Any) -> set[int]:
    return {one.buffer for one in model.metadata or ()}
