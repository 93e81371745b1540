"""Readers for ONNX operators with weights (convolution, dense, batch norm) and for pools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph import moves, operations
from facekit.graph.checks import is_static
from facekit.graph.graph import DYNAMIC, NO_PADS, Node, Operation, Pads, Window
from facekit.graph.operations import same_pads
from facekit.graph.read.onnx_arguments import Attributes, OperatorArguments
from facekit.graph.read.onnx_shapes import channels_last_axes, identity_axes
from facekit.graph.read.onnx_values import Constant, Value

_IMAGE_AXES = channels_last_axes(4)


def image_input(op: OperatorArguments, index: int = 0) -> Node:
    """Returns an input as (N, H, W, C).  Raises ModelBuildError if it does not have four axes."""
    value = op.data(index)
    if len(value.axes) != 4:
        raise ModelBuildError(f"{op.name}: an image needed. Received: shape {value.shape}.")
    return op.layout.to_axes(value, _IMAGE_AXES)


def channels_last_input(op: OperatorArguments) -> Value:
    """Returns the operator's first input with channels last; in ONNX the channels are axis 1.

    A flattened image (N, elements) is returned unchanged.
    """
    x = op.data(0)
    if x.image_shape is not None:
        return x
    axes = channels_last_axes(len(x.axes))
    return Value(op.layout.to_axes(x, axes), axes)


def _convolution(op: OperatorArguments) -> Value:
    attributes = op.attributes
    x, kernel = image_input(op), op.constant(1)
    if kernel.ndim != 4:
        raise ModelBuildError(f"{op.name}: an image and a kernel of four dimensions needed.")
    groups = attributes.integer("group", 1)
    if groups * kernel.shape[1] != x.shape[3]:
        raise ModelBuildError(
            f"{op.name}: a kernel for {x.shape[3]} channels in {groups} groups needed. "
            f"Received: shape {kernel.shape}."
        )
    rows, columns = kernel.shape[2:]
    if attributes.pair("kernel_shape", (rows, columns)) != (rows, columns):
        raise ModelBuildError(f"{op.name}: a kernel_shape of {(rows, columns)} needed.")
    window = Window((rows, columns), attributes.pair("strides"), attributes.pair("dilations"))
    node = operations.convolution(
        x,
        kernel.transpose(2, 3, 1, 0),
        op.name,
        bias=op.constant(2) if op.has(2) else None,
        stride=window.stride,
        dilation=window.dilation,
        pads=_pads(attributes, x, window),
    )
    return Value(node, _IMAGE_AXES)


def _batch_norm(op: OperatorArguments) -> Value:
    attributes = op.attributes
    attributes.require("training_mode", 0)
    attributes.ignore("momentum")
    x = channels_last_input(op)
    if len(x.axes) > 2:  # for vectors, both values of `spatial` mean the same
        attributes.require("spatial", 1)
    attributes.ignore("spatial")
    channels = x.node.shape[-1:]
    weights = [op.constant(index) for index in range(1, 5)]
    for weight in weights:
        if weight.shape != channels:
            raise ModelBuildError(
                f"{op.name}: one value for each of {channels[0]} channels needed. Received: "
                f"shape {weight.shape}."
            )
    gamma, beta, mean, variance = (_to_node_order(weight, x) for weight in weights)
    node = operations.batch_norm(
        x.node,
        op.name,
        gamma=gamma,
        beta=beta,
        mean=mean,
        variance=variance,
        epsilon=attributes.number("epsilon", 1e-5),
    )
    return x.with_node(node)


def _to_node_order(weight: NDArray[Any], x: Value) -> NDArray[Any]:
    """Reorders the first axis of a weight if x is a flattened image, from the file's order
    (channel, row, column) to the node's order (row, column, channel)."""
    return weight if x.element_order is None else weight[x.element_order]


def _gemm(op: OperatorArguments) -> Value:
    attributes = op.attributes
    attributes.require("transA", 0)
    kernel = op.constant(1)
    if attributes.integer("transB", 0):
        kernel = kernel.T
    kernel = kernel * np.float32(attributes.number("alpha", 1.0))
    beta, bias = np.float32(attributes.number("beta", 1.0)), None
    if op.has(2) and kernel.ndim == 2:
        bias = op.constant(2)
        if bias.shape not in ((), (1,), (kernel.shape[1],), (1, kernel.shape[1])):
            raise ModelBuildError(
                f"{op.name}: a bias for {kernel.shape[1]} numbers needed. Received: shape "
                f"{bias.shape}."
            )
        bias = np.broadcast_to(bias.reshape(-1), kernel.shape[1:]) * beta
    return _dense(op, kernel, bias)


def _matmul(op: OperatorArguments) -> Value:
    return _dense(op, op.constant(1), None)


def _dense(op: OperatorArguments, kernel: Constant, bias: Constant | None) -> Value:
    x = op.data(0)
    if kernel.ndim != 2 or len(x.axes) < 2 or kernel.shape[0] != x.shape[-1]:
        raise ModelBuildError(
            f"{op.name}: a kernel for vectors of shape {x.shape} needed. Received: shape "
            f"{kernel.shape}."
        )
    # The multiplied axis must be the last one; the order of the other axes does not matter.
    if x.axes[-1] != len(x.axes) - 1:
        x = Value(op.layout.to_axes(x, identity_axes(len(x.axes))), identity_axes(len(x.axes)))
    node = operations.dense(x.node, _to_node_order(kernel, x), op.name, bias=bias)
    return Value(node, x.axes)


def _max_pool(op: OperatorArguments) -> Value:
    op.attributes.require("storage_order", 0)
    x, window = image_input(op), _window(op)
    node = operations.max_pool(
        x,
        window.size,
        op.name,
        stride=window.stride,
        pads=_pads(op.attributes, x, window),
    )
    return Value(node, _IMAGE_AXES)


def _average_pool(op: OperatorArguments) -> Value:
    x, window = image_input(op), _window(op)
    counts_pads = op.attributes.integer("count_include_pad", 0)
    pads = _pads(op.attributes, x, window)
    if counts_pads and pads != NO_PADS:
        # The average includes the padding in the file as zeros, but not the padding of ceil_mode.
        stated = _stated_pads(op.attributes, x, window)
        if stated is None:
            if not is_static(x.shape):
                raise ModelBuildError(f"{op.name}: pads that count need static dimensions.")
            stated = same_pads(x.shape, window)
        if stated != NO_PADS:
            x = moves.pad(x, stated, f"{op.name}/padded")
        top, left, bottom, right = (a - b for a, b in zip(pads or stated, stated, strict=True))
        pads = (top, left, bottom, right)
    node = operations.average_pool(x, window.size, op.name, stride=window.stride, pads=pads)
    return Value(node, _IMAGE_AXES)


def _window(op: OperatorArguments) -> Window:
    attributes = op.attributes
    if attributes.pair("dilations") != (1, 1):
        raise ModelBuildError(f"{op.name}: a pool without dilation needed.")
    if not attributes.has("kernel_shape"):
        raise ModelBuildError(f"{op.name} must have the attribute kernel_shape.")
    return Window(attributes.pair("kernel_shape"), attributes.pair("strides"))


def _pads(attributes: Attributes, x: Node, window: Window) -> Pads | None:
    """Returns the pads (top, left, bottom, right), including the rows and columns that ceil_mode
    adds at the end, or None for SAME_UPPER."""
    pads = _stated_pads(attributes, x, window)
    if attributes.integer("ceil_mode", 0) != 1 or pads is None:
        return pads
    padding = list(pads)
    for axis in (0, 1):
        dimension, size, stride = x.shape[1 + axis], window.size[axis], window.stride[axis]
        if dimension == DYNAMIC:
            raise ModelBuildError(
                f"{attributes.name}: ceil_mode needs an image of static dimensions."
            )
        first, last = pads[axis], pads[2 + axis]
        last_position = -(-(dimension + first + last - size) // stride)
        # ONNX drops a window that would begin in the padding at the end
        if last_position * stride >= dimension + first:
            last_position -= 1
        padding[2 + axis] = max(last_position * stride + size - dimension - first, last)
    top, left, bottom, right = padding
    return top, left, bottom, right


def _stated_pads(attributes: Attributes, x: Node, window: Window) -> Pads | None:
    """Returns the pads (top, left, bottom, right) of `auto_pad` or `pads`, or None for
    SAME_UPPER."""
    kind = attributes.text("auto_pad", "NOTSET")
    top, left, bottom, right = attributes.integers("pads", NO_PADS, minimum=0)
    if kind == "NOTSET":
        return top, left, bottom, right
    if kind == "VALID":
        return NO_PADS
    if any(step > size + 1 for step, size in zip(window.stride, window.size, strict=True)):
        raise ModelBuildError(
            f"{attributes.name}: padding {kind} of a window of {window.size} is not known for "
            f"strides of {window.stride}, which pass over pixels."
        )
    if kind == "SAME_UPPER":
        return None
    if kind == "SAME_LOWER" and is_static(x.shape):
        top, left, bottom, right = same_pads(x.shape, window)
        return bottom, right, top, left
    raise ModelBuildError(f"{attributes.name}: padding {kind} is not known.")


def _global_pool(operation: Operation) -> Callable[[OperatorArguments], Value]:
    def read(op: OperatorArguments) -> Value:
        node = operations.reduce(operation, image_input(op), (1, 2), op.name, keep=True)
        return Value(node, _IMAGE_AXES)

    return read


LAYER_READERS: dict[str, Callable[[OperatorArguments], Value]] = {
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Conv": _convolution,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_pool(Operation.REDUCE_MEAN),
    "GlobalMaxPool": _global_pool(Operation.REDUCE_MAX),
    "MatMul": _matmul,
    "MaxPool": _max_pool,
}
