"""Graphs as LiteRT files: each operation against NumPy, names, bytes, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st

from facekit.errors import ModelBuildError
from facekit.graph import moves, operations
from facekit.graph.activations import list_activations
from facekit.graph.fold import fold_batch_norms
from facekit.graph.graph import DYNAMIC, NO_PADS, Coordinates, Graph, Node, Operation
from facekit.graph.write.litert import to_litert
from facekit.runtime.litert import LiteRtNet
from facekit.types import Float32Array

RANDOM = np.random.default_rng(20180408)
SHAPE = (1, 9, 11, 6)
VECTOR = (1, 6)


def noise(*shape: int) -> Float32Array:
    return RANDOM.standard_normal(shape, np.float32)


def run(graph: Graph, tmp_path: Path, *inputs: Float32Array) -> list[Float32Array]:
    path = tmp_path / "graph.tflite"
    path.write_bytes(to_litert(graph))
    return list(LiteRtNet(path).run(*inputs))


def one(x: Node, *outputs: Node) -> Graph:
    return Graph("one", outputs or (x,))


def slid(
    x: Float32Array,
    size: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    pads: tuple[int, int, int, int],
    fill: float,
) -> Float32Array:
    """Every window: (N, height, width, rows, columns, channels)."""
    top, left, bottom, right = pads
    around = ((0, 0), (top, bottom), (left, right), (0, 0))
    padded = np.pad(x, around, constant_values=fill)
    reach = [(a - 1) * b + 1 for a, b in zip(size, dilation, strict=True)]
    windows = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=(1, 2))
    windows = windows[:, :: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]
    return np.moveaxis(windows, 3, -1)


def convolved(
    x: Float32Array,
    kernel: Float32Array,
    *,
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    pads: tuple[int, int, int, int] = NO_PADS,
) -> Float32Array:
    windows = slid(x, kernel.shape[:2], stride, dilation, pads, 0)
    groups = x.shape[3] // kernel.shape[2]
    parts = np.split(windows, groups, axis=-1), np.split(kernel, groups, axis=-1)
    return np.concatenate(
        [np.einsum("nhwrcd,rcdo->nhwo", a, b) for a, b in zip(*parts, strict=True)], -1
    )


@pytest.mark.parametrize("depth", [6, 3, 1], ids=["plain", "grouped", "depthwise"])
@pytest.mark.parametrize(
    ("size", "stride", "dilation", "pads"),
    [
        ((3, 3), (1, 1), (1, 1), NO_PADS),
        ((3, 2), (2, 1), (1, 1), NO_PADS),
        ((3, 3), (1, 1), (1, 1), None),
        ((3, 3), (2, 2), (1, 1), None),
        ((3, 3), (2, 2), (1, 1), (1, 1, 1, 1)),
        ((3, 3), (2, 2), (1, 1), (1, 1, 0, 0)),
        ((3, 3), (1, 1), (2, 2), None),
        ((1, 1), (1, 1), (1, 1), NO_PADS),
    ],
)
def test_convolutions(
    tmp_path: Path,
    depth: int,
    size: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    pads: tuple[int, int, int, int] | None,
) -> None:
    kernel, bias, pictures = noise(*size, depth, 12), noise(12), noise(*SHAPE)
    x = operations.graph_input("x", SHAPE)
    y = operations.convolution(
        x, kernel, "y", bias=bias, stride=stride, dilation=dilation, pads=pads
    )
    explicit = operations.same_pads(SHAPE, y.window) if pads is None else pads
    wanted = convolved(pictures, kernel, stride=stride, dilation=dilation, pads=explicit) + bias
    (found,) = run(one(y), tmp_path, pictures)
    assert found.shape == y.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, atol=1e-4)


KERNEL, FACTOR, SHIFT, SLOPE = noise(3, 3, 6, 6), noise(6), noise(6), noise(6)
MATRIX = noise(6, 4)


def softmax(x: Float32Array) -> Float32Array:
    exponents = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(exponents / exponents.sum(-1, keepdims=True))


def pooled(x: Float32Array) -> Float32Array:
    return np.asarray(slid(x, (3, 3), (2, 2), (1, 1), NO_PADS, 0).max((3, 4)))


CASES: dict[str, tuple[Callable[[Node], Node], Callable[[Float32Array], Float32Array]]] = {
    "ReLU": (lambda x: operations.relu(x, "y"), lambda x: np.maximum(x, 0)),
    "PReLU": (lambda x: operations.prelu(x, SLOPE, "y"), lambda x: np.where(x > 0, x, SLOPE * x)),
    "softmax": (lambda x: operations.softmax(x, "y"), softmax),
    "add": (lambda x: operations.add(x, operations.relu(x, "r"), "y"), lambda x: x + x.clip(0)),
    "add constant": (lambda x: operations.add(x, SHIFT, "y"), lambda x: x + SHIFT),
    "multiply": (
        lambda x: operations.multiply(x, operations.relu(x, "r"), "y"),
        lambda x: x * x.clip(0),
    ),
    "multiply constant": (lambda x: operations.multiply(x, FACTOR, "y"), lambda x: x * FACTOR),
    "concatenate": (
        lambda x: moves.concatenate([x, operations.relu(x, "r")], "y"),
        lambda x: np.concatenate([x, x.clip(0)], -1),
    ),
    "pad": (
        lambda x: moves.pad(x, (1, 2, 3, 4), "y"),
        lambda x: np.pad(x, ((0, 0), (1, 3), (2, 4), (0, 0))),
    ),
    "max pool": (lambda x: operations.max_pool(x, (3, 3), "y", stride=(2, 2)), pooled),
    "mean": (lambda x: operations.mean(x, "y"), lambda x: x.mean((1, 2))),
    "flatten": (lambda x: moves.flatten(x, "y"), lambda x: x.reshape(len(x), -1)),
    "ReLU after a convolution": (
        lambda x: operations.relu(operations.convolution(x, KERNEL, "c"), "y"),
        lambda x: convolved(x, KERNEL).clip(0),
    ),
    "dense": (
        lambda x: operations.dense(operations.mean(x, "m"), MATRIX, "y"),
        lambda x: x.mean((1, 2)) @ MATRIX,
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("count", [1, 3], ids=["one", "open batch"])
def test_operations(tmp_path: Path, case: str, count: int) -> None:
    draw, calculate = CASES[case]
    y = draw(operations.graph_input("x", SHAPE if count == 1 else (DYNAMIC, *SHAPE[1:])))
    pictures = noise(count, *SHAPE[1:])
    (found,) = run(one(y), tmp_path, pictures)
    wanted = calculate(pictures)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_what_scales_and_shifts_is_folded_into_the_kernel(tmp_path: Path) -> None:
    pictures, variance = noise(*SHAPE), np.abs(noise(6))
    x = operations.graph_input("x", SHAPE)
    y = operations.convolution(x, KERNEL, "convolution")
    y = operations.add(y, SHIFT, "shift")
    y = operations.batch_norm(
        y, "norm", gamma=FACTOR, beta=SHIFT, mean=SLOPE, variance=variance, epsilon=0.001
    )
    y = operations.multiply(y, np.full(1, 0.5, np.float32), "half")
    y = operations.multiply(y, np.ones(1, np.float32), "once")
    graph = fold_batch_norms(one(y))
    assert [node.operation for node in graph.nodes] == [Operation.INPUT, Operation.CONVOLUTION]
    assert graph.outputs[0].name == "half"
    wanted = convolved(pictures, KERNEL) + SHIFT
    wanted = 0.5 * ((wanted - SLOPE) / np.sqrt(variance + 0.001) * FACTOR + SHIFT)
    (found,) = run(one(y), tmp_path, pictures)
    np.testing.assert_allclose(found, wanted, atol=1e-3)


def dense(x: Node, name: str) -> Node:
    return operations.dense(x, noise(6, 6), name)


@pytest.mark.parametrize("before", [operations.relu, dense])
def test_a_batch_norm_whose_factor_is_too_large_is_refused(
    before: Callable[[Node, str], Node],
) -> None:
    large = np.full(6, 3e38, np.float32)
    tiny = np.full(6, 1e-9, np.float32)
    x = before(operations.graph_input("x", VECTOR), "before")
    y = operations.batch_norm(x, "y", gamma=large, beta=tiny, mean=tiny, variance=tiny, epsilon=0)
    with pytest.raises(ModelBuildError, match="y: its factors are too large"):
        to_litert(one(y))


def test_what_others_read_is_not_folded(tmp_path: Path) -> None:
    pictures = noise(*SHAPE)
    x = operations.convolution(operations.graph_input("x", SHAPE), KERNEL, "convolution")
    graph = Graph("two", (operations.multiply(x, FACTOR, "times"), operations.relu(x, "relu"), x))
    times, relu, plain = run(graph, tmp_path, pictures)
    np.testing.assert_allclose(plain, convolved(pictures, KERNEL), atol=1e-4)
    np.testing.assert_allclose(times, plain * FACTOR, atol=1e-4)
    np.testing.assert_array_equal(relu, plain.clip(0))


def test_a_factor_for_each_row_is_not_folded(tmp_path: Path) -> None:
    pictures, rows = noise(*SHAPE), noise(1, 7, 1, 1)
    x = operations.convolution(operations.graph_input("x", SHAPE), KERNEL, "convolution")
    graph = one(operations.multiply(x, rows, "y"))
    (found,) = run(graph, tmp_path, pictures)
    np.testing.assert_allclose(found, convolved(pictures, KERNEL) * rows, atol=1e-3)
    assert Operation.MULTIPLY in {node.operation for node in fold_batch_norms(graph).nodes}


@pytest.mark.parametrize(
    ("size", "stride", "pads"),
    [
        ((3, 3), (1, 1), None),
        ((3, 3), (2, 2), (1, 1, 1, 1)),
        ((2, 3), (2, 1), (1, 0, 0, 2)),
        ((3, 3), (1, 2), (2, 2, 2, 2)),
    ],
)
def test_pads_are_neither_the_greatest_nor_part_of_a_mean(
    tmp_path: Path,
    size: tuple[int, int],
    stride: tuple[int, int],
    pads: tuple[int, int, int, int] | None,
) -> None:
    pictures = noise(*SHAPE) - 3
    x = operations.graph_input("x", SHAPE)
    most = operations.max_pool(x, size, "most", stride=stride, pads=pads)
    mean = operations.average_pool(x, size, "mean", stride=stride, pads=pads)
    around = operations.same_pads(SHAPE, most.window) if pads is None else pads
    windows = slid(pictures, size, stride, (1, 1), around, np.nan)
    for found, wanted in zip(
        run(one(x, most, mean), tmp_path, pictures),
        (np.nanmax(windows, (3, 4)), np.nanmean(windows, (3, 4))),
        strict=True,
    ):
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_mean_of_what_lies_in_the_window_needs_known_sides() -> None:
    x = operations.graph_input("x", (1, DYNAMIC, DYNAMIC, 6))
    y = operations.average_pool(x, (3, 3), "y", stride=(2, 2), pads=(1, 1, 1, 1))
    with pytest.raises(ModelBuildError, match="y: LiteRT has no average pool padded by"):
        to_litert(one(y))


def test_relu6_is_part_of_what_it_follows(tmp_path: Path) -> None:
    pictures = 4 * noise(*SHAPE)
    x = operations.convolution(operations.graph_input("x", SHAPE), KERNEL, "convolution")
    graph = one(operations.activation(Operation.RELU6, x, "y"))
    (found,) = run(graph, tmp_path, pictures)
    np.testing.assert_allclose(found, convolved(pictures, KERNEL).clip(0, 6), atol=1e-3)
    assert [found.key for found in list_activations(to_litert(graph))] == ["output_0"]


def test_a_factor_of_one_that_two_read_keeps_both_apart(tmp_path: Path) -> None:
    pictures = noise(*SHAPE)
    x = operations.convolution(operations.graph_input("x", SHAPE), KERNEL, "convolution")
    once = operations.multiply(x, np.ones(6, np.float32), "once")
    shifted = operations.add(once, SHIFT, "shifted")
    (found,) = run(one(operations.add(once, shifted, "sum")), tmp_path, pictures)
    np.testing.assert_allclose(found, 2 * convolved(pictures, KERNEL) + SHIFT, atol=1e-4)


def small_graph() -> Graph:
    random = np.random.default_rng(1)
    kernel = random.standard_normal((3, 3, 3, 4), np.float32)
    x = operations.convolution(operations.graph_input("image", (1, 8, 8, 3)), kernel, "Stem/Conv")
    x = operations.relu(x, "Stem_Activation/Relu")
    x = operations.mean(x, "AvgPool/Mean")
    return Graph("small", (operations.dense(x, kernel[0, :3, :, 0].T.repeat(2, 0)[:4], "Last"),))


def test_activations_are_known_by_layer_and_outputs_by_place() -> None:
    keys = [found.key for found in list_activations(to_litert(small_graph()))]
    assert keys == ["Stem_Activation/Relu", "AvgPool/Mean", "output_0"]


def test_no_two_tensors_have_one_name_and_weights_are_aligned() -> None:
    content = to_litert(small_graph())
    model = schema.Model.GetRootAs(content)
    graph = model.Subgraphs(0)
    names = [graph.Tensors(place).Name() for place in range(graph.TensorsLength())]
    assert len(set(names)) == len(names)
    assert model.Buffers(0).DataLength() == 0
    start = np.frombuffer(content, np.uint8).__array_interface__["data"][0]
    for place in range(1, model.BuffersLength()):
        data = model.Buffers(place).DataAsNumpy()
        assert (data.__array_interface__["data"][0] - start) % 16 == 0
    for place in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(place)
        assert code.BuiltinCode() == code.DeprecatedBuiltinCode()


def test_the_bytes_are_the_same_in_every_process() -> None:
    code = (
        "import hashlib; from tests.graph.test_litert_file import small_graph, to_litert; "
        "print(hashlib.sha256(to_litert(small_graph())).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_a_chain_deeper_than_pythons_stack_is_written() -> None:
    x = operations.graph_input("x", VECTOR)
    for number in range(3 * sys.getrecursionlimit()):
        x = operations.relu(x, f"relu{number}")
    assert len(to_litert(one(x))) > 10_000


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda x: operations.convolution(x, noise(3, 3, 4, 8), "y"), "y: a kernel for 6 channels"),
        (lambda x: operations.convolution(x, noise(3, 3, 3, 7), "y"), "y: a kernel for 6 channels"),
        (lambda x: operations.convolution(x, noise(3, 6), "y"), "y: a kernel of four dimensions"),
        (lambda x: operations.convolution(x, noise(30, 3, 6, 8), "y"), r"a window of \(30, 3\)"),
        (
            lambda x: operations.convolution(x, noise(3, 3, 6, 8), "y", bias=noise(7)),
            r"y: a bias of shape \(8,\) needed\. Received: shape \(7,\)",
        ),
        (lambda x: operations.dense(x, noise(5, 4), "y"), "y: a kernel for vectors"),
        (lambda x: operations.prelu(x, noise(5), "y"), "y: one value for each of 6 needed"),
        (
            lambda x: operations.add(x, moves.pad(x, (1, 0, 0, 0), "p"), "y"),
            "do not go together",
        ),
        (lambda x: operations.mean(operations.mean(x, "m"), "y"), "y: an image needed"),
        (
            lambda x: moves.concatenate([x, moves.pad(x, (1, 0, 0, 0), "p")], "y"),
            "y: its inputs have different dimensions",
        ),
        (
            lambda x: operations.add(x, noise(1, 9, 1, 5), "y"),
            r"y: one value for each of 6, or dimensions that fit \(1, 9, 11, 6\), needed",
        ),
        (lambda x: operations.elementwise(Operation.DIVIDE, x, SHIFT, "y"), "y: two nodes needed"),
        (lambda x: operations.power(x, np.nan, "y"), "y: exponent of float32's range needed"),
        (lambda x: operations.leaky_relu(x, 1e39, "y"), "y: slope of float32's range needed"),
        (
            lambda x: operations.average_pool(x, (3, 3), "y", stride=(1, 1), pads=(0, 3, 0, 0)),
            r"y: pads narrower than the window of \(3, 3\) needed",
        ),
        (
            lambda x: operations.reduce(Operation.REDUCE_SUM, x, (2, 1), "y"),
            "y: axes of .* in order",
        ),
        (lambda x: operations.reduce(Operation.REDUCE_SUM, x, (4,), "y"), "y: axes of .* in order"),
        (lambda x: operations.reduce(Operation.REDUCE_SUM, x, (), "y"), "y: axes of .* in order"),
        (lambda x: moves.pad(x, (0, 0, -1, 0), "y"), "y: pads of 0 to"),
        (lambda x: moves.reshape(x, (1, 600), "y"), "y: a shape for the elements of"),
        (lambda x: moves.reshape(x, (1, DYNAMIC), "y"), "y: a shape for the elements of"),
        (lambda x: moves.transpose(x, (0, 1, 1, 3), "y"), "y: an order of the axes of"),
        (
            lambda x: moves.strided_slice(x, [0, 9, 0, 0], [1, 9, 11, 6], "y", step=[1] * 4),
            "y: a part of",
        ),
        (
            lambda x: moves.strided_slice(x, [0] * 4, [1, 9, 11, 6], "y", step=[1, 1, 0, 1]),
            "y: a part of",
        ),
        (lambda x: moves.broadcast(x, (1, 9, 11, 12), "y"), "y: shapes .* do not go together"),
        (lambda x: moves.broadcast(x, (11, 6), "y"), "y: a shape that .* can be repeated to"),
        (
            lambda x: moves.resize(
                Operation.RESIZE_NEAREST,
                x,
                "y",
                coordinates=Coordinates.ASYMMETRIC,
                factors=(0, 2),
            ),
            "y: factors of 1 or more",
        ),
        (lambda x: operations.add(x, np.full(6, np.inf, np.float32), "y"), "not finite"),
        (lambda x: operations.add(x, np.zeros(6, np.float64), "y"), "y: constant must be float32"),
        (
            lambda x: to_litert(one(operations.relu(operations.relu(x, "y"), "y"))),
            "two nodes called",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_the_nodes_name(
    draw: Callable[[Node], object], message: str
) -> None:
    with pytest.raises(ModelBuildError, match=message):
        draw(operations.graph_input("x", SHAPE))


@settings(max_examples=25)
@given(
    side=st.integers(1, 20), size=st.integers(1, 4), stride=st.integers(1, 4), open_=st.booleans()
)
def test_same_padding_follows_tensorflow_whatever_the_side(
    tmp_path_factory: pytest.TempPathFactory, side: int, size: int, stride: int, open_: bool
) -> None:
    shape = (1, DYNAMIC, DYNAMIC, 2) if open_ else (1, side, side, 2)
    y = operations.max_pool(
        operations.graph_input("x", shape), (size, size), "y", stride=(stride, stride), pads=None
    )
    (found,) = run(one(y), tmp_path_factory.mktemp("same"), noise(1, side, side, 2))
    assert found.shape == (1, -(-side // stride), -(-side // stride), 2)
    assert open_ or y.shape == found.shape


def test_sphereface20_drawn_as_a_graph_answers_as_pytorch(tmp_path: Path) -> None:
    """PReLU with slopes below 0 and above 1, Caffe's padding, sums: in the order of the paper."""
    pytest.importorskip("torch")
    from tests.networks.sphereface_files import (
        FILTERS,
        LAST_OF_STAGE,
        embed_by_torch,
        random_tensors,
    )

    tensors = random_tensors()

    def conv(x: Node, number: str, stride: int = 1) -> Node:
        kernel = tensors[f"conv{number}.weight"].transpose(2, 3, 1, 0)
        bias, slope = tensors[f"conv{number}.bias"], tensors[f"relu{number}.weight"]
        x = operations.convolution(
            x, kernel, f"conv{number}", bias=bias, stride=(stride, stride), pads=(1, 1, 1, 1)
        )
        return operations.prelu(x, slope, f"relu{number}")

    x = operations.graph_input("image", (1, 112, 96, 3))
    for stage, last in LAST_OF_STAGE.items():
        x = conv(x, f"{stage}_1", 2)
        for first in range(2, last, 2):
            branch = conv(conv(x, f"{stage}_{first}"), f"{stage}_{first + 1}")
            x = operations.add(x, branch, f"res{stage}_{first + 1}")
    x = moves.flatten(x, "flatten5")
    by_channel = tensors["fc5.weight"].reshape(512, FILTERS[4], 7, 6)
    kernel = by_channel.transpose(2, 3, 1, 0).reshape(-1, 512)
    x = operations.dense(x, np.ascontiguousarray(kernel), "fc5", bias=tensors["fc5.bias"])

    pictures = np.random.default_rng(3).uniform(-1, 1, (2, 112, 96, 3)).astype(np.float32)
    (found,) = run(Graph("sphereface20", (x,)), tmp_path, pictures)
    wanted = embed_by_torch(tensors, pictures)
    lengths = (
        np.linalg.norm(found, axis=1, keepdims=True),
        np.linalg.norm(wanted, axis=1, keepdims=True),
    )
    np.testing.assert_allclose(found / lengths[0], wanted / lengths[1], atol=1e-5)
