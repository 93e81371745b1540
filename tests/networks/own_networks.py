"""Small ONNX networks of the kinds that people bring, with random weights.

Written with the package onnx alone, channels first, batch open, as PyTorch's exporter writes them:
names of tensors do not matter to facekit, nor whether a batch norm stands beside its convolution.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from facekit.types import Float32Array

SIDE_PX = 48
EMBEDDING_SIZE = 32


class Writer:
    """Collects the nodes of a network from "picture" on; each method gives a tensor's name."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, values: Any) -> str:
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def weights(self, *shape: int, scale: float = 1.0) -> Float32Array:
        return (scale * self.random.standard_normal(shape)).astype(np.float32)

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name, **attributes))
        return name

    def convolution(
        self,
        x: str,
        channels: int,
        filters: int,
        *,
        size: int = 3,
        stride: int = 1,
        groups: int = 1,
        bias: bool = False,
    ) -> str:
        fan_in = size * size * channels // groups
        kernel = self.weights(
            filters, channels // groups, size, size, scale=float(np.sqrt(2 / fan_in))
        )
        inputs = [self.constant(kernel)]
        inputs += [self.constant(self.weights(filters, scale=0.1))] if bias else []
        pad = size // 2
        return self.op(
            "Conv",
            x,
            *inputs,
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[pad] * 4,
            group=groups,
        )

    def norm(self, x: str, channels: int) -> str:
        numbers = [
            self.random.uniform(0.5, 1.5, channels),
            self.random.normal(0, 0.1, channels),
            self.random.normal(0, 0.1, channels),
            self.random.uniform(0.5, 1.5, channels),
        ]
        named = [self.constant(one.astype(np.float32)) for one in numbers]
        return self.op("BatchNormalization", x, *named, epsilon=1e-5)

    def prelu(self, x: str, channels: int) -> str:
        slope = self.random.uniform(0.1, 0.4, (channels, 1, 1)).astype(np.float32)
        return self.op("PRelu", x, self.constant(slope))

    def head(self, x: str, numbers: int) -> str:
        """Of all pixels, flattened; a batch norm after it, as insightface's networks have."""
        kernel = self.weights(EMBEDDING_SIZE, numbers, scale=float(np.sqrt(1 / numbers)))
        bias = self.constant(self.weights(EMBEDDING_SIZE, scale=0.1))
        x = self.op("Gemm", self.op("Flatten", x, axis=1), self.constant(kernel), bias, transB=1)
        return self.norm(x, EMBEDDING_SIZE)

    def gelu(self, x: str) -> str:
        """As PyTorch's exporter spells it out."""
        root, one, half = (self.constant(np.float32(number)) for number in (2**0.5, 1, 0.5))
        gate = self.op("Add", self.op("Erf", self.op("Div", x, root)), one)
        return self.op("Mul", self.op("Mul", x, gate), half)

    def save(
        self,
        path: Path,
        output: str,
        *,
        sides: tuple[Any, Any] = (SIDE_PX, SIDE_PX),
        numbers: int = EMBEDDING_SIZE,
    ) -> Path:
        """`sides`: height and width; a word leaves one open.  `numbers`: of the output."""
        import onnx
        from onnx import TensorProto, helper

        graph = helper.make_graph(
            self.nodes,
            "own",
            [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["n", 3, *sides])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", numbers])],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        onnx.checker.check_model(model)
        onnx.save(model, path)
        return path


def mobilefacenet(path: Path, *, seed: int = 1) -> Path:
    """Inverted residuals with PReLU, depthwise convolutions, and one over all pixels at the end."""
    w = Writer(seed)
    x = w.prelu(w.norm(w.convolution("picture", 3, 16, stride=2), 16), 16)
    x = w.prelu(w.norm(w.convolution(x, 16, 16, groups=16), 16), 16)
    for channels, filters, stride in ((16, 24, 2), (24, 24, 1), (24, 32, 2)):
        y = w.prelu(w.norm(w.convolution(x, channels, 32, size=1), 32), 32)
        y = w.prelu(w.norm(w.convolution(y, 32, 32, stride=stride, groups=32), 32), 32)
        y = w.norm(w.convolution(y, 32, filters, size=1), filters)
        x = w.op("Add", x, y) if channels == filters and stride == 1 else y
    side = SIDE_PX // 8
    kernel = w.constant(w.weights(32, 1, side, side, scale=1 / side))
    x = w.op("Conv", x, kernel, kernel_shape=[side, side], group=32)
    x = w.norm(w.convolution(w.norm(x, 32), 32, EMBEDDING_SIZE, size=1), EMBEDDING_SIZE)
    return w.save(path, w.op("Flatten", x, axis=1))


def resnet_ir(path: Path, *, seed: int = 2) -> Path:
    """insightface's IResNet: blocks that begin with a batch norm, before a padded convolution."""
    w = Writer(seed)
    x = w.prelu(w.norm(w.convolution("picture", 3, 16), 16), 16)
    for channels, filters, stride in ((16, 16, 2), (16, 16, 1), (16, 32, 2), (32, 32, 2)):
        y = w.norm(w.convolution(w.norm(x, channels), channels, filters), filters)
        y = w.convolution(w.prelu(y, filters), filters, filters, stride=stride)
        y = w.norm(y, filters)
        if (channels, stride) != (filters, 1):
            x = w.norm(w.convolution(x, channels, filters, size=1, stride=stride), filters)
        x = w.op("Add", y, x)
    return w.save(path, w.head(w.norm(x, 32), 32 * (SIDE_PX // 8) ** 2))


def hardswish_se(path: Path, *, seed: int = 3) -> Path:
    """MobileNetV3's blocks: HardSwish, squeeze and excitation by HardSigmoid, a mean at the end."""
    w = Writer(seed)
    x = w.op("HardSwish", w.norm(w.convolution("picture", 3, 16, stride=2), 16))
    for channels, filters, stride in ((16, 16, 2), (16, 24, 2), (24, 24, 1)):
        y = w.op("HardSwish", w.norm(w.convolution(x, channels, 32, size=1), 32))
        y = w.op("Relu", w.norm(w.convolution(y, 32, 32, stride=stride, groups=32), 32))
        squeezed = w.op("GlobalAveragePool", y)
        squeezed = w.op("Relu", w.convolution(squeezed, 32, 8, size=1, bias=True))
        squeezed = w.convolution(squeezed, 8, 32, size=1, bias=True)
        squeezed = w.op("HardSigmoid", squeezed, alpha=1 / 6, beta=0.5)
        y = w.norm(w.convolution(w.op("Mul", y, squeezed), 32, filters, size=1), filters)
        x = w.op("Add", x, y) if channels == filters and stride == 1 else y
    x = w.op("GlobalAveragePool", w.op("HardSwish", w.convolution(x, 24, 48, size=1)))
    return w.save(path, w.head(x, 48))


def normalized(path: Path, *, seed: int = 4) -> Path:
    """Scales pixels itself, (x - 127.5) / 128, and gives embeddings of unit length."""
    w = Writer(seed)
    x = w.op("Sub", "picture", w.constant(np.float32(127.5)))
    x = w.op("Mul", x, w.constant(np.float32(1 / 128)))
    x = w.op("Relu", w.norm(w.convolution(x, 3, 16, stride=2), 16))
    x = w.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = w.op("Relu", w.norm(w.convolution(x, 16, 24, stride=2), 24))
    x = w.head(x, 24 * (SIDE_PX // 8) ** 2)
    length = w.op("ReduceL2", x, axes=[1], keepdims=1)
    length = w.op("Clip", length, w.constant(np.float32(1e-12)))
    return w.save(path, w.op("Div", x, length))


def rating(path: Path, *, sharper_is_better: bool = True) -> Path:
    """Gives about 0.5 and more for sharp faces, and less for blurred ones, at 112 x 112.

    The head is eDifFIQA's: a vector of unit length, then two dense layers with GELU between.
    """
    w = Writer(5)
    edges = np.zeros((2, 3, 3, 3), np.float32)
    edges[0] = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]) / 3
    edges[1] = -edges[0]
    x = w.op("Relu", w.op("Conv", "picture", w.constant(edges), kernel_shape=[3, 3]))
    x = w.op("Flatten", w.op("GlobalAveragePool", x), axis=1)  # half of the mean |edge|, twice
    kernel, bias = np.eye(3, 2, dtype=np.float32) * 6, np.array([0, 0, 1], np.float32)
    x = w.op("Gemm", x, w.constant(kernel), w.constant(bias), transB=1)
    x = w.op("Div", x, w.op("ReduceL2", x, axes=[1], keepdims=1))
    first = np.array([[1, 1, 0], [0, 0, 1]], np.float32)
    x = w.gelu(w.op("Gemm", x, w.constant(first), transB=1))
    second = np.array([[1, 0]], np.float32) * (1 if sharper_is_better else -1)
    return w.save(path, w.op("Gemm", x, w.constant(second), transB=1), sides=(112, 112), numbers=1)


OWN_NETWORKS: dict[str, Callable[[Path], Path]] = {
    "mobilefacenet": mobilefacenet,
    "resnet-ir": resnet_ir,
    "hardswish-se": hardswish_se,
    "normalized": normalized,
}
