"""A facekit graph as a PyTorch module: the operations of facekit's embedding networks.

`compare` compares the module's embeddings with those of LiteRT or ONNX Runtime.

Images have channels first, and lie in memory with channels last.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.fx
import torch.nn.functional as functional

from facekit.errors import MissingExtraError, ModelBuildError
from facekit.graph.graph import NO_PADS, Graph, Node, Operation
from facekit.graph.operations import same_pads
from facekit.types import Float32Array

COMPARED = 4
ALLOWED = 1e-5
"""The largest cosine distance between two embeddings of one image by two runtimes in float32."""
_TO_FIRST = (0, 3, 1, 2)
_TO_LAST = (0, 2, 3, 1)


def to_torch(graph: Graph) -> Any:
    """Returns a torch.fx.GraphModule, (N, channels, height, width) -> (N, embedding size).

    Its weights are float32 buffers, so that no gradients are tracked.  Raises ModelBuildError,
    which names the node, for an operation or a setting that is not supported.
    """
    names, builder = ", ".join(one.value for one in _CONVERTERS), _Builder()
    for node in graph.nodes:
        _require(node.operation in _CONVERTERS, node, f"one of {names}")
        builder.values[node.name] = _CONVERTERS[node.operation](builder, node)
    builder.code.output(builder.values[graph.outputs[0].name])
    module: Any = torch.fx.GraphModule(builder.root, builder.code)
    return module.eval().to(memory_format=torch.channels_last)


class _Builder:
    """The module while it is put together, node by node."""

    def __init__(self) -> None:
        self.root = torch.nn.Module()
        self.code = torch.fx.Graph()
        self.values: dict[str, Any] = {}
        """The torch.fx.Node of each graph node's output, by the graph node's name."""

    def call(self, function: Callable[..., Any], node: Node, *arguments: Any) -> Any:
        """Adds a call of `function` with the inputs of `node`, then `arguments`."""
        inputs = (self.values[used.name] for used in node.inputs)
        return self.code.call_function(function, (*inputs, *arguments))

    def weight(self, values: Float32Array) -> Any:
        name = f"weight_{len(list(self.root.buffers()))}"
        self.root.register_buffer(name, torch.from_numpy(np.array(values)))
        return self.code.get_attr(name)

    def optional(self, node: Node, role: str) -> Any:
        return self.weight(node.weights[role]) if role in node.weights else None


def _input(net: _Builder, _node: Node) -> Any:
    return net.code.placeholder("image")


def _convolution(net: _Builder, node: Node) -> Any:
    (x,), window, kernel = node.inputs, node.window, node.weights["kernel"]
    top, left, bottom, right = window.pads or same_pads(x.shape, window)
    pads, padded = (top, left), net.values[x.name]
    if pads != (bottom, right):  # PyTorch's convolution pads both sides alike
        around, pads = (left, right, top, bottom), (0, 0)
        padded = net.call(functional.pad, node, around)
    weights = net.weight(kernel.transpose(3, 2, 0, 1)), net.optional(node, "bias")
    settings = window.stride, pads, window.dilation, x.shape[3] // kernel.shape[2]
    return net.code.call_function(functional.conv2d, (padded, *weights, *settings))


def _dense(net: _Builder, node: Node) -> Any:
    kernel = net.weight(node.weights["kernel"].T)
    return net.call(functional.linear, node, kernel, net.optional(node, "bias"))


def _batch_norm(net: _Builder, node: Node) -> Any:
    weights = (net.optional(node, role) for role in ("mean", "variance", "gamma", "beta"))
    epsilon = node.float_attributes["epsilon"]
    return net.call(functional.batch_norm, node, *weights, False, 0.0, epsilon)


def _binary(function: Callable[..., Any]) -> Callable[[_Builder, Node], Any]:
    def convert(net: _Builder, node: Node) -> Any:
        ranks = {len(used.shape) for used in node.inputs}
        _require(len(ranks) == 1, node, "inputs of one rank")
        if "constant" not in node.weights:
            return net.call(function, node)
        constant = node.weights["constant"]
        if ranks == {4}:
            shape = (1,) * (4 - constant.ndim) + constant.shape
            constant = constant.reshape(shape).transpose(_TO_FIRST)
        return net.call(function, node, net.weight(constant))

    return convert


def _relu(net: _Builder, node: Node) -> Any:
    return net.call(functional.relu, node)


def _prelu(net: _Builder, node: Node) -> Any:
    return net.call(functional.prelu, node, net.weight(node.weights["slope"]))


def _pad(net: _Builder, node: Node) -> Any:
    top, left, bottom, right = node.window.pads or NO_PADS
    around, value = (left, right, top, bottom), node.float_attributes.get("value", 0.0)
    return net.call(functional.pad, node, around, "constant", value)


def _max_pool(net: _Builder, node: Node) -> Any:
    _require(node.window.pads == NO_PADS, node, "a window without pads")
    return net.call(functional.max_pool2d, node, node.window.size, node.window.stride)


def _mean(net: _Builder, node: Node) -> Any:
    is_valid = node.int_attributes["axes"] == (1, 2) and len(node.shape) == 2
    _require(is_valid, node, "a mean over height and width, to a vector")
    return net.call(torch.mean, node, (2, 3))


def _reshape(net: _Builder, node: Node) -> Any:
    shape, (x,) = node.shape, node.inputs
    is_valid = len(x.shape) == 4 and len(shape) == 2 and shape[0] == x.shape[0]
    _require(is_valid, node, "an image to flatten")
    last = net.call(torch.permute, node, _TO_LAST)
    return net.code.call_function(torch.reshape, (last, (-1, shape[1])))


def _concatenate(net: _Builder, node: Node) -> Any:
    (axis,) = node.int_attributes["axis"]
    inputs = [net.values[used.name] for used in node.inputs]
    return net.code.call_function(torch.cat, (inputs, _TO_LAST[axis]))


def _require(condition: bool, node: Node, needed: str) -> None:
    if not condition:
        shapes = [used.shape for used in node.inputs]
        raise ModelBuildError(
            f"Conversion to PyTorch needs {needed}. Received: {node}, its inputs {shapes}."
        )


_CONVERTERS: dict[Operation, Callable[[_Builder, Node], Any]] = {
    Operation.INPUT: _input,
    Operation.CONVOLUTION: _convolution,
    Operation.DENSE: _dense,
    Operation.BATCH_NORM: _batch_norm,
    Operation.ADD: _binary(torch.add),
    Operation.MULTIPLY: _binary(torch.mul),
    Operation.RELU: _relu,
    Operation.PRELU: _prelu,
    Operation.PAD: _pad,
    Operation.MAX_POOL: _max_pool,
    Operation.REDUCE_MEAN: _mean,
    Operation.RESHAPE: _reshape,
    Operation.CONCATENATE: _concatenate,
}


def compare(
    path: Path | None, graph: Graph, images: Float32Array, ours: Float32Array
) -> dict[str, Any]:
    """Returns how far `ours`, (N, D), lies from another runtime's embeddings of the images."""
    for title, embed in (("LiteRT", _by_litert), ("ONNX Runtime", _by_onnx_runtime)):
        try:
            theirs = embed(path, graph, images)
        except (ImportError, MissingExtraError):
            continue
        return {
            "compared_with": title,
            "cosine_distance": float(1 - cosines(ours, theirs).min()),
            "cosine_distance_of_two_images": float(1 - cosines(ours, np.roll(ours, 1, 0)).max()),
        }
    return {"compared_with": "nothing: neither LiteRT nor ONNX Runtime is installed"}


def _by_litert(path: Path | None, graph: Graph, images: Float32Array) -> Float32Array:
    from facekit.graph.write.litert import to_litert
    from facekit.runtime.litert import LiteRtNet

    with tempfile.TemporaryDirectory() as folder:
        if path is None or path.suffix == ".onnx":
            path = Path(folder) / "net.tflite"
            path.write_bytes(to_litert(graph))
        return LiteRtNet(path).run(images)[0]


def _by_onnx_runtime(_path: Path | None, graph: Graph, images: Float32Array) -> Float32Array:
    from facekit.graph.write.onnx import to_onnx
    from facekit.runtime.onnx import OnnxNet

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        path.write_bytes(to_onnx(graph).model.SerializeToString())
        return OnnxNet(path).run(images)[0]


def cosines(some: Float32Array, others: Float32Array) -> Any:
    """Row by row, in float64: (N, D) and (N, D) -> (N,)."""
    a, b = some.astype(np.float64), others.astype(np.float64)
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
