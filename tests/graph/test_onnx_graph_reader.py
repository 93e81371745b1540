"""ONNX networks as graphs: as ONNX Runtime answers, or refused by the name of what is wrong."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facekit.errors import ModelBuildError
from facekit.graph import operations
from facekit.graph.fold import split_input_scaling
from facekit.graph.graph import Graph, Node, Operation
from facekit.graph.probe import pattern
from facekit.graph.read.onnx_file import _MODEL, ONNX
from facekit.graph.read.onnx_graph import read_onnx_graph
from facekit.graph.read.protobuf import parse
from facekit.graph.write.litert import to_litert
from facekit.runtime.litert import LiteRtNet
from facekit.types import Float32Array
from tests.networks.independent_nets import RuntimeNet
from tests.networks.onnx_models import SHAPE, Draw, model, node, noise, written

onnx = pytest.importorskip("onnx", reason="no onnx: pip install '.[convert]'")
pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install '.[convert]'")


def apart(found: Float32Array, wanted: Float32Array) -> float:
    """The greatest difference of two batches of embeddings, made of unit length."""
    a, b = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (found, wanted))
    return float(np.abs(a - b).max())


@pytest.fixture(scope="module")
def sface(sface_source: Path) -> Graph:
    return read_onnx_graph(sface_source, name="sface")


def test_sface_is_read_whole(sface: Graph) -> None:
    assert [node.shape for node in (*sface.inputs, *sface.outputs)] == [(1, 112, 112, 3), (1, 128)]
    count = {one: [node.operation for node in sface.nodes].count(one) for one in Operation}
    assert count[Operation.CONVOLUTION] == count[Operation.PRELU] == 27
    assert count[Operation.BATCH_NORM] == 29
    kernels = [node.weights["kernel"] for node in sface.nodes if "kernel" in node.weights]
    depths = [kernel.shape[2] for kernel in kernels if kernel.ndim == 4]
    assert depths.count(1) == 13  # depthwise
    assert 9.5e6 < sum(kernel.size for kernel in kernels) < 9.67e6


def test_sface_answers_as_onnx_runtime_on_its_own_file(
    sface: Graph, sface_source: Path, crops: Float32Array, tmp_path: Path
) -> None:
    faces = [crop[24:136, 24:136] * 128 + 127.5 for crop in crops]
    pixels = np.concatenate([pattern(3, 112, 112), faces]).astype(np.float32)
    network, scaling = split_input_scaling(sface)
    assert scaling == (127.5, 128.0)
    path = tmp_path / "sface.tflite"
    path.write_bytes(to_litert(network))
    net = LiteRtNet(path)
    found = np.concatenate([net.run((picture[None] - 127.5) / 128)[0] for picture in pixels])
    assert apart(found, RuntimeNet(sface_source).run(pixels)) <= 1e-5


def norms(name: str, channels: int) -> dict[str, Any]:
    numbers = {f"{name}_{role}": noise(channels) for role in ("gamma", "beta", "mean")}
    return numbers | {f"{name}_variance": np.abs(noise(channels)) + np.float32(0.5)}


def norm(name: str, x: str, y: str) -> Any:
    roles = ("gamma", "beta", "mean", "variance")
    weights = " ".join(f"{name}_{role}" for role in roles)
    return node("BatchNormalization", f"{x} {weights}", y, epsilon=0.002, momentum=0.8)


def convolved(channels: int = 8, **attributes: Any) -> Draw:
    groups = attributes.get("group", 1)
    nodes = [
        node("Conv", "x expand", "wide"),
        node("Conv", "wide kernel bias", "y", **attributes),
    ]
    kernel = noise(channels, 6 // groups, 3, 2)
    return nodes, {"expand": noise(6, 3, 1, 1), "kernel": kernel, "bias": noise(channels)}


def dequantized(shape: tuple[int, ...], scales: Any, **attributes: Any) -> Draw:
    """Weights of eight bits as the factor of every channel."""
    kinds = {"zero": np.int8} if attributes.pop("signed", True) else {"zero": np.uint8}
    scale = np.abs(noise(*scales)) + 0.1
    count = int(np.prod(shape))
    constants = {
        "eight": (np.arange(count) * 7 % 100).astype(kinds["zero"]).reshape(shape),
        "scale": scale,
        "zero": np.full(scale.shape, 5, kinds["zero"]),
        "shape": np.array([count // 3, 3, 1, 1]),
    }
    nodes = [
        node("DequantizeLinear", "eight scale zero", "floats", **attributes),
        node("Reshape", "floats shape", "kernel"),
        node("Conv", "x kernel", "y"),
    ]
    return nodes, constants


def residual() -> Draw:
    """Norm first, as ResNet-IR: it cannot go into the padded convolution after it."""
    nodes = [
        norm("a", "x", "x_norm"),
        node("Conv", "x_norm kernel", "x_conv", pads=[1, 1, 1, 1], strides=[2, 2]),
        norm("b", "x_conv", "x_second"),
        node("PRelu", "x_second slope", "branch"),
        node("Conv", "x short", "shortcut", strides=[2, 2]),
        node("Add", "branch shortcut", "sum"),
        norm("c", "sum", "last"),
        node("Relu", "last", "y"),
    ]
    weights = {"kernel": noise(4, 3, 3, 3), "short": noise(4, 3, 1, 1), "slope": noise(4, 1, 1)}
    return nodes, weights | norms("a", 3) | norms("b", 4) | norms("c", 4)


def head() -> Draw:
    """What reads a flattened picture has its weights in the file's order: the norm too."""
    nodes = [
        node("Dropout", "x ratio", "kept"),
        node("Flatten", "kept", "flat"),
        norm("a", "flat", "flat_norm"),
        node("Mul", "flat_norm factors", "times"),
        node("Gemm", "times kernel bias", "embedding", transB=1, alpha=0.5, beta=2.0),
        norm("b", "embedding", "y"),
    ]
    weights = {"kernel": noise(7, 360), "bias": noise(7), "factors": noise(1, 360)}
    return nodes, weights | norms("a", 360) | norms("b", 7) | {"ratio": np.float32(0.4)}


def pooled() -> Draw:
    nodes = [
        node("MaxPool", "x", "small", kernel_shape=[2, 3], strides=[2, 2]),
        node("Concat", "small small", "both", axis=1),
        node("GlobalAveragePool", "both", "average"),
        node("Reshape", "average target", "vector"),
        node("MatMul", "vector kernel", "y"),
    ]
    return nodes, {"kernel": noise(6, 5), "target": np.array([0, -1])}


def arithmetic() -> Draw:
    nodes = [
        node("Sub", "x mean", "shifted"),
        node("Div", "shifted std", "scaled"),
        node("Mul", "half scaled", "times"),
        node("Add", "bias times", "plus"),
        node("Identity", "slope", "same"),
        node("PRelu", "plus same", "y"),
    ]
    constants = {"mean": noise(1, 3, 1, 1), "std": np.abs(noise(3, 1, 1)) + 1}
    return nodes, constants | {"half": np.float32(0.5), "bias": noise(1), "slope": noise(1, 1, 1)}


@pytest.mark.parametrize(
    "draw",
    [
        lambda: convolved(),
        lambda: convolved(group=2, strides=[2, 1]),
        lambda: convolved(12, group=6, pads=[1, 0, 1, 1], strides=[2, 2]),
        lambda: convolved(dilations=[2, 2], kernel_shape=[3, 2]),
        lambda: convolved(auto_pad="SAME_UPPER", strides=[2, 2]),
        lambda: convolved(auto_pad="VALID"),
        residual,
        head,
        pooled,
        arithmetic,
        lambda: dequantized((12, 1), (1,)),
        lambda: dequantized((4, 3), (4,), axis=0),
        lambda: dequantized((4, 3), (3,), axis=-1, signed=False),
        lambda: dequantized((4, 9), (4, 3), axis=1, block_size=3),
        lambda: dequantized((4, 9), (4, 3), axis=1, block_size=4),
        lambda: dequantized((5, 3), (3, 3), axis=0, block_size=2, signed=False),
    ],
)
def test_networks_answer_as_in_onnx_runtime(draw: Callable[[], Draw], tmp_path: Path) -> None:
    path = written(model(*draw()), tmp_path)
    pictures = noise(3, 12, 10, 3)
    litert = tmp_path / "made.tflite"
    litert.write_bytes(to_litert(read_onnx_graph(path, name="made")))
    net = LiteRtNet(litert)
    found = np.concatenate([net.run(picture[None])[0] for picture in pictures])
    wanted = RuntimeNet(path).run(pictures)
    if wanted.ndim == 4:
        wanted = wanted.transpose(0, 2, 3, 1)
    np.testing.assert_allclose(found, wanted, atol=2e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("batch", ["N", 0, 1])
def test_a_batch_left_open_becomes_one_picture(batch: str | int, tmp_path: Path) -> None:
    made = model(*head(), shape=(batch, *SHAPE[1:]))
    graph = read_onnx_graph(written(made, tmp_path), name="made")
    assert graph.inputs[0].shape == (1, 12, 10, 3)


@pytest.mark.parametrize(
    ("draw", "scaling"),
    [
        (lambda x: operations.multiply(operations.add(x, shift(-2), "a"), shift(0.5), "b"), (2, 2)),
        (lambda x: operations.add(operations.multiply(x, shift(0.5), "a"), shift(-1), "b"), (2, 2)),
        (lambda x: operations.multiply(x, shift(0.25), "a"), (0, 4)),
        (lambda x: operations.multiply(x, shift(0), "a"), None),
        (lambda x: operations.add(x, np.array([1, 2, 3], np.float32), "a"), None),
        (lambda x: operations.add(operations.relu(x, "r"), x, "a"), None),
        (lambda x: x, None),
    ],
)
def test_scaling_of_pixels_is_told_from_the_network(
    draw: Callable[[Node], Node], scaling: tuple[float, float] | None
) -> None:
    x = draw(operations.graph_input("x", (1, 4, 4, 3)))
    graph = Graph("scaled", (operations.relu(x, "y"),))
    network, found = split_input_scaling(graph)
    assert found == scaling
    left = {one.operation for one in network.nodes} & {Operation.ADD, Operation.MULTIPLY}
    assert scaling is None or not left


def shift(number: float) -> Float32Array:
    return np.full(1, number, np.float32)


CONV = "conv_9_conv2d"


def _find(graph: Any, name: str) -> Any:
    return next(one for one in graph.node if name in one.output)


def _tensor(graph: Any, name: str) -> Any:
    return next(one for one in graph.initializer if one.name == name)


def _drop(made: Any) -> None:
    del _find(made.graph, f"{CONV}_weight_reshaped").output[0]


def _not_finite(made: Any) -> None:
    tensor = _tensor(made.graph, "conv_9_relu_gamma")
    del tensor.float_data[:]
    tensor.float_data.append(np.full(512, np.nan, np.float32).tobytes())


def _too_few(made: Any) -> None:
    _tensor(made.graph, f"{CONV}_weight_quantized").raw_data = b"\0" * 16


def _negative(made: Any) -> None:
    _tensor(made.graph, "bn1_beta").dims[0] = -1024


def _huge(made: Any) -> None:
    _tensor(made.graph, "bn1_beta").dims.append(1 << 31)


def _external(made: Any) -> None:
    _tensor(made.graph, "bn1_beta").data_location = 1


def _half(made: Any) -> None:
    _tensor(made.graph, "bn1_beta").data_type = 10


def _circle(made: Any) -> None:
    add = onnx.helper.make_node("Add", ["conv_8_relu", "conv_10_relu"], ["both"])
    made.graph.node.add().ParseFromString(add.SerializeToString())
    _find(made.graph, CONV).input[0] = "both"


def _operator(made: Any) -> None:
    _find(made.graph, "conv_9_relu").op_type = "Loop"


def _domain(made: Any) -> None:
    _find(made.graph, "conv_9_relu").domain = "com.microsoft"


def _opset(made: Any) -> None:
    made.opset_import[0].version = 99


def _attribute(made: Any) -> None:
    _find(made.graph, CONV).attribute.add(name="surprise")


def _group(made: Any) -> None:
    next(one for one in _find(made.graph, CONV).attribute if one.name == "group").i = 2


def _stride(made: Any) -> None:
    next(one for one in _find(made.graph, CONV).attribute if one.name == "strides").ints[0] = 0


def _pads(made: Any) -> None:
    next(one for one in _find(made.graph, CONV).attribute if one.name == "pads").ints[0] = 1 << 31


def _block(made: Any) -> None:
    attributes = _find(made.graph, f"{CONV}_weight_dequantized").attribute
    next(one for one in attributes if one.name == "block_size").i = 63


def _same_name(made: Any) -> None:
    _find(made.graph, "conv_9_relu").output.append(CONV)


def _batch(made: Any) -> None:
    made.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 8


def _channels_last(made: Any) -> None:
    for place, side in enumerate((112, 112, 3)):
        made.graph.input[0].type.tensor_type.shape.dim[place + 1].dim_value = side


def _no_channels(made: Any) -> None:
    made.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 5


def _large(made: Any) -> None:
    for place in (2, 3):
        made.graph.input[0].type.tensor_type.shape.dim[place].dim_value = 1 << 31


def _no_input(made: Any) -> None:
    del made.graph.input[0]


def _two_outputs(made: Any) -> None:
    made.graph.output.add(name="bn1_beta")


def _no_arguments(made: Any) -> None:
    del _find(made.graph, CONV).input[:]


def _one_argument(made: Any) -> None:
    del _find(made.graph, CONV).input[1:]


def _many(made: Any) -> None:
    for _ in range(10_000):
        made.graph.node.add(op_type="Relu")


def _training(made: Any) -> None:
    _find(made.graph, "bn1").attribute.add(name="training_mode", i=1)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_drop, "(has no output|which no node before it computes)"),
        (_not_finite, "conv_9_relu: slope holds values that are not finite"),
        (_too_few, f"{CONV}_weight_quantized must have as many elements as its .* Received: 16"),
        (_negative, "bn1_beta must have as many elements"),
        (_huge, "bn1_beta must have as many elements"),
        (_external, "bn1_beta lies in another file"),
        (_half, "bn1_beta is of ONNX's data type 10"),
        (_circle, f"{CONV} reads both, which no node before it computes"),
        (_operator, "conv_9_relu is a Loop. Known are Add, "),
        (_domain, "conv_9_relu is a PRelu of com.microsoft"),
        (_opset, "Operator set 7 to 25 needed. Received: 99"),
        (_attribute, f"{CONV}: attribute surprise is not known"),
        (_group, f"{CONV}: a kernel for 512 channels in 2 groups needed"),
        (_stride, f"{CONV}: strides of 2 numbers"),
        (_pads, f"{CONV}: pads of 4 numbers"),
        (_block, f"{CONV}_weight_dequantized: values of shape .* in blocks of 63"),
        (_same_name, f"two tensors are called {CONV}"),
        (_batch, "data must be one float32 image"),
        (_channels_last, "a kernel for 112 channels"),
        (_no_channels, "data must be one float32 image"),
        (_large, "elements are allowed in all activations"),
        (_no_input, "one input needed. Found: none"),
        (_two_outputs, "the output bn1_beta must be computed"),
        (_no_arguments, "one input needed. Found: none"),
        (_one_argument, f"{CONV}, a Conv, cannot be read as "),
        (_many, "10000 nodes are allowed"),
        (_training, "bn1: training_mode 0 needed"),
    ],
)
def test_a_spoilt_network_is_refused_by_name(
    sface_source: Path, tmp_path: Path, spoil: Callable[[Any], None], message: str
) -> None:
    spoilt = parse(sface_source, _MODEL, ONNX)
    spoil(spoilt)
    path = written(spoilt, tmp_path)
    with pytest.raises(ModelBuildError, match=message) as raised:
        read_onnx_graph(path, name="spoilt")
    assert re.match(r"made\.onnx", str(raised.value))


@pytest.mark.parametrize("share", [0.0, 0.00001, 0.01, 0.5, 0.9, 0.99999])
def test_a_file_that_was_cut_off_is_refused(
    sface_source: Path, tmp_path: Path, share: float
) -> None:
    content = sface_source.read_bytes()
    path = written(content[: int(len(content) * share)], tmp_path)
    with pytest.raises(ModelBuildError, match=r"made\.onnx"):
        read_onnx_graph(path, name="cut off")


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelBuildError, match=r"none\.onnx cannot be read: No such file"):
        read_onnx_graph(tmp_path / "none.onnx", name="absent")


@settings(max_examples=300)
@given(seed=st.integers(0, 10**9))
def test_a_spoilt_file_is_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Nothing but a ModelBuildError may come of it."""
    chosen = random.Random(seed)
    draw: Draw = chosen.choice([residual, head, pooled, arithmetic])()
    spoilt = bytearray(model(*draw).SerializeToString())
    for _ in range(chosen.randrange(1, 6)):
        spoilt[chosen.randrange(len(spoilt))] = chosen.randrange(256)
    path = written(bytes(spoilt), tmp_path_factory.getbasetemp())
    with suppress(ModelBuildError):
        read_onnx_graph(path, name="spoilt")
