"""An ONNX graph with smaller numbers: float16, or integers with their scales beside (QDQ)."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from facekit.conversion.quantize.range_rules import Range
from facekit.errors import InputError, ModelBuildError
from facekit.graph.write.onnx import OnnxGraph
from facekit.graph.write.onnx_file import DERIVED_SUFFIXES, INPUT, POSITIVE_PART, onnx_package
from facekit.system.extras import require
from facekit.types import InputSpec

PACKAGE = "onnxruntime"

_INTEGER_OPERATORS = [
    *("Add", "Concat", "Conv", "Flatten", "Gemm", "GlobalAveragePool"),
    *("MaxPool", "Relu", "Transpose"),
]
"""Those that ONNX Runtime has integer kernels for"""


def half(graph: OnnxGraph) -> Any:
    """The onnx.ModelProto with float16 weights and operators; input and output stay float32.

    By ONNX Runtime's converter.  Raises MissingExtraError.
    """
    convert = _tool("onnxruntime.transformers.float16").convert_float_to_float16
    with _quiet():
        return _finished(convert(_copy(graph.model), keep_io_types=True))


def integers(graph: OnnxGraph, spec: InputSpec, ranges: Mapping[str, Range]) -> Any:
    """The onnx.ModelProto with int8 weights, uint8 activations; float32 in and out.

    By ONNX Runtime's static quantizer, with one scale for each channel of the weights.
    `ranges`: what each activation's integers shall cover, by activation key; those of operators
    that are part of another in ONNX may be among them.

    Weights keep to 7 bits: without VNNI, x86 processors add two products of 8 by 8 bits in 16,
    which overflow.  On such a one, embeddings of 8-bit weights have a cosine of 0.86 to float32,
    those of 7 bits 0.999, in the same time; 8-bit unsigned weights 0.9991 and 30 % more time.

    The first layer keeps to float32: pixels lie half a step beside the integers of
    (pixel - 127.5) / 128, all to the same side.  It is 0.4 % of the work.
    Raises InputError for ranges that do not fit the graph, ModelBuildError, MissingExtraError.
    """
    types = _tool("onnxruntime.quantization.quant_utils").QuantType
    quantizer = _tool("onnxruntime.quantization.qdq_quantizer").QDQQuantizer
    try:
        with _quiet():
            worker = quantizer(
                onnx_package().shape_inference.infer_shapes(graph.model),
                per_channel=True,
                reduce_range=True,  # 7 bits
                weight_qType=types.QInt8,
                activation_qType=types.QUInt8,
                tensors_range=_tensors_range(graph, spec, ranges),
                nodes_to_quantize=[],
                nodes_to_exclude=[*_first_layer(graph), *_parts_of_prelus(graph)],
                op_types_to_quantize=_INTEGER_OPERATORS,
                extra_options={},
            )
            worker.quantize_model()
    except (ValueError, KeyError, RuntimeError, TypeError, AttributeError) as error:
        raise ModelBuildError(f"ONNX Runtime cannot quantize this graph: {error!r}") from error
    return _finished(worker.model.model)


def _first_layer(graph: OnnxGraph) -> list[str]:
    """The names of its nodes: up to the first convolution, and its ReLU."""
    nodes = list(graph.model.graph.node)
    end = 1 + next(index for index, node in enumerate(nodes) if node.op_type == "Conv")
    end += nodes[end].op_type == "Relu"
    return [node.name for node in nodes[:end]]


def _parts_of_prelus(graph: OnnxGraph) -> list[str]:
    """The names of what they are made of, which stays float32 from one end to the other."""
    names = [node.name for node in graph.model.graph.node if node.name.endswith(POSITIVE_PART)]
    return [*names, *(name.removesuffix(POSITIVE_PART) for name in names)]


def _tensors_range(graph: OnnxGraph, spec: InputSpec, ranges: Mapping[str, Range]) -> Any:
    """As its calibrators hand them over: of every tensor, those inside one layer included."""
    calibrate = _tool("onnxruntime.quantization.calibrate")

    def covered(low: float, high: float) -> Any:
        return calibrate.TensorData(lowest=np.float32(low), highest=np.float32(high))

    pixels = covered(-spec.mean / spec.std, (255 - spec.mean) / spec.std)
    layers = {graph.activations[key]: key for key in graph.activations.keys() & ranges.keys()}
    by_tensor = {INPUT: pixels}
    by_tensor |= {tensor: covered(*ranges[key]) for tensor, key in layers.items()}
    found = dict(by_tensor)
    for node in graph.model.graph.node:
        for output in node.output:
            if (layer := _layer_of(output, by_tensor)) in by_tensor:
                found[output] = by_tensor[layer]
    missing = [key for key, tensor in graph.activations.items() if tensor not in found]
    if missing:
        raise InputError(
            f"Activation ranges for all {len(graph.activations)} layers of the graph needed. "
            f"Missing: {', '.join(missing[:3])}"
        )
    return calibrate.TensorsData(calibrate.CalibrationMethod.MinMax, found)


def _layer_of(tensor: str, known: Mapping[str, Any]) -> str:
    """The tensor without the ends that name a step inside a layer, as far as it is not known."""
    while tensor not in known and tensor.endswith(DERIVED_SUFFIXES):
        tensor = next(tensor.removesuffix(end) for end in DERIVED_SUFFIXES if tensor.endswith(end))
    return tensor


def _finished(model: Any) -> Any:
    """With every node behind those that it reads from, as the format wants and the tools do not
    care for; checked."""
    nodes = {output: node for node in model.graph.node for output in node.output}
    ordered: list[Any] = []
    seen: set[str] = set()
    for first in list(model.graph.node):
        pending = [first]
        while pending:
            node = pending[-1]
            before = [nodes[one] for one in node.input if one in nodes and one not in seen]
            if before:
                pending += before
            else:
                pending.pop()
                if node.output[0] not in seen:
                    ordered.append(node)
                    seen.update(node.output)
    del model.graph.node[:]
    model.graph.node.extend(ordered)
    onnx = onnx_package()
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelBuildError(f"ONNX Runtime's tools made no valid graph: {error}") from error
    return model


def _copy(model: Any) -> Any:
    copy = type(model)()
    copy.CopyFrom(model)
    return copy


def _tool(name: str) -> Any:
    return require(name, extra="convert", needed_for="This precision")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the advice that its tools log whatever they are given."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
