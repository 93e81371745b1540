"""Creates graph nodes for arithmetic; `facekit.graph.moves` creates nodes that only move data.

Each function computes the shape of the output.  A function that checks its arguments raises
ModelBuildError, which names the node.  `graph_input`, `activation`, `relu`, `softmax`,
`unit_length` and `same_pads` check nothing, and no function checks that an `operation` is one of
those that it documents.

Images are (N, height, width, channels).  Sizes, strides and dilations are (rows, columns), and pads
are (top, left, bottom, right); pads of None mean TensorFlow's "SAME", see `same_pads`.  Weights are
finite float32.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph.checks import (
    MAX_POSITION,
    broadcast_shape,
    float_attribute,
    require,
    require_channels,
    require_finite,
    require_image,
)
from facekit.graph.graph import DYNAMIC, NO_PADS, Node, Operation, Pads, Shape, Window
from facekit.types import Float32Array

BINARY_OR_WITH_CONSTANT = (Operation.ADD, Operation.MULTIPLY, Operation.MAXIMUM, Operation.MINIMUM)
BINARY_ONLY = (Operation.SUBTRACT, Operation.DIVIDE)
ACTIVATIONS = (
    Operation.RELU,
    Operation.RELU6,
    Operation.ELU,
    Operation.SIGMOID,
    Operation.HARD_SWISH,
    Operation.GELU,
)
"""Elementwise operations with one input, without weights and attributes."""
REDUCTIONS = (Operation.REDUCE_MEAN, Operation.REDUCE_SUM, Operation.REDUCE_MAX)


def graph_input(name: str, shape: Shape) -> Node:
    return Node(Operation.INPUT, name, (), shape)


def convolution(
    x: Node,
    kernel: Float32Array,
    name: str,
    *,
    bias: Float32Array | None = None,
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    pads: Pads | None = NO_PADS,
) -> Node:
    """Creates the convolution of images x (N, H, W, in).

    The kernel is (height, width, in / groups, out), and the bias (out,).  The number of groups
    follows from the shapes of x and the kernel.
    """
    shape = f"shape {kernel.shape}"
    require(kernel.ndim == 4 and min(kernel.shape) > 0, name, "a kernel of four dimensions", shape)
    height, width, depth, filters = kernel.shape
    channels = require_image(x, name)[3]
    groups = channels // depth
    is_valid = groups * depth == channels and filters % max(groups, 1) == 0
    require(is_valid, name, f"a kernel for {channels} channels", shape)
    window = Window((height, width), stride, dilation, pads)
    weights = require_finite(name, {"kernel": kernel} | _bias(bias, filters, name))
    return Node(
        Operation.CONVOLUTION,
        name,
        (x,),
        _windowed_shape(x, window, filters, name),
        weights,
        window,
    )


def dense(x: Node, kernel: Float32Array, name: str, *, bias: Float32Array | None = None) -> Node:
    """Multiplies the vectors along the last axis of x by `kernel`, and adds the bias.

    The vectors have `in` elements, the kernel is (in, out), and the bias (out,).
    """
    is_valid = len(x.shape) >= 2 and kernel.ndim == 2 and kernel.shape[0] == x.shape[-1]
    require(is_valid, name, f"a kernel for vectors of shape {x.shape}", f"shape {kernel.shape}")
    units = kernel.shape[1]
    weights = require_finite(name, {"kernel": kernel} | _bias(bias, units, name))
    return Node(Operation.DENSE, name, (x,), (*x.shape[:-1], units), weights)


def batch_norm(
    x: Node,
    name: str,
    *,
    gamma: Float32Array | None,
    beta: Float32Array,
    mean: Float32Array,
    variance: Float32Array,
    epsilon: float,
) -> Node:
    """Computes (x - mean) / sqrt(variance + epsilon) * gamma + beta.

    The four weights are (channels,).  A gamma of None means 1.  variance + epsilon must be
    positive.
    """
    weights = {"beta": beta, "mean": mean, "variance": variance}
    weights |= {} if gamma is None else {"gamma": gamma}
    for weight in weights.values():
        require_channels(x, weight, name)
    require_finite(name, weights)
    smallest = float((variance.astype(np.float64) + epsilon).min(initial=np.inf))
    require(smallest > 0, name, "variances above minus epsilon", f"{smallest:g} too little")
    return Node(
        Operation.BATCH_NORM, name, (x,), x.shape, weights, float_attributes={"epsilon": epsilon}
    )


def elementwise(operation: Operation, a: Node, b: Node | Float32Array, name: str) -> Node:
    """Combines two nodes, or a node and a constant, elementwise.

    `operation` is one of BINARY_OR_WITH_CONSTANT, or for two nodes one of BINARY_ONLY.  Two nodes
    are broadcast as in NumPy.  A constant is one value, one value per channel (C,), or an array
    with as many axes as a, each of size 1 or of the same size as in a.
    """
    if isinstance(b, Node):
        return Node(operation, name, (a, b), broadcast_shape(a.shape, b.shape, name))
    require(operation not in BINARY_ONLY, name, "two nodes", "one and a constant")
    channels = a.shape[-1]
    constant = np.resize(b, channels) if b.size == 1 and channels != DYNAMIC else b
    constant_shape = (1,) * (len(a.shape) - constant.ndim) + constant.shape
    is_valid = constant.ndim in (1, len(a.shape)) and all(
        size in (1, input_size) for size, input_size in zip(constant_shape, a.shape, strict=True)
    )
    needed = f"one value for each of {channels}, or dimensions that fit {a.shape},"
    require(is_valid, name, needed, f"shape {b.shape}")
    return Node(operation, name, (a,), a.shape, require_finite(name, {"constant": constant}))


def add(a: Node, b: Node | Float32Array, name: str) -> Node:
    return elementwise(Operation.ADD, a, b, name)


def multiply(a: Node, b: Node | Float32Array, name: str) -> Node:
    return elementwise(Operation.MULTIPLY, a, b, name)


def power(x: Node, exponent: float, name: str) -> Node:
    attributes = float_attribute(name, "exponent", exponent)
    return Node(Operation.POWER, name, (x,), x.shape, float_attributes=attributes)


def activation(operation: Operation, x: Node, name: str) -> Node:
    """Applies one of ACTIVATIONS."""
    return Node(operation, name, (x,), x.shape)


def relu(x: Node, name: str) -> Node:
    return activation(Operation.RELU, x, name)


def prelu(x: Node, slope: Float32Array, name: str) -> Node:
    """Multiplies negative values by the slope (C,) of their channel."""
    require_channels(x, slope, name)
    return Node(Operation.PRELU, name, (x,), x.shape, require_finite(name, {"slope": slope}))


def leaky_relu(x: Node, slope: float, name: str) -> Node:
    attributes = float_attribute(name, "slope", slope)
    return Node(Operation.LEAKY_RELU, name, (x,), x.shape, float_attributes=attributes)


def softmax(x: Node, name: str) -> Node:
    """Computes the softmax over the last axis."""
    return Node(Operation.SOFTMAX, name, (x,), x.shape)


def unit_length(x: Node, name: str) -> Node:
    """Divides the vectors along the last axis by their Euclidean length."""
    return Node(Operation.UNIT_LENGTH, name, (x,), x.shape)


def max_pool(
    x: Node,
    size: tuple[int, int],
    name: str,
    *,
    stride: tuple[int, int],
    pads: Pads | None = NO_PADS,
) -> Node:
    return _pool(Operation.MAX_POOL, x, Window(size, stride, (1, 1), pads), name)


def average_pool(
    x: Node,
    size: tuple[int, int],
    name: str,
    *,
    stride: tuple[int, int],
    pads: Pads | None = NO_PADS,
) -> Node:
    return _pool(Operation.AVERAGE_POOL, x, Window(size, stride, (1, 1), pads), name)


def _pool(operation: Operation, x: Node, window: Window, name: str) -> Node:
    shape = _windowed_shape(x, window, require_image(x, name)[3], name)
    for axis, size in enumerate(window.size):
        pad = max((window.pads or NO_PADS)[axis::2])
        require(pad < size, name, f"pads narrower than the window of {window.size}", window.pads)
    return Node(operation, name, (x,), shape, window=window)


def reduce(
    operation: Operation, x: Node, axes: Sequence[int], name: str, *, keep: bool = False
) -> Node:
    """Reduces x over `axes`, which are ascending.  `operation` is one of REDUCTIONS.

    If `keep` is true, the reduced axes stay, with size 1.
    """
    is_valid = sorted(set(axes)) == list(axes) and set(axes) <= set(range(len(x.shape))) and axes
    require(bool(is_valid), name, f"axes of {x.shape} in order", list(axes))
    sizes = [1 if axis in axes else size for axis, size in enumerate(x.shape)]
    shape = [size for axis, size in enumerate(sizes) if keep or axis not in axes]
    return Node(operation, name, (x,), tuple(shape), int_attributes={"axes": tuple(axes)})


def mean(x: Node, name: str) -> Node:
    """Averages an image over height and width: (N, H, W, C) to (N, C)."""
    require_image(x, name)
    return reduce(Operation.REDUCE_MEAN, x, (1, 2), name)


def same_pads(shape: Shape, window: Window) -> Pads:
    """Returns the pads (top, left, bottom, right) that TensorFlow's "SAME" adds to an image.

    `shape` is (N, height, width, channels), with a static height and width.  If the number of added
    rows or columns is odd, the bottom or the right gets one more.
    """
    totals = [
        max((-(-dimension // stride) - 1) * stride + _dilated_size(size, dilation) - dimension, 0)
        for dimension, stride, size, dilation in zip(
            shape[1:3], window.stride, window.size, window.dilation, strict=True
        )
    ]
    return totals[0] // 2, totals[1] // 2, -(-totals[0] // 2), -(-totals[1] // 2)


def _windowed_shape(x: Node, window: Window, channels: int, name: str) -> Shape:
    """Returns the output shape of a convolution or pooling with this window."""
    count, *height_width, _ = require_image(x, name)
    steps = (*window.size, *window.stride, *window.dilation)
    require(0 < min(steps) <= max(steps) < MAX_POSITION, name, "sizes and strides from 1 on", steps)
    top, left, bottom, right = window.pads or NO_PADS
    for axis, pad in ((0, top + bottom), (1, left + right)):
        dimension, stride = height_width[axis], window.stride[axis]
        if dimension == DYNAMIC:
            continue
        window_size = _dilated_size(window.size[axis], window.dilation[axis])
        positions = (
            -(-dimension // stride)
            if window.pads is None
            else (dimension + pad - window_size) // stride + 1
        )
        if positions < 1:
            raise ModelBuildError(f"{name}: a window of {window.size} on an image of {x.shape}.")
        height_width[axis] = positions
    return (count, *height_width, channels)


def _dilated_size(size: int, dilation: int) -> int:
    return (size - 1) * dilation + 1


def _bias(bias: Float32Array | None, units: int, name: str) -> dict[str, Float32Array]:
    if bias is None:
        return {}
    is_valid = bias.shape == (units,)
    require(is_valid, name, f"a bias of shape {(units,)}", f"shape {bias.shape}")
    return {"bias": bias}
