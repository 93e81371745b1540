"""A graph as an ONNX file for any batch, of ONNX's own operators.

Input and output are as the graph has them, pictures (N, height, width, channels), with an open
batch; inside, the order is ONNX's own, channels first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.activations import LINEAR
from facekit.graph.graph import NO_PADS, OPEN, Graph, Node, Operation, Window
from facekit.graph.write.onnx_file import ABOVE, POOLED, TO_FIRST, TO_LAST, OnnxFile, Writer
from facekit.graph.write.onnx_moves import MOVES


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
        WRITERS[node.operation](file, node)
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


def plain(kind: str, **settings: Any) -> Writer:
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


def _prelu(file: OnnxFile, node: Node) -> None:
    """a x + (1 - a) relu(x): ONNX Runtime runs SFace in half of the time that it takes with PRelu,
    which ends the memory layout that its convolutions share."""
    first, slope = file.is_first(node.inputs), node.weights["slope"]
    x, name = file.tensor(node.inputs[0], first=first), file.given(node, first=first)
    above = file.step("Relu", [x], name + ABOVE)
    parts = []
    for role, given, factor in (("slope", x, slope), ("rest", above, np.float32(1) - slope)):
        constant = file.constant(f"{name}/{role}", _sides(factor, first))
        parts.append(file.step("Mul", [given, constant], f"{name}/by_{role}"))
    file.node("Add", parts, node, first=first)


def _leaky_relu(file: OnnxFile, node: Node) -> None:
    plain("LeakyRelu", alpha=node.numbers["slope"])(file, node)


def _relu6(file: OnnxFile, node: Node) -> None:
    bounds = {"min": np.float32(0), "max": np.float32(6)}
    plain("Clip")(file, replace(node, weights={a: np.asarray(b) for a, b in bounds.items()}))


def _power(file: OnnxFile, node: Node) -> None:
    exponent = node.numbers["exponent"]
    kind = {0.5: "Sqrt", -1: "Reciprocal"}.get(exponent)
    if kind is None:
        node = replace(node, weights={"exponent": np.full(1, exponent, np.float32)})
    plain(kind or "Pow")(file, node)


def _over_channels(kind: str, **settings: Any) -> Writer:
    def write(file: OnnxFile, node: Node) -> None:
        axis = 1 if file.is_first(node.inputs) else len(node.shape) - 1
        plain(kind, axis=axis, **settings)(file, node)

    return write


def _pool(kind: str) -> Writer:
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


def _reduction(kind: str) -> Writer:
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


WRITERS: dict[Operation, Writer] = {
    **MOVES,
    Operation.INPUT: _input,
    Operation.CONVOLUTION: _convolution,
    Operation.DENSE: _dense,
    Operation.BATCH_NORM: _batch_norm,
    Operation.ADD: plain("Add"),
    Operation.MULTIPLY: plain("Mul"),
    Operation.MAXIMUM: plain("Max"),
    Operation.MINIMUM: plain("Min"),
    Operation.SUBTRACT: plain("Sub"),
    Operation.DIVIDE: plain("Div"),
    Operation.POWER: _power,
    Operation.RELU: plain("Relu"),
    Operation.RELU6: _relu6,
    Operation.PRELU: _prelu,
    Operation.LEAKY_RELU: _leaky_relu,
    Operation.ELU: plain("Elu", alpha=1.0),
    Operation.SIGMOID: plain("Sigmoid"),
    Operation.HARD_SWISH: plain("HardSwish"),
    Operation.SOFTMAX: _over_channels("Softmax"),
    Operation.UNIT_LENGTH: _over_channels("LpNormalization", p=2),
    Operation.MAX_POOL: _pool("MaxPool"),
    Operation.AVERAGE_POOL: _pool("AveragePool"),
    Operation.MEAN: _reduction("ReduceMean"),
    Operation.SUM: _reduction("ReduceSum"),
    Operation.GREATEST: _reduction("ReduceMax"),
}
