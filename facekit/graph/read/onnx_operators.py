"""The operators of an ONNX graph as steps, whoever exported it.

A tensor is tracked with its layout: PyTorch's exporters keep channels second, those of
TensorFlow transpose where they must.  Unit length at the end of a net is passed over, since
facekit gives every embedding unit length itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from facekit.graph import steps
from facekit.graph.read.onnx_layout import (
    CHANNELS_FIRST,
    CHANNELS_LAST,
    VECTOR,
    Attributes,
    Tracked,
    Value,
    as_vector,
    by_channel,
    changed,
)
from facekit.graph.steps import Node, Step


def convolution(given: Sequence[Any], attributes: Attributes, name: str) -> Tracked:
    x, kernel = given[0], given[1]
    if attributes.get("group", 1) != 1 or set(attributes.get("dilations", [1])) != {1}:
        raise ValueError("a grouped or dilated convolution")
    if x.layout != CHANNELS_FIRST:
        raise ValueError("a convolution of a picture whose channels are not second")
    window = tuple(kernel.shape[2:])
    stride = tuple(attributes.get("strides", (1, 1)))
    node = steps.kernel_step(
        x.node,
        kernel.transpose(2, 3, 1, 0),
        name,
        offset=given[2] if len(given) > 2 else None,
        stride=stride,
        pads=_pads(attributes, x.node, window, stride),
    )
    return Tracked(node, CHANNELS_FIRST)


def gemm(given: Sequence[Any], attributes: Attributes, name: str) -> Tracked:
    if attributes.get("transA") or {attributes.get(key, 1.0) for key in ("alpha", "beta")} != {1.0}:
        raise ValueError("a scaled or transposed product")
    kernel = given[1].T if attributes.get("transB") else given[1]
    product = matmul((given[0], kernel), {}, name)
    return add((product, given[2]), {}, name) if len(given) > 2 else product


def matmul(given: Sequence[Any], _attributes: Attributes, name: str) -> Tracked:
    x, kernel = given
    height, width, channels = (
        x.node.inputs[0].shape if x.node.step is Step.FLATTEN else x.node.shape
    )
    if kernel.shape[0] != height * width * channels:
        raise ValueError(f"a kernel of shape {kernel.shape} on {height * width * channels} numbers")
    if x.flattened == CHANNELS_FIRST:  # ours runs through rows, columns, then channels
        kernel = kernel.reshape(channels, height, width, -1).transpose(1, 2, 0, 3)
        kernel = kernel.reshape(height * width * channels, -1)
    return Tracked(steps.kernel_step(x.node, kernel[None, None], name), VECTOR)


def batch_norm(given: Sequence[Any], attributes: Attributes, name: str) -> Tracked:
    x, gamma, beta, mean, variance = given
    if attributes.get("training_mode"):
        raise ValueError("a batch norm in training")
    factor = gamma / np.sqrt(variance.astype(np.float64) + attributes.get("epsilon", 1e-5))
    node = steps.scaled(x.node, factor, name)
    return changed(x, node=steps.shifted(node, beta - mean * factor, name))


def relu(given: Sequence[Any], _attributes: Attributes, name: str) -> Tracked:
    x = given[0]
    if x.negated:
        return changed(x, negated=False, below=True)
    return changed(x, node=steps.relu(x.node, name))


def prelu(given: Sequence[Any], _attributes: Attributes, name: str) -> Tracked:
    x, slope = given
    return changed(x, node=steps.prelu(x.node, by_channel(slope, x), name))


def negative(given: Sequence[Any], _attributes: Attributes, _name: str) -> Tracked:
    return changed(given[0], negated=True)


def add(given: Sequence[Any], _attributes: Attributes, name: str) -> Tracked:
    a, b = given if isinstance(given[0], Tracked) else given[::-1]
    if not isinstance(b, Tracked):
        return changed(a, node=steps.shifted(a.node, by_channel(b, a), name))
    above, below = (a, b) if b.slope is not None else (b, a)
    if below.slope is not None:  # relu(x) + slope * relu(-x)
        if above.node.step is not Step.RELU or above.node.inputs[0] is not below.node:
            raise ValueError("a sum that is no PReLU")
        return changed(above, node=steps.prelu(below.node, -below.slope, name))
    if a.layout != b.layout:
        raise ValueError("a sum of two layouts")
    return Tracked(steps.add(a.node, b.node, name), a.layout)


def subtract(given: Sequence[Any], _attributes: Attributes, name: str) -> Tracked:
    x, shift = given
    if not isinstance(x, Tracked):
        raise ValueError("a number minus a picture")
    if isinstance(shift, Tracked):
        return changed(x, node=steps.difference(x.node, shift.node, name))
    return changed(x, node=steps.shifted(x.node, -by_channel(shift, x), name))


def multiply(given: Sequence[Any], _attributes: Attributes, name: str) -> Tracked:
    x, factor = given if isinstance(given[0], Tracked) else given[::-1]
    if isinstance(factor, Tracked):
        raise ValueError("a product of two pictures")
    if x.below:
        return changed(x, below=False, slope=by_channel(factor, x))
    return changed(x, node=steps.scaled(x.node, by_channel(factor, x), name))


def divide(given: Sequence[Any], attributes: Attributes, name: str) -> Tracked:
    x, divisor = given
    if isinstance(divisor, Tracked):
        if divisor.length and divisor.node is x.node:
            return Tracked(x.node, x.layout)  # unit length
        raise ValueError("a quotient of two pictures")
    return multiply((x, 1 / divisor), attributes, name)


def length(given: Sequence[Any], _attributes: Attributes, _name: str) -> Tracked:
    x = given[0]
    if x.layout != VECTOR:
        raise ValueError("the length of what is no vector")
    return changed(x, length=True)


def maximum(given: Sequence[Any], attributes: Attributes, name: str) -> Tracked:
    """max(x, a x), a PReLU, or the bound on a length."""
    a, *others = given
    if len(others) == 1 and isinstance(a, Tracked) and isinstance(others[0], Tracked):
        return changed(a, node=steps.maximum(a.node, others[0].node, name))
    return bounded_length(given, attributes, name)


def bounded_length(given: Sequence[Any], _attributes: Attributes, _name: str) -> Tracked:
    """Clip, Max and Expand, which keep a division by the length from being one by zero."""
    found = [one for one in given if isinstance(one, Tracked)]
    if len(found) != 1 or not found[0].length:
        raise ValueError("a bound on what is no vector's length")
    bounded: Tracked = found[0]
    return bounded


def max_pool(given: Sequence[Any], attributes: Attributes, name: str) -> Tracked:
    x = given[0]
    if attributes.get("ceil_mode") or set(attributes.get("dilations", [1])) != {1}:
        raise ValueError("a dilated pool, or one that rounds up")
    if x.layout != CHANNELS_FIRST:
        raise ValueError("a pool of a picture whose channels are not second")
    window, stride = tuple(attributes["kernel_shape"]), tuple(attributes.get("strides", (1, 1)))
    pads = _pads(attributes, x.node, window, stride)
    return changed(x, node=steps.max_pool(x.node, window, name, stride=stride, pads=pads))


def average_pool(given: Sequence[Any], attributes: Attributes, name: str) -> Tracked:
    x = given[0]
    window = tuple(attributes.get("kernel_shape", x.node.shape[:2]))
    if window != x.node.shape[:2] or any(attributes.get("pads", ())):
        raise ValueError("a mean over a part of the picture")
    return changed(x, node=steps.mean(x.node, name))


def reduce_mean(given: Sequence[Any], attributes: Attributes, name: str) -> Tracked:
    x = given[0]
    axes = attributes.get("axes") or (given[1].tolist() if len(given) > 1 else [])
    wanted = [x.layout.index("H"), x.layout.index("W")] if "H" in x.layout else []
    if not wanted or sorted(axis % 4 for axis in axes) != wanted:
        raise ValueError("a mean over other axes than height and width")
    layout = x.layout if attributes.get("keepdims", 1) else VECTOR
    return Tracked(steps.mean(x.node, name), layout)


def concatenate(given: Sequence[Any], attributes: Attributes, name: str) -> Value:
    if any(one is None for one in given):
        return None
    layout = given[0].layout
    if {one.layout for one in given} != {layout}:
        raise ValueError("a concatenation of two layouts")
    if attributes["axis"] % len(layout) != layout.index("C"):
        raise ValueError("concatenation along another axis than the channels")
    return Tracked(steps.concatenate([one.node for one in given], name), layout)


def pad(given: Sequence[Any], attributes: Attributes, name: str) -> Tracked:
    x = given[0]
    amounts = attributes.get("pads") or given[1].tolist()
    value = given[2] if len(given) > 2 and given[2] is not None else np.zeros(1)
    if len(amounts) != 8 or attributes.get("mode", b"constant") != b"constant" or np.any(value):
        raise ValueError("padding other than with zeros")
    before = dict(zip(x.layout, amounts[:4], strict=True))
    after = dict(zip(x.layout, amounts[4:], strict=True))
    if any(edge[axis] for edge in (before, after) for axis in "NC"):
        raise ValueError("padding of batch or channels")
    pads = (before["H"], before["W"], after["H"], after["W"])
    return changed(x, node=steps.pad(x.node, pads, name))


def flatten(given: Sequence[Any], attributes: Attributes, name: str) -> Tracked:
    if attributes.get("axis", 1) != 1:
        raise ValueError("a flattening of the batch")
    return as_vector(given[0], name)


def reshape(given: Sequence[Any], _attributes: Attributes, name: str) -> Tracked:
    x, shape = given
    if shape is not None and len(shape) != 2:
        if len(shape) == 4 and x.node.shape[:2] == (1, 1):
            first = shape[1] in (-1, x.node.shape[2]) and list(shape[2:]) == [1, 1]
            return changed(x, layout=CHANNELS_FIRST if first else CHANNELS_LAST)
        raise ValueError(f"a reshape to {list(shape)}")
    return as_vector(x, name)


def transpose(given: Sequence[Any], attributes: Attributes, _name: str) -> Tracked:
    x = given[0]
    layout = "".join(x.layout[axis] for axis in attributes["perm"])
    if layout not in (CHANNELS_FIRST, CHANNELS_LAST, VECTOR):
        raise ValueError(f"a transposition to {layout}")
    return changed(x, layout=layout)


def unchanged(given: Sequence[Any], _attributes: Attributes, _name: str) -> Value:
    value: Value = given[0]
    return value


def _pads(
    attributes: Attributes, x: Node, window: tuple[int, ...], stride: tuple[int, ...]
) -> steps.Pads:
    automatic = attributes.get("auto_pad", b"NOTSET")
    if automatic == b"SAME_UPPER":
        return steps.same_pads(x.shape, (window[0], window[1]), (stride[0], stride[1]))
    if automatic not in (b"NOTSET", b"VALID"):
        raise ValueError(f"padding {automatic.decode()}")
    top, left, bottom, right = attributes.get("pads", steps.NO_PADS)
    return top, left, bottom, right


MAKERS: dict[str, Callable[[Sequence[Any], Attributes, str], Value]] = {
    "Add": add,
    "AveragePool": average_pool,
    "BatchNormalization": batch_norm,
    "Clip": bounded_length,
    "Concat": concatenate,
    "Conv": convolution,
    "Div": divide,
    "Dropout": unchanged,
    "Expand": bounded_length,
    "Flatten": flatten,
    "Gemm": gemm,
    "GlobalAveragePool": average_pool,
    "Identity": unchanged,
    "LpNormalization": unchanged,
    "MatMul": matmul,
    "Max": maximum,
    "MaxPool": max_pool,
    "Mul": multiply,
    "Neg": negative,
    "PRelu": prelu,
    "Pad": pad,
    "ReduceL2": length,
    "ReduceMean": reduce_mean,
    "Relu": relu,
    "Reshape": reshape,
    "Squeeze": lambda given, attributes, name: as_vector(given[0], name),
    "Sub": subtract,
    "Transpose": transpose,
}
"""By ONNX's name of the operator."""
