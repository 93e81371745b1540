"""Converts a graph to an ONNX model with a dynamic batch that uses only ONNX's standard operators.

Inputs and outputs keep the graph's layout: images are (N, height, width, channels).  Inside the
model images are (N, channels, height, width), as ONNX's operators require.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph.graph import DYNAMIC, NO_PADS, Graph, Node, Operation, Window
from facekit.graph.names import LINEAR
from facekit.graph.write.onnx_elementwise import ELEMENTWISE_WRITERS, elementwise
from facekit.graph.write.onnx_file import POOLED, TO_LAST, OnnxFile, Writer
from facekit.graph.write.onnx_moves import DATA_MOVEMENT_WRITERS


@dataclass(frozen=True, slots=True, eq=False)
class OnnxGraph:
    """An ONNX model in memory."""

    model: Any
    """The onnx.ModelProto, in float32, which has passed ONNX's checker."""
    activations: dict[str, str]
    """The tensor name of each node's output except the graph's inputs, by activation key; see
    facekit/graph/activations.py."""


def to_onnx(graph: Graph, *, producer: str = "facekit") -> OnnxGraph:
    """Converts a graph to ONNX.  Equal graphs give equal bytes.

    Raises ModelBuildError if the first axis of a node is not the batch, if a node combines the
    images of a batch, or if ONNX's checker rejects the model, and MissingExtraError if the package
    onnx is not installed.
    """
    graph = _merge_pads(graph)
    file = OnnxFile(graph)
    for node in graph.nodes:
        if any(used.shape[:1] not in ((1,), (DYNAMIC,)) for used in (node, *node.inputs)):
            raise ModelBuildError(f"{node.name}: its first axis must be the batch.")
        WRITERS[node.operation](file, node)
    model = file.to_model(graph, producer)
    errors = file.onnx.checker.ValidationError, file.onnx.shape_inference.InferenceError
    try:
        file.onnx.checker.check_model(model, full_check=True)
    except errors as error:
        raise ModelBuildError(
            f"The ONNX graph made of {graph.name} is not valid: {error}"
        ) from error
    keys = {node.name: f"output_{index}" for index, node in enumerate(graph.outputs)}
    tensors = {keys.get(name, name): tensor for name, tensor in file.operator_outputs.items()}
    return OnnxGraph(model, {key: tensors[key] for key in tensors if key not in file.inputs})


def _merge_pads(graph: Graph) -> Graph:
    """Merges each zero padding into the following convolution.

    In a graph that was read from LiteRT, the padding is a separate node.
    """

    def merge_into_convolution(node: Node) -> Node:
        pad, window = next(iter(node.inputs), node), node.window
        can_merge = node.operation is Operation.CONVOLUTION and window.pads is not None
        if not can_merge or pad.operation is not Operation.PAD or pad.float_attributes:
            return node
        pads = (window.pads or NO_PADS, pad.window.pads or NO_PADS)
        top, left, bottom, right = (a + b for a, b in zip(*pads, strict=True))
        window = replace(window, pads=(top, left, bottom, right))
        return replace(node, inputs=pad.inputs, window=window)

    return graph.rewrite(merge_into_convolution)


def _input(file: OnnxFile, node: Node) -> None:
    file.name_output(node)


def _convolution(file: OnnxFile, node: Node) -> None:
    kernel, name = (
        node.weights["kernel"],
        file.name_output(node, channels_first=True).removesuffix(LINEAR),
    )
    inputs = [
        file.tensor_in_layout(node.inputs[0], channels_first=True),
        file.add_constant(
            f"{name}/kernel", kernel.transpose(3, 2, 0, 1)
        ),  # (out, in, rows, columns)
        *_bias(file, node, name),
    ]
    groups = node.inputs[0].shape[3] // kernel.shape[2]
    attributes = {"group": groups} if groups > 1 else {}
    attributes |= _window_attributes(node.window, dilations=node.window.dilation)
    file.add_node("Conv", inputs, node, channels_first=True, **attributes)


def _dense(file: OnnxFile, node: Node) -> None:
    (x,), kernel = node.inputs, node.weights["kernel"]
    name = file.name_output(node).removesuffix(LINEAR)
    if len(x.shape) == 2:
        weights = [file.add_constant(f"{name}/kernel", kernel.T), *_bias(file, node, name)]
        file.add_node("Gemm", [file.tensor_in_layout(x), *weights], node, transB=1)
        return
    inputs = [file.tensor_in_layout(x), file.add_constant(f"{name}/kernel", kernel)]
    if "bias" not in node.weights:
        file.add_node("MatMul", inputs, node)
        return
    product = file.add_operator("MatMul", inputs, f"{file.name_output(node)}/product")
    file.add_node("Add", [product, *_bias(file, node, name)], node)


def _bias(file: OnnxFile, node: Node, name: str) -> list[str]:
    has = "bias" in node.weights
    return [file.add_constant(f"{name}/bias", node.weights["bias"])] if has else []


def _batch_norm(file: OnnxFile, node: Node) -> None:
    weights = {"gamma": np.ones_like(node.weights["beta"])} | dict(node.weights)
    is_image = len(node.shape) == 4
    inputs = [file.tensor_in_layout(node.inputs[0], channels_first=is_image)]
    for role in ("gamma", "beta", "mean", "variance"):
        inputs.append(file.add_constant(f"{node.name}/{role}", weights[role]))
    epsilon = node.float_attributes["epsilon"]
    file.add_node("BatchNormalization", inputs, node, channels_first=is_image, epsilon=epsilon)


def _over_channels(kind: str, **attributes: Any) -> Writer:
    def write(file: OnnxFile, node: Node) -> None:
        axis = 1 if file.is_channels_first(node.inputs) else len(node.shape) - 1
        elementwise(kind, axis=axis, **attributes)(file, node)

    return write


def _pool(kind: str) -> Writer:
    def write(file: OnnxFile, node: Node) -> None:
        inputs = [file.tensor_in_layout(node.inputs[0], channels_first=True)]
        file.add_node(kind, inputs, node, channels_first=True, **_window_attributes(node.window))

    return write


def _window_attributes(window: Window, **attributes: Any) -> dict[str, Any]:
    """Returns the attributes of a window.

    Both in TensorFlow and in ONNX, "SAME" adds the odd row or column at the end.
    """
    attributes |= {"kernel_shape": window.size, "strides": window.stride}
    if window.pads is None or window.pads == NO_PADS:
        return attributes | {"auto_pad": "VALID" if window.pads else "SAME_UPPER"}
    return attributes | {"pads": window.pads}


def _reduction(kind: str) -> Writer:
    def write(file: OnnxFile, node: Node) -> None:
        (x,), axes = node.inputs, node.int_attributes["axes"]
        keeps_axes = len(node.shape) == len(x.shape)
        if 0 in axes:
            raise ModelBuildError(f"{node.name} combines the images of a batch.")
        if kind == "ReduceMean" and len(x.shape) == 4 and axes == (1, 2):
            # ONNX's quantizer handles GlobalAveragePool as one operator.
            inputs = [file.tensor_in_layout(x, channels_first=True)]
            if keeps_axes:
                file.add_node("GlobalAveragePool", inputs, node, channels_first=True)
            else:
                pooled = file.add_operator(
                    "GlobalAveragePool", inputs, file.name_output(node) + POOLED
                )
                file.add_node("Flatten", [pooled], node, axis=1)
            return
        channels_first = keeps_axes and file.is_channels_first(node.inputs)
        axes = tuple(TO_LAST[axis] for axis in axes) if channels_first else axes
        inputs, attributes = (
            [file.tensor_in_layout(x, channels_first=channels_first)],
            {"axes": axes},
        )
        if kind == "ReduceSum":
            name = f"{file.name_output(node, channels_first=channels_first)}/axes"
            inputs.append(file.add_constant(name, np.array(axes, np.int64)))
            attributes = {}
        file.add_node(
            kind,
            inputs,
            node,
            channels_first=channels_first,
            keepdims=int(keeps_axes),
            **attributes,
        )

    return write


WRITERS: dict[Operation, Writer] = {
    **DATA_MOVEMENT_WRITERS,
    **ELEMENTWISE_WRITERS,
    Operation.INPUT: _input,
    Operation.CONVOLUTION: _convolution,
    Operation.DENSE: _dense,
    Operation.BATCH_NORM: _batch_norm,
    Operation.SOFTMAX: _over_channels("Softmax"),
    Operation.UNIT_LENGTH: _over_channels("LpNormalization", p=2),
    Operation.MAX_POOL: _pool("MaxPool"),
    Operation.AVERAGE_POOL: _pool("AveragePool"),
    Operation.REDUCE_MEAN: _reduction("ReduceMean"),
    Operation.REDUCE_SUM: _reduction("ReduceSum"),
    Operation.REDUCE_MAX: _reduction("ReduceMax"),
}
