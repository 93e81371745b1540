"""Nodes of a graph that calculate: each function checks what it is given and says the shape that
follows.  `facekit.graph.moves` has those that only move numbers.

All raise ModelBuildError naming the node, and what was needed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph.checks import (
    broadcast_shape,
    finite,
    finite_number,
    picture,
    require,
    require_channels,
)
from facekit.graph.graph import NO_PADS, OPEN, Node, Operation, Pads, Shape, Window
from facekit.types import Float32Array

OF_TWO_OR_A_CONSTANT = (Operation.ADD, Operation.MULTIPLY, Operation.MAXIMUM, Operation.MINIMUM)
OF_TWO = (Operation.SUBTRACT, Operation.DIVIDE)
ACTIVATIONS = (
    Operation.RELU,
    Operation.RELU6,
    Operation.ELU,
    Operation.SIGMOID,
    Operation.HARD_SWISH,
)
"""of one node, without weights and numbers; so are SOFTMAX and UNIT_LENGTH, over channels"""
REDUCTIONS = (Operation.MEAN, Operation.SUM, Operation.GREATEST)


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
    """kernel: (height, width, in / groups, out)."""
    shape = f"shape {kernel.shape}"
    require(kernel.ndim == 4 and min(kernel.shape) > 0, name, "a kernel of four sides", shape)
    height, width, depth, filters = kernel.shape
    channels = picture(x, name)[3]
    groups = channels // depth
    fits = groups * depth == channels and filters % max(groups, 1) == 0
    require(fits, name, f"a kernel for {channels} channels", shape)
    window = Window((height, width), stride, dilation, pads)
    weights = finite(name, {"kernel": kernel} | _bias(bias, filters, name))
    return Node(Operation.CONVOLUTION, name, (x,), _slid(x, window, filters, name), weights, window)


def dense(x: Node, kernel: Float32Array, name: str, *, bias: Float32Array | None = None) -> Node:
    """kernel: (in, out), over the last side."""
    fits = len(x.shape) >= 2 and kernel.ndim == 2 and kernel.shape[0] == x.shape[-1]
    require(fits, name, f"a kernel for vectors of shape {x.shape}", f"shape {kernel.shape}")
    units = kernel.shape[1]
    weights = finite(name, {"kernel": kernel} | _bias(bias, units, name))
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
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, one number a channel each."""
    weights = {"beta": beta, "mean": mean, "variance": variance}
    weights |= {} if gamma is None else {"gamma": gamma}
    for weight in weights.values():
        require_channels(x, weight, name)
    finite(name, weights)
    least = float((variance.astype(np.float64) + epsilon).min(initial=np.inf))
    require(least > 0, name, "variances above minus epsilon", f"{least:g} too little")
    return Node(Operation.BATCH_NORM, name, (x,), x.shape, weights, numbers={"epsilon": epsilon})


def elementwise(operation: Operation, a: Node, b: Node | Float32Array, name: str) -> Node:
    """Any of OF_TWO_OR_A_CONSTANT; of two nodes, any of OF_TWO too."""
    if isinstance(b, Node):
        return Node(operation, name, (a, b), broadcast_shape(a.shape, b.shape, name))
    require(operation not in OF_TWO, name, "two nodes", "one and a constant")
    channels = a.shape[-1]
    constant = np.resize(b, channels) if b.size == 1 and channels != OPEN else b
    sides = (1,) * (len(a.shape) - constant.ndim) + constant.shape
    fits = constant.ndim in (1, len(a.shape)) and all(
        side in (1, other) for side, other in zip(sides, a.shape, strict=True)
    )
    needed = f"one number for each of {channels}, or sides that go with {a.shape},"
    require(fits, name, needed, f"shape {b.shape}")
    return Node(operation, name, (a,), a.shape, finite(name, {"constant": constant}))


def add(a: Node, b: Node | Float32Array, name: str) -> Node:
    return elementwise(Operation.ADD, a, b, name)


def multiply(a: Node, b: Node | Float32Array, name: str) -> Node:
    return elementwise(Operation.MULTIPLY, a, b, name)


def power(x: Node, exponent: float, name: str) -> Node:
    numbers = finite_number(name, "exponent", exponent)
    return Node(Operation.POWER, name, (x,), x.shape, numbers=numbers)


def activation(operation: Operation, x: Node, name: str) -> Node:
    """Any of ACTIVATIONS."""
    return Node(operation, name, (x,), x.shape)


def relu(x: Node, name: str) -> Node:
    return activation(Operation.RELU, x, name)


def prelu(x: Node, slope: Float32Array, name: str) -> Node:
    require_channels(x, slope, name)
    return Node(Operation.PRELU, name, (x,), x.shape, finite(name, {"slope": slope}))


def leaky_relu(x: Node, slope: float, name: str) -> Node:
    numbers = finite_number(name, "slope", slope)
    return Node(Operation.LEAKY_RELU, name, (x,), x.shape, numbers=numbers)


def softmax(x: Node, name: str) -> Node:
    return Node(Operation.SOFTMAX, name, (x,), x.shape)


def unit_length(x: Node, name: str) -> Node:
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
    shape = _slid(x, window, picture(x, name)[3], name)
    for place, size in enumerate(window.size):
        wide = max((window.pads or NO_PADS)[place::2])
        require(wide < size, name, f"pads narrower than the window of {window.size}", window.pads)
    return Node(operation, name, (x,), shape, window=window)


def reduced(
    operation: Operation, x: Node, axes: Sequence[int], name: str, *, keep: bool = False
) -> Node:
    """Any of REDUCTIONS; `axes`: any sides, in order; they stay as 1 where `keep`."""
    fits = sorted(set(axes)) == list(axes) and set(axes) <= set(range(len(x.shape))) and axes
    require(bool(fits), name, f"axes of {x.shape} in order", list(axes))
    sides = [1 if place in axes else side for place, side in enumerate(x.shape)]
    shape = [side for place, side in enumerate(sides) if keep or place not in axes]
    return Node(operation, name, (x,), tuple(shape), integers={"axes": tuple(axes)})


def mean(x: Node, name: str) -> Node:
    """Of a picture, over height and width: (N, H, W, C) to (N, C)."""
    picture(x, name)
    return reduced(Operation.MEAN, x, (1, 2), name)


def same_pads(shape: Shape, window: Window) -> Pads:
    """The rows and columns that TensorFlow's "SAME" adds to a picture of known sides."""
    totals = [
        max((-(-side // step) - 1) * step + _reach(size, spread) - side, 0)
        for side, step, size, spread in zip(
            shape[1:3], window.stride, window.size, window.dilation, strict=True
        )
    ]
    return totals[0] // 2, totals[1] // 2, -(-totals[0] // 2), -(-totals[1] // 2)


def _slid(x: Node, window: Window, channels: int, name: str) -> Shape:
    """The shape after a window has gone over a picture."""
    count, *sides, _ = picture(x, name)
    top, left, bottom, right = window.pads or NO_PADS
    for place, padded in ((0, top + bottom), (1, left + right)):
        side, step = sides[place], window.stride[place]
        if side == OPEN:
            continue
        reach = _reach(window.size[place], window.dilation[place])
        whole = -(-side // step) if window.pads is None else (side + padded - reach) // step + 1
        if whole < 1:
            raise ModelBuildError(f"{name}: a window of {window.size} on a picture of {x.shape}.")
        sides[place] = whole
    return (count, *sides, channels)


def _reach(size: int, dilation: int) -> int:
    return (size - 1) * dilation + 1


def _bias(bias: Float32Array | None, units: int, name: str) -> dict[str, Float32Array]:
    if bias is None:
        return {}
    fits = bias.shape == (units,)
    require(fits, name, f"a bias of shape {(units,)}", f"shape {bias.shape}")
    return {"bias": bias}
