"""Narrows those weights of an integer model whose transfer limits the speed of an NPU.

An Ethos-U reads its weights as a compressed stream, and narrow weights compress better.  If a
layer's output has few positions, each weight is used for few multiplications, and the layer waits
for the stream.  With 256 multiply-accumulates and about 5 bytes of DRAM per cycle, this happens
below some 50 positions.  In Inception-ResNet-v1 these layers contain half of all weights:
everything from Mixed_7a on, whose outputs have 3 x 3 positions.

Measured on facenet512-casia, int8, Vela 5.2 with the target imx93 (8 bits: 9.47 ms, 21.65 MB):

    7 bits  9.19 ms  20.21 MB
    6 bits  8.96 ms  18.24 MB   98.1 % on DevTest as with 8; cosine to float32 0.9982, was 0.9984
    5 bits  8.90 ms  16.32 MB   98.1 %; cosine 0.9974
    4 bits  8.89 ms  14.61 MB

Clustering the weights of each layer to 16, 32 or 64 values by k-means shrinks the stream as much,
but ruins the embedding (cosine 0.81 to 0.92): uniform steps suit the encoder better.

The file keeps its format (int8 weights, one scale per channel); the weights only use less of the
range.  Accelerator, runtime and compiler need no support for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from facekit.errors import UsageError

FULL_BITS = 8
MIN_BITS = 4
MAX_POSITIONS = 16
"""Maximum number of output positions of a layer whose weights are narrowed; see above."""


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """Views into the file's bytes, so that assignments change the file."""

    positions: int
    weights: NDArray[np.int8]
    weight_scales: NDArray[np.float32]
    bias: NDArray[np.int32] | None
    bias_scales: NDArray[np.float32] | None


def narrow_weights(content: bytes, *, bits: int = 6, max_positions: int = MAX_POSITIONS) -> bytes:
    """Returns an int8 .tflite file with weights narrowed to `bits` bits.

    Only layers with at most `max_positions` output positions are changed.  The result is
    deterministic.  Scales grow as the integers shrink, so that each layer computes the same except
    for rounding.  Raises UsageError if `bits` is not 4 to 7.
    """
    if not MIN_BITS <= bits < FULL_BITS:
        raise UsageError(
            f"Weights can be narrowed to {MIN_BITS} to {FULL_BITS - 1} bits. Received: {bits}"
        )
    narrowed = bytearray(content)
    ratio = (2 ** (bits - 1) - 1) / (2 ** (FULL_BITS - 1) - 1)
    for layer in _integer_layers(narrowed):
        if layer.positions <= max_positions:
            _scale(layer.weights, layer.weight_scales, ratio)
            if layer.bias is not None and layer.bias_scales is not None:
                _scale(layer.bias, layer.bias_scales, ratio)
    return bytes(narrowed)


def _scale(integers: NDArray[Any], scales: NDArray[np.float32], ratio: float) -> None:
    integers[...] = np.rint(integers * ratio)
    scales /= np.float32(ratio)


def _integer_layers(buffer: bytearray) -> Iterator[_Layer]:
    """Yields the convolutions and fully connected layers whose weights are int8 constants."""
    model = schema.Model.GetRootAs(buffer)
    graph = model.Subgraphs(0)
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        code = model.OperatorCodes(operator.OpcodeIndex())
        if max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) not in (
            schema.BuiltinOperator.CONV_2D,
            schema.BuiltinOperator.FULLY_CONNECTED,
        ):
            continue
        weights = graph.Tensors(operator.Inputs(1))
        if weights.Type() != schema.TensorType.INT8:
            continue
        has_bias = operator.InputsLength() > 2 and operator.Inputs(2) >= 0
        bias = graph.Tensors(operator.Inputs(2)) if has_bias else None
        output = graph.Tensors(operator.Outputs(0)).ShapeAsNumpy()
        yield _Layer(
            positions=prod(int(length) for length in output[:-1]),
            weights=_data(buffer, model, weights).view(np.int8),
            weight_scales=weights.Quantization().ScaleAsNumpy(),
            bias=bias and _data(buffer, model, bias).view(np.int32),
            bias_scales=bias and bias.Quantization().ScaleAsNumpy(),
        )


def _data(buffer: bytearray, model: Any, tensor: Any) -> NDArray[np.uint8]:
    """Returns a view of a constant's bytes, which lie in the flatbuffer or behind it."""
    data_buffer = model.Buffers(tensor.Buffer())
    if data_buffer.DataLength():
        return np.asarray(data_buffer.DataAsNumpy())
    return np.frombuffer(buffer, np.uint8, count=data_buffer.Size(), offset=data_buffer.Offset())
