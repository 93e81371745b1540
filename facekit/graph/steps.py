"""A net as its steps, every scale and offset folded into the kernel before it.

Files of different makers write one net in different ways: a batch norm as it was trained, as
two operators, or not at all, once it has been multiplied into the convolution before it; padding
as an operator or as an attribute; a vector as (n,) or (1, 1, n).  Built from the functions below,
all of them give the same nodes, so that a file's net and ours can be laid on each other.

This is how ONNX and LiteRT files get into a Keras net.  A network that is read to be written,
not to be trained, is a `facekit.graph.graph.Graph`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from facekit.types import Float32Array

if TYPE_CHECKING:
    from facekit.system.keras_backend import keras

Shape: TypeAlias = tuple[int, int, int]
"""height, width, channels; a vector is (1, 1, n)"""
Pads: TypeAlias = tuple[int, int, int, int]
"""rows above, columns left, rows below, columns right"""
NO_PADS: Pads = (0, 0, 0, 0)


class Step(str, Enum):
    """What a node does."""

    IMAGE = "image"
    KERNEL = "kernel"
    """a convolution or a dense layer (1 x 1 on a vector), with what scales and shifts it"""
    PAD = "pad"
    RELU = "relu"
    PRELU = "prelu"
    BELOW_ZERO = "below zero"
    """x - relu(x), by a factor a channel: half of a PReLU that is written as a sum"""
    MAX_POOL = "max pool"
    MEAN = "mean"
    """over height and width"""
    FLATTEN = "flatten"
    CONCATENATE = "concatenate"
    """of channels"""
    ADD = "add"


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: holds arrays
class Node:
    """One step.  Shapes are without the batch."""

    step: Step
    inputs: tuple[Node, ...]
    shape: Shape
    name: str
    """in the file it was read from, for errors"""
    stride: tuple[int, int] = (1, 1)
    pads: Pads = NO_PADS
    kernel: Float32Array | None = None
    """(height, width, in, out); for a pool (height, width, 0, 0)"""
    offset: Float32Array | None = None
    """(out,)"""
    slope: Float32Array | None = None
    """(channels,), a PReLU's factor below zero; of a kernel, what it was last multiplied by"""
    layers: tuple[keras.Layer, ...] = ()
    """of our own graph: what the step is made of there, in order"""
    signature: str = ""
    """the same for two nodes that do the same with kernels of the same shapes"""

    def __post_init__(self) -> None:
        below = [node.signature for node in self.inputs]
        if self.step is Step.ADD:
            below.sort()
        said = (self.step.value, self.shape, self.stride, self.pads, self.kernel_shape, below)
        object.__setattr__(self, "signature", hashlib.sha256(repr(said).encode()).hexdigest())

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        return () if self.kernel is None else tuple(self.kernel.shape)


def image(height: int, width: int, name: str) -> Node:
    """The input: a picture of (height, width, 3)."""
    return Node(Step.IMAGE, (), (int(height), int(width), 3), name)


def kernel_step(
    x: Node,
    kernel: Float32Array,
    name: str,
    *,
    offset: Float32Array | None = None,
    stride: tuple[int, int] = (1, 1),
    pads: Pads = NO_PADS,
    layer: keras.Layer | None = None,
) -> Node:
    """A convolution, or with a kernel of (1, 1, in, out) on a vector a dense layer.

    Padding that stands before it as a step of its own becomes part of it.
    """
    if x.step is Step.PAD:
        before: Pads = x.pads
        pads = (
            pads[0] + before[0],
            pads[1] + before[1],
            pads[2] + before[2],
            pads[3] + before[3],
        )
        x = x.inputs[0]
    if kernel.shape[2] != x.shape[2]:
        raise ValueError(
            f"{name}: a kernel of shape {kernel.shape} does not fit {x.shape[2]} channels"
        )
    size = _size(x.shape, kernel.shape[:2], stride, pads)
    return Node(
        Step.KERNEL,
        (x,),
        (*size, kernel.shape[3]),
        name,
        stride=stride,
        pads=pads,
        kernel=kernel,
        offset=np.zeros(kernel.shape[3], np.float32) if offset is None else offset,
        layers=() if layer is None else (layer,),
    )


def scaled(x: Node, factor: Float32Array, name: str) -> Node:
    """Multiplied by `factor`, one number or one a channel; after a kernel, or within a PReLU."""
    if x.step is Step.BELOW_ZERO and x.slope is not None:
        return replace(x, slope=(x.slope * factor.reshape(-1)).astype(np.float32))
    kernel, offset = _folded(x, name, "multiplied")
    factor = np.resize(factor, x.shape[2]) if factor.size == 1 else factor.reshape(-1)
    return replace(
        x,
        kernel=(kernel * factor).astype(np.float32),
        offset=(offset * factor).astype(np.float32),
        slope=factor,
    )


def shifted(x: Node, shift: Float32Array, name: str) -> Node:
    """With `shift`, one number or one a channel, added; after a kernel only."""
    _, offset = _folded(x, name, "shifted")
    return replace(x, offset=(offset + shift.reshape(-1)).astype(np.float32))


def with_layer(x: Node, layer: keras.Layer) -> Node:
    """The step of our own graph, which `layer` scales or shifts besides."""
    _folded(x, layer.name, "scaled")
    return replace(x, layers=(*x.layers, layer))


def relu(x: Node, name: str) -> Node:
    """Keeps the shape."""
    return Node(Step.RELU, (x,), x.shape, name)


def prelu(x: Node, slope: Float32Array, name: str, *, layer: keras.Layer | None = None) -> Node:
    """Keeps the shape.  `slope` has a number a channel, in any shape of C numbers."""
    if slope.size != x.shape[2]:
        raise ValueError(f"{name}: one slope a channel needed, received shape {slope.shape}")
    layers = () if layer is None else (layer,)
    return Node(Step.PRELU, (x,), x.shape, name, slope=slope.reshape(-1), layers=layers)


def maximum(a: Node, b: Node, name: str) -> Node:
    """A PReLU whose slopes a are at most 1, written as max(x, a x); see write/integer_prelu.py."""
    for x, multiplied in ((a, b), (b, a)):
        slope = multiplied.slope
        if slope is None or x.kernel is None or multiplied.inputs != x.inputs:
            continue
        again = scaled(x, slope, name)
        pairs = ((again.kernel, multiplied.kernel), (again.offset, multiplied.offset))
        if all(np.array_equal(_values(ours), _values(theirs)) for ours, theirs in pairs):
            if slope.max() > 1:
                raise ValueError(f"{name}: a maximum with a slope above 1 is no PReLU")
            return prelu(x, slope, name)
    raise ValueError(f"{name}: a maximum of other things than x and a multiple of it")


def _values(array: Float32Array | None) -> Float32Array:
    """The array, or (0,) for none."""
    return np.zeros(0, np.float32) if array is None else array


def difference(x: Node, subtracted: Node, name: str) -> Node:
    """The half below zero of a PReLU that is written as a sum: x - relu(x)."""
    if subtracted.step is not Step.RELU or subtracted.inputs[0] is not x:
        raise ValueError(f"{name}: a difference other than x - relu(x)")
    return Node(Step.BELOW_ZERO, (x,), x.shape, name, slope=np.ones(x.shape[2], np.float32))


def pad(x: Node, pads: Pads, name: str) -> Node:
    """Rows and columns of zeros."""
    height, width, channels = x.shape
    shape = (height + pads[0] + pads[2], width + pads[1] + pads[3], channels)
    return Node(Step.PAD, (x,), shape, name, pads=pads) if any(pads) else x


def max_pool(
    x: Node, window: tuple[int, int], name: str, *, stride: tuple[int, int], pads: Pads = NO_PADS
) -> Node:
    """The greatest of each window, channel by channel."""
    size = _size(x.shape, window, stride, pads)
    kernel = np.zeros((*window, 0, 0), np.float32)
    return Node(
        Step.MAX_POOL, (x,), (*size, x.shape[2]), name, stride=stride, pads=pads, kernel=kernel
    )


def mean(x: Node, name: str) -> Node:
    """Over height and width: (H, W, C) -> (1, 1, C)."""
    return Node(Step.MEAN, (x,), (1, 1, x.shape[2]), name)


def flatten(x: Node, name: str) -> Node:
    """(H, W, C) -> (1, 1, H * W * C); a vector stays as it is."""
    height, width, channels = x.shape
    if height == width == 1:
        return x
    return Node(Step.FLATTEN, (x,), (1, 1, height * width * channels), name)


def concatenate(inputs: Sequence[Node], name: str) -> Node:
    """Of channels: (H, W, C), (H, W, D), ... -> (H, W, C + D + ...)."""
    height, width, _ = inputs[0].shape
    if any(node.shape[:2] != (height, width) for node in inputs):
        raise ValueError(f"{name}: its inputs have different sizes")
    channels = sum(node.shape[2] for node in inputs)
    return Node(Step.CONCATENATE, tuple(inputs), (height, width, channels), name)


def add(a: Node, b: Node, name: str) -> Node:
    """The sum of two of one shape; of the two halves of a PReLU, that PReLU."""
    for above, below in ((a, b), (b, a)):
        halves = (above.step, below.step) == (Step.RELU, Step.BELOW_ZERO)
        if halves and above.inputs == below.inputs and below.slope is not None:
            return prelu(below.inputs[0], below.slope, name)
    if a.shape != b.shape:
        raise ValueError(f"{name}: shapes {a.shape} and {b.shape} cannot be added")
    return Node(Step.ADD, (a, b), a.shape, name)


def same_pads(shape: Shape, window: tuple[int, int], stride: tuple[int, int]) -> Pads:
    """TensorFlow's "SAME": as many outputs as strides fit in, the odd row or column at the end."""
    totals = [
        max((-(-side // step) - 1) * step + reach - side, 0)
        for side, reach, step in zip(shape[:2], window, stride, strict=True)
    ]
    return totals[0] // 2, totals[1] // 2, -(-totals[0] // 2), -(-totals[1] // 2)


def _size(
    shape: Shape, window: tuple[int, ...], stride: tuple[int, int], pads: Pads
) -> tuple[int, int]:
    """Height and width of what a window leaves; ValueError where it does not fit in once."""
    height = (shape[0] + pads[0] + pads[2] - window[0]) // stride[0] + 1
    width = (shape[1] + pads[1] + pads[3] - window[1]) // stride[1] + 1
    if height < 1 or width < 1:
        raise ValueError(f"a window of {tuple(window)} on a picture of {shape[:2]}")
    return height, width


def _folded(x: Node, name: str, done: str) -> tuple[Float32Array, Float32Array]:
    """The kernel (height, width, in, out) and offset (out,); ValueError for another step."""
    if x.kernel is None or x.offset is None:
        raise ValueError(f"{name}: {x.name} ({x.step.value}) is {done}; only after a kernel may be")
    return x.kernel, x.offset
