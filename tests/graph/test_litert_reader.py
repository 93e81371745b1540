"""LiteRT files of other makers as graphs, and bytes that are no such file."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import example, given, settings
from hypothesis import strategies as st

from facekit.errors import ModelBuildError
from facekit.graph import moves, operations
from facekit.graph.graph import Graph, Operation
from facekit.graph.litert_tables import filled
from facekit.graph.read.litert import is_litert, read_litert_graph
from facekit.graph.write.litert import to_litert
from facekit.runtime.litert import LiteRtNet
from facekit.types import Float32Array

RANDOM = np.random.default_rng(11)
SHAPE = (1, 8, 10, 3)


def noise(*shape: int, size: float = 1) -> Float32Array:
    return np.asarray(RANDOM.standard_normal(shape, np.float32) * np.float32(size))


def require_same(path: Path, tmp_path: Path, *shape: int, tolerance: float = 1e-5) -> Graph:
    """The file's graph, which answers as the file, as LiteRT and as ONNX."""
    from facekit.graph.write.onnx import to_onnx
    from facekit.runtime.onnx import OnnxNet

    graph = read_litert_graph(path, name="net")
    again, onnx = tmp_path / "again.tflite", tmp_path / "again.onnx"
    again.write_bytes(to_litert(graph))
    onnx.write_bytes(to_onnx(graph).model.SerializeToString())
    pictures = noise(*shape)
    wanted = LiteRtNet(path).run(pictures)
    assert max(np.abs(one).max() for one in wanted) > 0.01
    if graph.inputs[0].shape[1:] != shape[1:]:
        pictures = np.ascontiguousarray(pictures.transpose(0, 2, 3, 1))
    for net in (LiteRtNet(again), OnnxNet(onnx)):
        for found, one in zip(net.run(pictures), wanted, strict=True):
            np.testing.assert_allclose(found, one, atol=tolerance)
    return graph


@pytest.mark.tensorflow
@pytest.mark.parametrize("batch", [1, None], ids=["one picture", "open batch"])
def test_files_of_tensorflows_converter(tmp_path: Path, batch: int | None) -> None:
    """Their batch norms, PReLUs, L2 norms, fused activations, and shapes asked for at run time."""
    import tensorflow as tf

    from facekit.system.native_output import captured_output

    kernels = {
        name: noise(3, 3, *depths, size=0.2) for name, depths in (("a", (4, 8)), ("b", (8, 1)))
    }
    numbers, gate_kernel, last = (
        np.abs(noise(6, 8)),
        noise(1, 1, 8, 8),
        noise(4 * 2 * 16, 6, size=0.1),
    )

    def network(x: Any) -> Any:
        x = tf.pad(x, ((0, 0), (0, 1), (1, 0), (0, 1)))
        x = tf.nn.conv2d(x, kernels["a"], 2, "VALID")
        x = tf.nn.batch_normalization(x, *numbers[:2], *numbers[2:4], 1e-3)
        x = tf.nn.relu(x) - numbers[4] * tf.nn.relu(-x)
        y = tf.nn.relu6(tf.nn.depthwise_conv2d(x, kernels["b"], (1, 1, 1, 1), "SAME"))
        x = tf.keras.activations.hard_silu(x + tf.nn.leaky_relu(y * numbers[5], 0.2))
        gate = tf.reduce_mean(x, (1, 2), keepdims=True)
        x *= tf.nn.sigmoid(tf.nn.conv2d(gate, gate_kernel, 1, "SAME"))
        a, b = tf.split(x, 2, axis=3)
        x = tf.concat([tf.nn.elu(a), 1 - b, 2 / (tf.square(a) + 1) - b / 3, -a], 3)
        x = tf.nn.avg_pool2d(tf.nn.max_pool2d(x, 2, 1, "VALID"), 2, 2, "SAME")
        x = tf.transpose(tf.image.resize(x, (5, 4))[:, 1:, ::2], (0, 3, 1, 2))
        x = tf.nn.softmax(tf.matmul(tf.reshape(x, (tf.shape(x)[0], -1)), last))
        x = tf.expand_dims(x, 1) / tf.sqrt(tf.reduce_sum(tf.square(x), 1, keepdims=True))[:, None]
        return tf.math.l2_normalize(tf.squeeze(x, 1), axis=1)

    signature = tf.TensorSpec((batch, 16, 12, 3), tf.float32)
    with captured_output():
        function = tf.function(network).get_concrete_function(signature)
        content = tf.lite.TFLiteConverter.from_concrete_functions([function]).convert()
    path = tmp_path / "net.tflite"
    path.write_bytes(content)
    graph = require_same(path, tmp_path, batch or 3, 16, 12, 3)
    drawn = {node.operation for node in graph.nodes}
    assert {Operation.PRELU, Operation.RELU6, Operation.ELU, Operation.RESIZE_BILINEAR} <= drawn
    assert graph.outputs[0].shape == (-1 if batch is None else 1, 6)


def test_names_are_the_layers(data: Path) -> None:
    graph = read_litert_graph(data / "tiny" / "float32.tflite", name="tiny")
    names = [node.name for node in graph.nodes]
    assert names[1:4] == ["stem_1/Relu/linear", "stem_1/Relu", "depthwise_1/BiasAdd"]


def test_a_net_with_channels_first(tmp_path: Path) -> None:
    """As PyTorch's converters leave it: turned at the beginning, and turned back before it is
    flattened."""
    x = operations.graph_input("x", (1, 3, 8, 10))
    y = operations.convolution(moves.transpose(x, (0, 2, 3, 1), "last"), noise(3, 3, 3, 4), "conv")
    y = moves.transpose(y, (0, 3, 1, 2), "first")
    y = operations.dense(moves.flatten(y, "flat"), noise(4 * 6 * 8, 5, size=0.1), "dense")
    path = tmp_path / "first.tflite"
    path.write_bytes(to_litert(Graph("net", (y,))))
    graph = require_same(path, tmp_path, 1, 3, 8, 10)
    assert graph.inputs[0].shape == (1, 8, 10, 3)
    assert graph.nodes[1].operation is Operation.CONVOLUTION


def test_a_float16_file_is_read_in_float32(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_quantizer", reason="none: pip install '.[convert]'")
    from facekit.conversion.quantize.quantizer import quantize_file
    from facekit.conversion.quantize.recipe import read_recipe
    from tests.networks.tiny_embedder import SPEC

    path = tmp_path / "half.tflite"
    content = (data / "tiny" / "float32.tflite").read_bytes()
    path.write_bytes(quantize_file(content, SPEC, read_recipe("weight_only_wf16_afp32"), {})[0])
    assert path.stat().st_size < len(content)
    require_same(path, tmp_path, 1, 16, 16, 3, tolerance=1e-3)


@cache
def small_file() -> bytes:
    x = operations.graph_input("x", (1, 6, 6, 3))
    x = operations.convolution(x, noise(3, 3, 3, 4), "conv", bias=noise(4), pads=(1, 1, 0, 0))
    x = operations.max_pool(operations.relu(x, "relu"), (2, 2), "pool", stride=(2, 2))
    x = operations.prelu(x, noise(4), "prelu")
    return to_litert(Graph("net", (operations.dense(moves.flatten(x, "f"), noise(16, 3), "y"),)))


def test_a_small_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "small.tflite"
    path.write_bytes(small_file())
    assert is_litert(path)
    assert to_litert(read_litert_graph(path, name="net")) == small_file()


@settings(max_examples=300, deadline=None)
@given(
    edits=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=8),
    kept=st.integers(0, 1 << 20) | st.none(),
)
@example(edits=[(0, 255)], kept=None)
@example(edits=[(0, 0)], kept=3)
def test_damaged_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, int]], kept: int | None
) -> None:
    """Whatever stands in the file, it is a ModelBuildError at most."""
    content = bytearray(small_file())
    for place, value in edits:
        content[place % len(content)] = value
    path = tmp_path_factory.mktemp("damaged") / "net.tflite"
    path.write_bytes(content if kept is None else content[: kept % len(content)])
    try:
        graph = read_litert_graph(path, name="net")
    except ModelBuildError:
        return
    to_litert(graph)


def test_every_byte_of_the_tables_may_be_wild(tmp_path: Path) -> None:
    """The weights' own bytes are numbers, whatever they are; all others lead somewhere."""
    path, content = tmp_path / "net.tflite", small_file()
    refused = 0
    for place in range(0, len(content), 5):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            read_litert_graph(path, name="net")
        except ModelBuildError:
            refused += 1
    assert refused > 50


def edited(edit: Callable[[Any], None]) -> bytes:
    """The small file after `edit` of its tables; operators: PAD, CONV_2D, MAX_POOL_2D, PRELU,
    RESHAPE, FULLY_CONNECTED."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(small_file()))
    edit(model)
    builder = flatbuffers.Builder(1 << 14)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def operators(model: Any) -> list[Any]:
    found: list[Any] = model.subgraphs[0].operators
    return found


def as_custom(model: Any) -> None:
    code = model.operatorCodes[operators(model)[2].opcodeIndex]
    code.builtinCode, code.customCode = schema.BuiltinOperator.CUSTOM, b"ethos-u"


def as_unknown(model: Any) -> None:
    code = model.operatorCodes[operators(model)[3].opcodeIndex]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.COS


def in_a_circle(model: Any) -> None:
    operators(model)[2].inputs = operators(model)[3].outputs


def given_twice(model: Any) -> None:
    operators(model)[3].outputs = operators(model)[2].outputs


def two_subgraphs(model: Any) -> None:
    model.subgraphs.append(model.subgraphs[0])


def with_integers(model: Any) -> None:
    kernel = model.subgraphs[0].tensors[operators(model)[1].inputs[1]]
    kernel.type = schema.TensorType.INT8
    kernel.quantization = filled(schema.QuantizationParametersT, scale=[0.1], zeroPoint=[0])


def with_too_few_bytes(model: Any) -> None:
    kernel = model.subgraphs[0].tensors[operators(model)[1].inputs[1]]
    model.buffers[kernel.buffer].data = model.buffers[kernel.buffer].data[:-4]


def not_finite(model: Any) -> None:
    kernel = model.subgraphs[0].tensors[operators(model)[1].inputs[1]]
    model.buffers[kernel.buffer].data[:4] = np.frombuffer(np.float32(np.nan).tobytes(), np.uint8)


def of_another_shape(model: Any) -> None:
    model.subgraphs[0].tensors[operators(model)[2].outputs[0]].shape[3] = 5


def with_other_options(model: Any) -> None:
    operators(model)[1].builtinOptionsType = schema.BuiltinOptions.Pool2DOptions
    operators(model)[1].builtinOptions = filled(schema.Pool2DOptionsT, strideH=1, strideW=1)


def with_tanh(model: Any) -> None:
    operators(model)[1].builtinOptions.fusedActivationFunction = 4


def no_picture(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].shape = np.array([1, 36 * 3], np.int32)


def of_many_channels(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].shape[1:] = 8


def of_no_known_side(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].shapeSignature = np.full(4, -1, np.int32)


def of_one_name(model: Any) -> None:
    for tensor in model.subgraphs[0].tensors:
        tensor.name = b"one"


def without_outputs(model: Any) -> None:
    model.subgraphs[0].outputs = []


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (as_custom, r"net/pool is a ethos-u\. Known are ADD, AVERAGE_POOL_2D, "),
        (as_unknown, r"net/prelu is a COS\. Known are ADD, "),
        (in_a_circle, r"net/prelu is used before an operator computes it"),
        (given_twice, r"two operators compute net/pool"),
        (two_subgraphs, r"one subgraph needed\. Received: 2"),
        (with_integers, r"it is quantized: 1 tensors, such as net/relu/kernel,"),
        (with_too_few_bytes, r"net/relu/kernel: a constant of shape \(4, 3, 3, 3\) has 432 bytes"),
        (not_finite, r"relu/linear: kernel holds values that are not finite"),
        (of_another_shape, r"net/pool must be of shape \(1, 2, 2, 4\)\. Received: \(1, 2, 2, 5\)"),
        (
            with_other_options,
            r"net/relu, a CONV_2D, cannot .*: Conv2DOptions needed, received Pool",
        ),
        (with_tanh, r"net/relu, a CONV_2D, cannot .*: the fused activation 4 is not known"),
        (no_picture, r"net/x must be one float32 image, .* Received: shape \(1, 108\)"),
        (of_many_channels, r"net/x must have 1 to 4 channels, last or first"),
        (of_no_known_side, r"net/x must have 1 to 4 channels, last or first"),
        (without_outputs, r"its outputs must be computed"),
    ],
)
def test_what_cannot_be_read_is_named(
    tmp_path: Path, edit: Callable[[Any], None], said: str
) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(edited(edit))
    with pytest.raises(ModelBuildError, match=rf"^net\.tflite: {said}"):
        read_litert_graph(path, name="net")


def test_tensors_of_one_name_get_numbers(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(edited(of_one_name))
    graph = read_litert_graph(path, name="net")
    assert len({node.name for node in graph.nodes}) == len(graph.nodes) == 8
    again = tmp_path / "again.tflite"
    again.write_bytes(to_litert(graph))
    pictures = noise(1, 6, 6, 3)
    np.testing.assert_array_equal(LiteRtNet(again).run(pictures), LiteRtNet(path).run(pictures))


@pytest.mark.parametrize("name", ["int8", "uint8", "int8_vela", "two_inputs", "integer_ids"])
def test_files_that_are_no_float32_network_of_pictures(data: Path, name: str) -> None:
    with pytest.raises(ModelBuildError, match=rf"{name}\.tflite: .* (needed|must be|is a)"):
        read_litert_graph(data / "nets" / f"{name}.tflite", name="net")
