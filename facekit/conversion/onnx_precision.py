"""Converts an ONNX graph to float16, or to integers with scales (QDQ)."""

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
"""The operators for which ONNX Runtime has integer kernels."""


def to_float16(graph: OnnxGraph) -> Any:
    """Returns the onnx.ModelProto with float16 weights and operators.

    Input and output stay float32.  The conversion is ONNX Runtime's.  Raises MissingExtraError if
    onnxruntime is not installed.
    """
    convert = _tool("onnxruntime.transformers.float16").convert_float_to_float16
    with _quiet():
        return _sort_and_check(convert(_copy(graph.model), keep_io_types=True))


def to_int8(graph: OnnxGraph, spec: InputSpec, ranges: Mapping[str, Range]) -> Any:
    """Returns the onnx.ModelProto with int8 weights and uint8 activations.

    Input and output stay float32.  ONNX Runtime's static quantizer is used, with one scale per
    channel of the weights.  `ranges` has the range of each activation, (min, max) in real numbers,
    by activation key.  It may contain activations that are part of another operator in ONNX.

    Weights use only 7 bits, because x86 processors without VNNI add two products of 8-bit numbers
    in 16 bits, which overflow.  On such a processor, the cosine to float32 is 0.86 for 8-bit
    weights and 0.999 for 7-bit weights, in the same time; with unsigned 8-bit weights it is 0.9991,
    in 30 % more time.

    The first layer stays float32, because all pixels lie half a step beside the integers of (pixel
    - 127.5) / 128, in the same direction.  The first layer is 0.4 % of the work.

    Raises InputError if the ranges do not fit the graph, ModelBuildError if ONNX Runtime cannot
    quantize the graph, and MissingExtraError if onnxruntime is not installed.
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
                nodes_to_exclude=[*_first_layer(graph), *_prelu_nodes(graph)],
                op_types_to_quantize=_INTEGER_OPERATORS,
                extra_options={},
            )
            worker.quantize_model()
    except (ValueError, KeyError, RuntimeError, TypeError, AttributeError) as error:
        raise ModelBuildError(f"ONNX Runtime cannot quantize this graph: {error!r}") from error
    return _sort_and_check(worker.model.model)


def _first_layer(graph: OnnxGraph) -> list[str]:
    """Returns the names of the nodes up to the first convolution, and of its ReLU."""
    nodes = list(graph.model.graph.node)
    end = 1 + next(index for index, node in enumerate(nodes) if node.op_type == "Conv")
    end += nodes[end].op_type == "Relu"
    return [node.name for node in nodes[:end]]


def _prelu_nodes(graph: OnnxGraph) -> list[str]:
    """Returns the names of the nodes that form PReLUs.  These nodes stay float32."""
    names = [node.name for node in graph.model.graph.node if node.name.endswith(POSITIVE_PART)]
    return [*names, *(name.removesuffix(POSITIVE_PART) for name in names)]


def _tensors_range(graph: OnnxGraph, spec: InputSpec, ranges: Mapping[str, Range]) -> Any:
    """Converts the ranges to ONNX Runtime's TensorsData, which has every tensor of the graph."""
    calibrate = _tool("onnxruntime.quantization.calibrate")

    def tensor_data(low: float, high: float) -> Any:
        return calibrate.TensorData(lowest=np.float32(low), highest=np.float32(high))

    pixels = tensor_data(-spec.mean / spec.std, (255 - spec.mean) / spec.std)
    layers = {graph.activations[key]: key for key in graph.activations.keys() & ranges.keys()}
    by_tensor = {INPUT: pixels}
    by_tensor |= {tensor: tensor_data(*ranges[key]) for tensor, key in layers.items()}
    all_tensors = dict(by_tensor)
    for node in graph.model.graph.node:
        for output in node.output:
            if (layer := _layer_tensor(output, by_tensor)) in by_tensor:
                all_tensors[output] = by_tensor[layer]
    missing = [key for key, tensor in graph.activations.items() if tensor not in all_tensors]
    if missing:
        raise InputError(
            f"Activation ranges for all {len(graph.activations)} layers of the graph needed. "
            f"Missing: {', '.join(missing[:3])}"
        )
    return calibrate.TensorsData(calibrate.CalibrationMethod.MinMax, all_tensors)


def _layer_tensor(tensor: str, known: Mapping[str, Any]) -> str:
    """Removes suffixes of steps inside a layer from a tensor's name, until the name is known."""
    while tensor not in known and tensor.endswith(DERIVED_SUFFIXES):
        tensor = next(
            tensor.removesuffix(suffix) for suffix in DERIVED_SUFFIXES if tensor.endswith(suffix)
        )
    return tensor


def _sort_and_check(model: Any) -> Any:
    """Sorts the nodes topologically, and checks the model.

    ONNX requires this order, but the tools do not ensure it.
    """
    nodes = {output: node for node in model.graph.node for output in node.output}
    ordered: list[Any] = []
    added: set[str] = set()
    for first in list(model.graph.node):
        pending = [first]
        while pending:
            node = pending[-1]
            inputs = [nodes[name] for name in node.input if name in nodes and name not in added]
            if inputs:
                pending += inputs
            else:
                pending.pop()
                if node.output[0] not in added:
                    ordered.append(node)
                    added.update(node.output)
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
    """Suppresses the log lines of ONNX Runtime's tools."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
