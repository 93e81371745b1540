"""Nodes of a graph: each function checks what it is given and says the shape that follows.

All raise ModelBuildError naming the node, and what was needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph.graph import NO_PADS, OPEN, Node, Operation, Pads, Shape, Window
from facekit.types import Float32Array


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
    _require(kernel.ndim == 4 and min(kernel.shape) > 0, name, "a kernel of four sides", kernel)
    height, width, depth, filters = kernel.shape
    channels = _picture(x, name)[3]
    groups = channels // depth
    _require(
        groups * depth == channels and filters % max(groups, 1) == 0,
        name,
        f"a kernel for {channels} channels",
        kernel,
    )
    window = Window((height, width), stride, dilation, pads)
    weights = _finite(name, {"kernel": kernel} | _bias(bias, filters, name))
    return Node(Operation.CONVOLUTION, name, (x,), _slid(x, window, filters, name), weights, window)


def dense(x: Node, kernel: Float32Array, name: str, *, bias: Float32Array | None = None) -> Node:
    """kernel: (in, out)."""
    fits = len(x.shape) == 2 and kernel.ndim == 2 and kernel.shape[0] == x.shape[1]
    _require(fits, name, f"a kernel for vectors of shape {x.shape}", kernel)
    units = kernel.shape[1]
    weights = _finite(name, {"kernel": kernel} | _bias(bias, units, name))
    return Node(Operation.DENSE, name, (x,), (x.shape[0], units), weights)


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
        _require_channels(x, weight, name)
    _finite(name, weights)
    positive = bool((variance.astype(np.float64) + epsilon > 0).all())
    _require(positive, name, "variances above minus epsilon", variance)
    return Node(Operation.BATCH_NORM, name, (x,), x.shape, weights, numbers={"epsilon": epsilon})


def add(a: Node, b: Node | Float32Array, name: str) -> Node:
    return _elementwise(Operation.ADD, a, b, name)


def multiply(a: Node, b: Node | Float32Array, name: str) -> Node:
    return _elementwise(Operation.MULTIPLY, a, b, name)


def relu(x: Node, name: str) -> Node:
    return Node(Operation.RELU, name, (x,), x.shape)


def prelu(x: Node, slope: Float32Array, name: str) -> Node:
    _require_channels(x, slope, name)
    return Node(Operation.PRELU, name, (x,), x.shape, _finite(name, {"slope": slope}))


def softmax(x: Node, name: str) -> Node:
    return Node(Operation.SOFTMAX, name, (x,), x.shape)


def pad(x: Node, pads: Pads, name: str) -> Node:
    top, left, bottom, right = pads
    count, height, width, channels = _picture(x, name)
    shape = (count, _wider(height, top + bottom), _wider(width, left + right), channels)
    return Node(Operation.PAD, name, (x,), shape, window=Window(pads=pads))


def max_pool(
    x: Node,
    size: tuple[int, int],
    name: str,
    *,
    stride: tuple[int, int],
    pads: Pads | None = NO_PADS,
) -> Node:
    window = Window(size, stride, (1, 1), pads)
    shape = _slid(x, window, _picture(x, name)[3], name)
    return Node(Operation.MAX_POOL, name, (x,), shape, window=window)


def mean(x: Node, name: str) -> Node:
    count, _, _, channels = _picture(x, name)
    return Node(Operation.MEAN, name, (x,), (count, channels))


def flatten(x: Node, name: str) -> Node:
    count, *sides = _picture(x, name)
    _require(OPEN not in sides, name, "known sides", None)
    return Node(Operation.FLATTEN, name, (x,), (count, prod(sides)))


def concatenate(inputs: Sequence[Node], name: str) -> Node:
    sides = {node.shape[:-1] for node in inputs}
    if len(sides) != 1:
        raise ModelBuildError(f"{name}: its inputs have different sides: {sorted(sides)}.")
    shape = (*inputs[0].shape[:-1], sum(node.shape[-1] for node in inputs))
    return Node(Operation.CONCATENATE, name, tuple(inputs), shape)


def same_pads(shape: Shape, window: Window) -> Pads:
    """The rows and columns that TensorFlow's "SAME" adds to a picture of known sides."""
    totals = [
        max((-(-side // step) - 1) * step + _reach(size, spread) - side, 0)
        for side, step, size, spread in zip(
            shape[1:3], window.stride, window.size, window.dilation, strict=True
        )
    ]
    return totals[0] // 2, totals[1] // 2, -(-totals[0] // 2), -(-totals[1] // 2)


def _elementwise(operation: Operation, a: Node, b: Node | Float32Array, name: str) -> Node:
    if isinstance(b, Node):
        if a.shape != b.shape:
            raise ModelBuildError(f"{name}: shapes {a.shape} and {b.shape} do not go together.")
        return Node(operation, name, (a, b), a.shape)
    constant = np.resize(b, a.shape[-1]) if b.size == 1 else b
    _require_channels(a, constant, name)
    return Node(operation, name, (a,), a.shape, _finite(name, {"constant": constant}))


def _slid(x: Node, window: Window, channels: int, name: str) -> Shape:
    """The shape after a window has gone over a picture."""
    count, *sides, _ = _picture(x, name)
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


def _wider(side: int, by: int) -> int:
    return OPEN if side == OPEN else side + by


def _picture(x: Node, name: str) -> Shape:
    if len(x.shape) != 4:
        raise ModelBuildError(f"{name}: a picture needed. Received: shape {x.shape}.")
    return x.shape


def _bias(bias: Float32Array | None, units: int, name: str) -> dict[str, Float32Array]:
    if bias is None:
        return {}
    _require(bias.shape == (units,), name, f"a bias of shape {(units,)}", bias)
    return {"bias": bias}


def _finite(name: str, weights: dict[str, Float32Array]) -> dict[str, Float32Array]:
    """Where weights come from outside; not again whenever a graph is rewritten."""
    for role, weight in weights.items():
        if weight.dtype != np.float32:
            raise ModelBuildError(f"{name}: {role} must be float32. Received: {weight.dtype}.")
        if not np.isfinite(weight).all():
            raise ModelBuildError(f"{name}: {role} holds values that are not finite.")
    return weights


def _require_channels(x: Node, weight: Float32Array, name: str) -> None:
    channels = x.shape[-1]
    _require(weight.shape == (channels,), name, f"one number for each of {channels}", weight)


def _require(fits: bool, name: str, needed: str, received: Float32Array | None) -> None:
    if not fits:
        shape = "" if received is None else f" Received: shape {received.shape}."
        raise ModelBuildError(f"{name}: {needed} needed.{shape}")
