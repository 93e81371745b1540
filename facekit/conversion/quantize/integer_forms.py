"""Converts operators that ai-edge-quantizer leaves in float32 to int8.

ai-edge-quantizer adds a DEQUANTIZE before such an operator and a QUANTIZE behind it, and an NPU
supports none of the three.  LiteRT and Vela support the int8 form of the operator, so one int8
operator replaces the three.

XNNPACK, which runs LiteRT files on a CPU, does not support int8 PRELU.  On a CPU the int8 form is
much slower than the three operators, so each recipe states which operators to convert.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from facekit.graph.litert_tables import filled
from facekit.graph.write.litert_file import constant_bytes, pack_model
from facekit.types import Float32Array

FORMS = ("LEAKY_RELU", "PRELU", "RELU6")
"""The names of the operators that can be converted.

The slopes of a PRELU become int8 with one scale for the tensor.
"""
_MAX_INT8 = 127
_NAMES = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}


def convert_to_integer_forms(content: bytes, operators: Collection[str]) -> bytes:
    """Returns the quantized file with `operators` converted to int8.

    An operator is converted if it lies between a DEQUANTIZE from int8 and a QUANTIZE to int8.
    `operators` may only hold names in FORMS.  This is not checked: any other operator with two
    inputs would have its second input quantized like slopes.  The result is deterministic.  If no
    operator is converted, returns `content` itself.
    """
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    graph = model.subgraphs[0]
    writers = {
        int(index): candidate for candidate in graph.operators for index in candidate.outputs
    }
    converted = 0
    for operator in graph.operators:
        if _name(model, operator) not in operators:
            continue
        before = writers.get(int(operator.inputs[0]))
        after = [
            candidate for candidate in graph.operators if operator.outputs[0] in candidate.inputs
        ]
        is_output = operator.outputs[0] in graph.outputs
        if before is None or is_output or len(after) != 1:
            continue
        if not (_converts(model, before, "DEQUANTIZE") and _converts(model, after[0], "QUANTIZE")):
            continue
        operator.inputs = np.array([before.inputs[0], *operator.inputs[1:]], np.int32)
        operator.outputs = after[0].outputs
        if len(operator.inputs) > 1:
            _quantize_slopes(model, content, int(operator.inputs[1]))
        after[0].outputs = None  # marks the operator for removal
        converted += 1
    if not converted:
        return content
    remaining = [candidate for candidate in graph.operators if candidate.outputs is not None]
    used = {int(index) for candidate in remaining for index in candidate.inputs} | set(
        map(int, graph.outputs)
    )
    graph.operators = [
        candidate
        for candidate in remaining
        if _name(model, candidate) != "DEQUANTIZE" or int(candidate.outputs[0]) in used
    ]
    _drop_unused(model)
    return pack_model(model, content)


def float_operators(content: bytes) -> dict[str, int]:
    """Returns how often each operator, by its name, has a float32 output in a quantized file.

    Conversions between integers and float32 (QUANTIZE, DEQUANTIZE) are not counted.
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
    """Returns whether `operator` is a `name`: a DEQUANTIZE from int8, or a QUANTIZE to int8."""
    if _name(model, operator) != name:
        return False
    index = operator.inputs[0] if name == "DEQUANTIZE" else operator.outputs[0]
    return bool(model.subgraphs[0].tensors[index].type == schema.TensorType.INT8)


def _quantize_slopes(model: Any, content: bytes, index: int) -> None:
    """Quantizes the float32 constant at tensor index `index` of `model` to int8, in place.

    There is one scale for the tensor, and the zero point is 0.
    """
    tensor = model.subgraphs[0].tensors[index]
    if tensor.type == schema.TensorType.INT8:  # already done: two layers may share their slopes
        return
    data = constant_bytes(model.buffers[tensor.buffer], content)
    assert data is not None  # slopes are constants
    slopes: Float32Array = data.view(np.float32)
    scale = max(float(np.abs(slopes).max()), np.finfo(np.float32).tiny) / _MAX_INT8
    tensor.type = schema.TensorType.INT8
    tensor.quantization = filled(
        schema.QuantizationParametersT,
        scale=np.array([scale], np.float32),
        zeroPoint=np.array([0], np.int64),
    )
    tensor.buffer = len(model.buffers)
    integers = np.rint(slopes / scale).astype(np.int8)
    model.buffers.append(filled(schema.BufferT, data=integers.view(np.uint8)))


def _drop_unused(model: Any) -> None:
    """Removes tensors that no operator uses, and buffers that only such tensors use."""
    graph = model.subgraphs[0]
    used = {int(index) for item in graph.operators for index in (*item.inputs, *item.outputs)}
    used |= {int(index) for index in (*graph.inputs, *graph.outputs)}
    new_index = {old: new for new, old in enumerate(sorted(used - {-1}))} | {-1: -1}
    graph.tensors = [graph.tensors[old] for old in sorted(used - {-1})]
    for table in (*graph.operators, graph):
        table.inputs = np.array([new_index[int(index)] for index in table.inputs], np.int32)
        table.outputs = np.array([new_index[int(index)] for index in table.outputs], np.int32)
    for signature in model.signatureDefs or ():
        for entry in (*signature.inputs, *signature.outputs):
            entry.tensorIndex = new_index[int(entry.tensorIndex)]
    used_buffers = sorted({0} | {item.buffer for item in graph.tensors} | _metadata_buffers(model))
    buffers = {old: new for new, old in enumerate(used_buffers)}
    model.buffers = [model.buffers[old] for old in used_buffers]
    for tensor in graph.tensors:
        tensor.buffer = buffers[tensor.buffer]
    for item in model.metadata or ():
        item.buffer = buffers[item.buffer]


def _metadata_buffers(model: Any) -> set[int]:
    return {metadata.buffer for metadata in model.metadata or ()}
