"""Fewer bits for those weights of an integer model that an NPU waits for.

An Ethos-U reads its weights as a compressed stream, and narrow weights compress better.  Where
a layer's output has few positions, each weight is used for little work, and the layer waits for
the stream: at 256 multiply-accumulates and about 5 bytes of DRAM in a cycle, below some 50
positions.  In Inception-ResNet-v1 those layers hold half of all weights: everything from
Mixed_7a on, where 3 x 3 positions are left.

Measured on facenet512-casia, int8, Vela 5.2 with the target imx93 (8 bits: 9.47 ms, 21.65 MB):

    7 bits  9.19 ms  20.21 MB
    6 bits  8.96 ms  18.24 MB   98.1 % on DevTest as with 8; cosine to float32 0.9982, was 0.9984
    5 bits  8.90 ms  16.32 MB   98.1 %; cosine 0.9974
    4 bits  8.89 ms  14.61 MB

Clustering the weights of each layer to 16, 32 or 64 values by k-means shrinks the stream as
much, and ruins the embedding (cosine 0.81 to 0.92): uniform steps suit the encoder better.

The file keeps its form (int8 weights, one scale for each channel); they only use less of the
range.  No accelerator, runtime or compiler has to know.
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
LEAST_BITS = 4
MOST_POSITIONS = 16
"""Layers with more output positions than this keep all bits; see above."""


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """Views into the file's own bytes: what is assigned lands there."""

    positions: int
    weights: NDArray[np.int8]
    weight_scales: NDArray[np.float32]
    bias: NDArray[np.int32] | None
    bias_scales: NDArray[np.float32] | None


def narrow_weights(content: bytes, *, bits: int = 6, most_positions: int = MOST_POSITIONS) -> bytes:
    """An int8 .tflite file whose weights of few positions are rounded to `bits` bits.

    The same bytes for the same input.  Scales grow as the integers shrink, so each layer
    computes what it did, up to the rounding.  Raises UsageError for a width that is none.
    """
    if not LEAST_BITS <= bits < FULL_BITS:
        raise UsageError(
            f"Weights can be narrowed to {LEAST_BITS} to {FULL_BITS - 1} bits. Received: {bits}"
        )
    narrowed = bytearray(content)
    ratio = (2 ** (bits - 1) - 1) / (2 ** (FULL_BITS - 1) - 1)
    for layer in _integer_layers(narrowed):
        if layer.positions <= most_positions:
            _scale(layer.weights, layer.weight_scales, ratio)
            if layer.bias is not None and layer.bias_scales is not None:
                _scale(layer.bias, layer.bias_scales, ratio)
    return bytes(narrowed)


def _scale(integers: NDArray[Any], scales: NDArray[np.float32], ratio: float) -> None:
    integers[...] = np.rint(integers * ratio)
    scales /= np.float32(ratio)


def _integer_layers(buffer: bytearray) -> Iterator[_Layer]:
    """Convolutions and fully connected layers whose weights are int8 constants."""
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


def _data(whole: bytearray, model: Any, tensor: Any) -> NDArray[np.uint8]:
    """A constant's bytes, where they stand: in the flatbuffer, or behind it at an offset."""
    held = model.Buffers(tensor.Buffer())
    if held.DataLength():
        return np.asarray(held.DataAsNumpy())
    return np.frombuffer(whole, np.uint8, count=held.Size(), offset=held.Offset())
