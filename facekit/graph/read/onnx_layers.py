"""ONNX's operators that have weights, or that go over a picture in windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph import moves, operations
from facekit.graph.checks import known
from facekit.graph.graph import NO_PADS, OPEN, Node, Operation, Pads, Window
from facekit.graph.operations import same_pads
from facekit.graph.read.onnx_settings import Arguments, Settings
from facekit.graph.read.onnx_shapes import channels_last, plain
from facekit.graph.read.onnx_values import Constant, Value

_PICTURE = channels_last(4)


def picture(given: Arguments, place: int = 0) -> Node:
    value = given.data(place)
    if len(value.axes) != 4:
        raise ModelBuildError(f"{given.name}: a picture needed. Received: shape {value.shape}.")
    return given.arranger.arranged(value, _PICTURE)


def with_channels(given: Arguments) -> Value:
    """The first input with its channels, ONNX's second side, last."""
    x = given.data(0)
    if x.picture is not None:
        return x
    axes = channels_last(len(x.axes))
    return Value(given.arranger.arranged(x, axes), axes)


def _convolution(given: Arguments) -> Value:
    settings = given.settings
    x, kernel = picture(given), given.constant(1)
    if kernel.ndim != 4:
        raise ModelBuildError(f"{given.name}: a picture and a kernel of four sides needed.")
    groups = settings.integer("group", 1)
    if groups * kernel.shape[1] != x.shape[3]:
        raise ModelBuildError(
            f"{given.name}: a kernel for {x.shape[3]} channels in {groups} groups needed. "
            f"Received: shape {kernel.shape}."
        )
    rows, columns = kernel.shape[2:]
    if settings.two("kernel_shape", (rows, columns)) != (rows, columns):
        raise ModelBuildError(f"{given.name}: a kernel_shape of {(rows, columns)} needed.")
    window = Window((rows, columns), settings.two("strides"), settings.two("dilations"))
    node = operations.convolution(
        x,
        kernel.transpose(2, 3, 1, 0),
        given.name,
        bias=given.constant(2) if given.has(2) else None,
        stride=window.stride,
        dilation=window.dilation,
        pads=_pads(settings, x, window),
    )
    return Value(node, _PICTURE)


def _batch_norm(given: Arguments) -> Value:
    settings = given.settings
    settings.require("training_mode", 0)
    settings.pass_over("momentum")
    x = with_channels(given)
    if len(x.axes) > 2:  # vectors have a number each in either way
        settings.require("spatial", 1)
    settings.pass_over("spatial")
    channels = x.node.shape[-1:]
    numbers = [given.constant(place) for place in range(1, 5)]
    for weight in numbers:
        if weight.shape != channels:
            raise ModelBuildError(
                f"{given.name}: one number for each of {channels[0]} channels needed. Received: "
                f"shape {weight.shape}."
            )
    gamma, beta, mean, variance = (_ordered(weight, x) for weight in numbers)
    node = operations.batch_norm(
        x.node,
        given.name,
        gamma=gamma,
        beta=beta,
        mean=mean,
        variance=variance,
        epsilon=settings.number("epsilon", 1e-5),
    )
    return x.with_node(node)


def _ordered(numbers: NDArray[Any], x: Value) -> NDArray[Any]:
    """Rows that are as those of `x` in the file, as those of its node."""
    return numbers if x.order is None else numbers[x.order]


def _gemm(given: Arguments) -> Value:
    settings = given.settings
    settings.require("transA", 0)
    kernel = given.constant(1)
    if settings.integer("transB", 0):
        kernel = kernel.T
    kernel = kernel * np.float32(settings.number("alpha", 1.0))
    beta, bias = np.float32(settings.number("beta", 1.0)), None
    if given.has(2) and kernel.ndim == 2:
        bias = given.constant(2)
        if bias.shape not in ((), (1,), (kernel.shape[1],), (1, kernel.shape[1])):
            raise ModelBuildError(
                f"{given.name}: a bias for {kernel.shape[1]} numbers needed. Received: shape "
                f"{bias.shape}."
            )
        bias = np.broadcast_to(bias.reshape(-1), kernel.shape[1:]) * beta
    return _dense(given, kernel, bias)


def _matmul(given: Arguments) -> Value:
    return _dense(given, given.constant(1), None)


def _dense(given: Arguments, kernel: Constant, bias: Constant | None) -> Value:
    x = given.data(0)
    if kernel.ndim != 2 or len(x.axes) < 2 or kernel.shape[0] != x.shape[-1]:
        raise ModelBuildError(
            f"{given.name}: a kernel for vectors of shape {x.shape} needed. Received: shape "
            f"{kernel.shape}."
        )
    if x.axes[-1] != len(x.axes) - 1:  # what is multiplied must be last; the others may be turned
        x = Value(given.arranger.arranged(x, plain(len(x.axes))), plain(len(x.axes)))
    node = operations.dense(x.node, _ordered(kernel, x), given.name, bias=bias)
    return Value(node, x.axes)


def _max_pool(given: Arguments) -> Value:
    given.settings.require("storage_order", 0)
    x, window = picture(given), _window(given)
    node = operations.max_pool(
        x,
        window.size,
        given.name,
        stride=window.stride,
        pads=_pads(given.settings, x, window),
    )
    return Value(node, _PICTURE)


def _average_pool(given: Arguments) -> Value:
    x, window = picture(given), _window(given)
    counts_pads = given.settings.integer("count_include_pad", 0)
    pads = _pads(given.settings, x, window)
    if counts_pads and pads != NO_PADS:
        # What the file pads with counts as zeros; what rounding up adds at the end does not.
        said = _said_pads(given.settings, x, window)
        if said is None:
            if not known(x.shape):
                raise ModelBuildError(f"{given.name}: pads that count need known sides.")
            said = same_pads(x.shape, window)
        if said != NO_PADS:
            x = moves.pad(x, said, f"{given.name}/padded")
        top, left, bottom, right = (a - b for a, b in zip(pads or said, said, strict=True))
        pads = (top, left, bottom, right)
    node = operations.average_pool(x, window.size, given.name, stride=window.stride, pads=pads)
    return Value(node, _PICTURE)


def _window(given: Arguments) -> Window:
    settings = given.settings
    if settings.two("dilations") != (1, 1):
        raise ModelBuildError(f"{given.name}: a pool without dilation needed.")
    if not settings.has("kernel_shape"):
        raise ModelBuildError(f"{given.name} must have the attribute kernel_shape.")
    return Window(settings.two("kernel_shape"), settings.two("strides"))


def _pads(settings: Settings, x: Node, window: Window) -> Pads | None:
    """What is around a picture when the window goes over it: also the rows and columns that
    ceil_mode adds at the end."""
    pads = _said_pads(settings, x, window)
    if settings.integer("ceil_mode", 0) != 1 or pads is None:
        return pads
    wider = list(pads)
    for place in (0, 1):
        side, size, step = x.shape[1 + place], window.size[place], window.stride[place]
        if side == OPEN:
            raise ModelBuildError(f"{settings.name}: ceil_mode needs a picture of known sides.")
        first, last = pads[place], pads[2 + place]
        times = -(-(side + first + last - size) // step)
        if times * step >= side + first:  # a window that would begin behind the picture
            times -= 1
        wider[2 + place] = max(times * step + size - side - first, last)
    top, left, bottom, right = wider
    return top, left, bottom, right


def _said_pads(settings: Settings, x: Node, window: Window) -> Pads | None:
    kind = settings.text("auto_pad", "NOTSET")
    top, left, bottom, right = settings.integers("pads", NO_PADS, least=0)
    if kind == "NOTSET":
        return top, left, bottom, right
    if kind == "VALID":
        return NO_PADS
    if any(step > size + 1 for step, size in zip(window.stride, window.size, strict=True)):
        raise ModelBuildError(
            f"{settings.name}: padding {kind} of a window of {window.size} is not known for "
            f"strides of {window.stride}, which pass over pixels."
        )
    if kind == "SAME_UPPER":
        return None
    if kind == "SAME_LOWER" and known(x.shape):
        top, left, bottom, right = same_pads(x.shape, window)
        return bottom, right, top, left
    raise ModelBuildError(f"{settings.name}: padding {kind} is not known.")


def _global_pool(operation: Operation) -> Callable[[Arguments], Value]:
    def make(given: Arguments) -> Value:
        node = operations.reduced(operation, picture(given), (1, 2), given.name, keep=True)
        return Value(node, _PICTURE)

    return make


LAYERS: dict[str, Callable[[Arguments], Value]] = {
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Conv": _convolution,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_pool(Operation.MEAN),
    "GlobalMaxPool": _global_pool(Operation.GREATEST),
    "MatMul": _matmul,
    "MaxPool": _max_pool,
}
