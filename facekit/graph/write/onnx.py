"""A graph as an ONNX file for any batch, of ONNX's own operators.

Input and output are as the graph has them, pictures (N, height, width, channels), with an open
batch; inside, the order is ONNX's own, channels first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.graph import NO_PADS, OPEN, Coordinates, Graph, Node, Operation, Window
from facekit.graph.write.onnx_file import LINEAR, POOLED, TO_FIRST, TO_LAST, OnnxFile

_TO_THE_END = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class OnnxGraph:
    """A model that is not on the disk yet."""

    model: Any
    """onnx.ModelProto, float32, checked"""
    activations: dict[str, str]
    """the tensor that each node of the graph became, by its key; see
    facekit/graph/activations.py"""


def to_onnx(graph: Graph, *, producer: str = "facekit") -> OnnxGraph:
    """The same bytes for the same graph.

    Raises ModelBuildError for what does not work for any batch, naming the node, and
    MissingExtraError without onnx.
    """
    graph = _with_pads_inside(graph)
    file = OnnxFile(graph)
    for node in graph.nodes:
        if any(one.shape[:1] not in ((1,), (OPEN,)) for one in (node, *node.inputs)):
            raise ModelBuildError(f"{node.name}: its first side must be the pictures'.")
        _WRITERS[node.operation](file, node)
    model = file.packed(graph, producer)
    errors = file.onnx.checker.ValidationError, file.onnx.shape_inference.InferenceError
    try:
        file.onnx.checker.check_model(model, full_check=True)
    except errors as error:
        raise ModelBuildError(
            f"The ONNX graph made of {graph.name} is not valid: {error}"
        ) from error
    keys = {node.name: f"output_{place}" for place, node in enumerate(graph.outputs)}
    made = {keys.get(name, name): tensor for name, tensor in file.made.items()}
    return OnnxGraph(model, {key: made[key] for key in made if key not in file.inputs})


def _with_pads_inside(graph: Graph) -> Graph:
    """Zeros around a picture as the convolution's own, which LiteRT has as an operator."""

    def change(node: Node) -> Node:
        pad, window = next(iter(node.inputs), node), node.window
        inside = node.operation is Operation.CONVOLUTION and window.pads is not None
        if not inside or pad.operation is not Operation.PAD or pad.numbers:
            return node
        both = (window.pads or NO_PADS, pad.window.pads or NO_PADS)
        top, left, bottom, right = (a + b for a, b in zip(*both, strict=True))
        window = replace(window, pads=(top, left, bottom, right))
        return replace(node, inputs=pad.inputs, window=window)

    return graph.rewritten(change)


def _input(file: OnnxFile, node: Node) -> None:
    file.given(node)


def _convolution(file: OnnxFile, node: Node) -> None:
    kernel, name = node.weights["kernel"], file.given(node, first=True).removesuffix(LINEAR)
    inputs = [
        file.tensor(node.inputs[0], first=True),
        file.constant(f"{name}/kernel", kernel.transpose(3, 2, 0, 1)),  # (out, in, rows, columns)
        *_bias(file, node, name),
    ]
    groups = node.inputs[0].shape[3] // kernel.shape[2]
    settings = {"group": groups} if groups > 1 else {}
    settings |= _slid(node.window, dilations=node.window.dilation)
    file.node("Conv", inputs, node, first=True, **settings)


def _dense(file: OnnxFile, node: Node) -> None:
    (x,), kernel = node.inputs, node.weights["kernel"]
    name = file.given(node).removesuffix(LINEAR)
    if len(x.shape) == 2:
        weights = [file.constant(f"{name}/kernel", kernel.T), *_bias(file, node, name)]
        file.node("Gemm", [file.tensor(x), *weights], node, transB=1)
        return
    inputs = [file.tensor(x), file.constant(f"{name}/kernel", kernel)]
    if "bias" not in node.weights:
        file.node("MatMul", inputs, node)
        return
    product = file.step("MatMul", inputs, f"{file.given(node)}/product")
    file.node("Add", [product, *_bias(file, node, name)], node)


def _bias(file: OnnxFile, node: Node, name: str) -> list[str]:
    has = "bias" in node.weights
    return [file.constant(f"{name}/bias", node.weights["bias"])] if has else []


def _batch_norm(file: OnnxFile, node: Node) -> None:
    weights = {"gamma": np.ones_like(node.weights["beta"])} | dict(node.weights)
    first = len(node.shape) == 4
    inputs = [file.tensor(node.inputs[0], first=first)]
    for role in ("gamma", "beta", "mean", "variance"):
        inputs.append(file.constant(f"{node.name}/{role}", weights[role]))
    epsilon = node.numbers["epsilon"]
    file.node("BatchNormalization", inputs, node, first=first, epsilon=epsilon)


def _plain(kind: str, **settings: Any) -> Callable[[OnnxFile, Node], None]:
    """Number by number, of one or two nodes, in either order; with a constant or a slope."""

    def write(file: OnnxFile, node: Node) -> None:
        first = file.is_first(node.inputs)
        inputs = [file.tensor(one, first=first) for one in node.inputs]
        for role, weight in node.weights.items():
            name = "operand_1" if role == "constant" else role
            inputs.append(
                file.constant(f"{file.given(node, first=first)}/{name}", _sides(weight, first))
            )
        file.node(kind, inputs, node, first=first, **settings)

    return write


def _sides(weight: NDArray[Any], first: bool) -> NDArray[Any]:
    """One number a channel, or as many sides as a picture."""
    if not first or weight.ndim == 0:
        return weight
    return weight.reshape(-1, 1, 1) if weight.ndim == 1 else weight.transpose(TO_FIRST)


def _leaky_relu(file: OnnxFile, node: Node) -> None:
    _plain("LeakyRelu", alpha=node.numbers["slope"])(file, node)


def _relu6(file: OnnxFile, node: Node) -> None:
    bounds = {"min": np.float32(0), "max": np.float32(6)}
    _plain("Clip")(file, replace(node, weights={a: np.asarray(b) for a, b in bounds.items()}))


def _power(file: OnnxFile, node: Node) -> None:
    exponent = node.numbers["exponent"]
    kind = {0.5: "Sqrt", -1: "Reciprocal"}.get(exponent)
    if kind is None:
        node = replace(node, weights={"exponent": np.float32([exponent])})
    _plain(kind or "Pow")(file, node)


def _over_channels(kind: str, **settings: Any) -> Callable[[OnnxFile, Node], None]:
    def write(file: OnnxFile, node: Node) -> None:
        axis = 1 if file.is_first(node.inputs) else len(node.shape) - 1
        _plain(kind, axis=axis, **settings)(file, node)

    return write


def _pad(file: OnnxFile, node: Node) -> None:
    top, left, bottom, right = node.window.pads or NO_PADS
    first = file.is_first(node.inputs)
    sides = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int64)
    pads = sides[list(TO_FIRST)] if first else sides
    name = file.given(node, first=first)
    inputs = [
        file.tensor(node.inputs[0], first=first),
        file.constant(f"{name}/pads", pads.T.ravel()),
    ]
    if "value" in node.numbers:
        inputs.append(file.constant(f"{name}/value", np.float32(node.numbers["value"])))
    file.node("Pad", inputs, node, first=first)


def _pool(kind: str) -> Callable[[OnnxFile, Node], None]:
    def write(file: OnnxFile, node: Node) -> None:
        inputs = [file.tensor(node.inputs[0], first=True)]
        file.node(kind, inputs, node, first=True, **_slid(node.window))

    return write


def _slid(window: Window, **settings: Any) -> dict[str, Any]:
    """TensorFlow and ONNX both put the odd pixel of SAME at the end."""
    settings |= {"kernel_shape": window.size, "strides": window.stride}
    if window.pads is None or window.pads == NO_PADS:
        return settings | {"auto_pad": "VALID" if window.pads else "SAME_UPPER"}
    return settings | {"pads": window.pads}


def _reduction(kind: str) -> Callable[[OnnxFile, Node], None]:
    def write(file: OnnxFile, node: Node) -> None:
        (x,), axes = node.inputs, node.integers["axes"]
        kept = len(node.shape) == len(x.shape)
        if 0 in axes:
            raise ModelBuildError(f"{node.name} puts pictures together.")
        if kind == "ReduceMean" and len(x.shape) == 4 and axes == (1, 2):
            # The global average pooling is what ONNX quantizes as one operator.
            inputs = [file.tensor(x, first=True)]
            if kept:
                file.node("GlobalAveragePool", inputs, node, first=True)
            else:
                pooled = file.step("GlobalAveragePool", inputs, file.given(node) + POOLED)
                file.node("Flatten", [pooled], node, axis=1)
            return
        first = kept and file.is_first(node.inputs)
        axes = tuple(TO_LAST[axis] for axis in axes) if first else axes
        inputs, settings = [file.tensor(x, first=first)], {"axes": axes}
        if kind == "ReduceSum":
            name = f"{file.given(node, first=first)}/axes"
            inputs.append(file.constant(name, np.array(axes, np.int64)))
            settings = {}
        file.node(kind, inputs, node, first=first, keepdims=int(kept), **settings)

    return write


def _reshape(file: OnnxFile, node: Node) -> None:
    (x,) = node.inputs
    if len(node.shape) == 2:
        if len(x.shape) == 4 and x.shape[1:3] == (1, 1):
            file.node("Flatten", [file.tensor(x, first=file.is_first([x]))], node, axis=1)
        else:
            file.node("Flatten", [file.tensor(x)], node, axis=1)
        return
    sides = np.array([0 if OPEN in node.shape[1:] else OPEN, *node.shape[1:]], np.int64)
    shape = file.constant(f"{file.given(node)}/shape", sides)
    file.node("Reshape", [file.tensor(x), shape], node)


def _transpose(file: OnnxFile, node: Node) -> None:
    (x,), order = node.inputs, node.integers["order"]
    if order[0] != 0:
        raise ModelBuildError(f"{node.name} moves the side of the pictures.")
    first = file.is_first([x])
    perm = [TO_LAST[place] for place in order] if first else order
    file.node("Transpose", [file.tensor(x, first=first)], node, perm=perm)


def _concatenate(file: OnnxFile, node: Node) -> None:
    first, (axis,) = file.is_first(node.inputs), node.integers["axis"]
    if axis == 0:
        raise ModelBuildError(f"{node.name} puts pictures together.")
    inputs = [file.tensor(one, first=first) for one in node.inputs]
    file.node("Concat", inputs, node, first=first, axis=TO_LAST[axis] if first else axis)


def _slice(file: OnnxFile, node: Node) -> None:
    (x,), integers = node.inputs, node.integers
    begins, ends, steps = (integers[which] for which in ("begin", "end", "step"))
    if (begins[0], steps[0]) != (0, 1):
        raise ModelBuildError(f"{node.name} leaves pictures out.")
    first = file.is_first(node.inputs)
    name, rank = file.given(node, first=first), len(x.shape)
    axes = [TO_LAST[axis] if first else axis for axis in range(1, rank)]
    ends = tuple(_TO_THE_END if end == OPEN else end for end in ends)
    inputs = [file.tensor(x, first=first)]
    for role, numbers in (
        ("begin", begins[1:]),
        ("end", ends[1:]),
        ("axes", axes),
        ("step", steps[1:]),
    ):
        inputs.append(file.constant(f"{name}/{role}", np.array(numbers, np.int64)))
    file.node("Slice", inputs, node, first=first)


def _broadcast(file: OnnxFile, node: Node) -> None:
    sides = np.array([1, *node.shape[1:]], np.int64)
    shape = file.constant(f"{file.given(node)}/shape", sides)
    file.node("Expand", [file.tensor(node.inputs[0]), shape], node)


_COORDINATES = {
    Coordinates.ASYMMETRIC: "asymmetric",
    Coordinates.HALF_PIXEL: "half_pixel",
    Coordinates.ALIGN_CORNERS: "align_corners",
}


def _resize(mode: str) -> Callable[[OnnxFile, Node], None]:
    def write(file: OnnxFile, node: Node) -> None:
        (x,), resizing = node.inputs, node.resizing
        name, picture = file.given(node, first=True), file.tensor(x, first=True)
        asymmetric = resizing.coordinates is Coordinates.ASYMMETRIC
        settings = {
            "mode": mode,
            "coordinate_transformation_mode": _COORDINATES[resizing.coordinates],
            "nearest_mode": "floor" if asymmetric else "round_prefer_ceil",
        }
        if resizing.factors is not None:
            scales = file.constant(
                f"{name}/scales", np.array([1, 1, *resizing.factors], np.float32)
            )
            file.node("Resize", [picture, "", scales], node, first=True, **settings)
            return
        unchanged = file.step("Shape", [picture], f"{name}/unchanged", start=0, end=2)
        size = file.constant(f"{name}/size", np.array(node.shape[1:3], np.int64))
        sizes = file.step("Concat", [unchanged, size], f"{name}/sizes", axis=0)
        file.node("Resize", [picture, "", "", sizes], node, first=True, **settings)

    return write


_WRITERS: dict[Operation, Callable[[OnnxFile, Node], None]] = {
    Operation.INPUT: _input,
    Operation.CONVOLUTION: _convolution,
    Operation.DENSE: _dense,
    Operation.BATCH_NORM: _batch_norm,
    Operation.ADD: _plain("Add"),
    Operation.MULTIPLY: _plain("Mul"),
    Operation.MAXIMUM: _plain("Max"),
    Operation.MINIMUM: _plain("Min"),
    Operation.SUBTRACT: _plain("Sub"),
    Operation.DIVIDE: _plain("Div"),
    Operation.POWER: _power,
    Operation.RELU: _plain("Relu"),
    Operation.RELU6: _relu6,
    Operation.PRELU: _plain("PRelu"),
    Operation.LEAKY_RELU: _leaky_relu,
    Operation.ELU: _plain("Elu", alpha=1.0),
    Operation.SIGMOID: _plain("Sigmoid"),
    Operation.HARD_SWISH: _plain("HardSwish"),
    Operation.SOFTMAX: _over_channels("Softmax"),
    Operation.UNIT_LENGTH: _over_channels("LpNormalization", p=2),
    Operation.PAD: _pad,
    Operation.MAX_POOL: _pool("MaxPool"),
    Operation.AVERAGE_POOL: _pool("AveragePool"),
    Operation.MEAN: _reduction("ReduceMean"),
    Operation.SUM: _reduction("ReduceSum"),
    Operation.GREATEST: _reduction("ReduceMax"),
    Operation.RESHAPE: _reshape,
    Operation.TRANSPOSE: _transpose,
    Operation.CONCATENATE: _concatenate,
    Operation.SLICE: _slice,
    Operation.BROADCAST: _broadcast,
    Operation.RESIZE_NEAREST: _resize("nearest"),
    Operation.RESIZE_BILINEAR: _resize("linear"),
}
