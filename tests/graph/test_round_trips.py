"""Every operation of a graph: written as LiteRT, read back, and written as LiteRT and as ONNX.

What the first file answers, the others answer: the second to the bit, ONNX Runtime within 1e-5.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facekit.errors import ModelBuildError
from facekit.graph import moves, operations
from facekit.graph.graph import DYNAMIC, Coordinates, Graph, Node, Operation
from facekit.graph.read.litert import read_litert_graph
from facekit.graph.read.onnx_graph import read_onnx_graph
from facekit.graph.write.litert import to_litert
from facekit.graph.write.onnx import to_onnx
from facekit.runtime.litert import LiteRtNet
from facekit.runtime.onnx import OnnxNet
from facekit.types import Float32Array

pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install '.[convert]'")
pytest.importorskip("onnx", reason="no onnx: pip install '.[convert]'")

SHAPE = (1, 9, 11, 4)
RANDOM = np.random.default_rng(7)


def noise(*shape: int, size: float = 1) -> Float32Array:
    return np.asarray(RANDOM.standard_normal(shape, np.float32) * np.float32(size))


def conv(x: Node, name: str, filters: int = 6, **settings: object) -> Node:
    """So that what follows is given with channels first in ONNX."""
    kernel = noise(3, 3, x.shape[3], filters, size=0.2)
    return operations.convolution(x, kernel, name, bias=noise(filters), **settings)  # type: ignore[arg-type]  # one of each


def of_two(operation: Operation) -> Callable[[Node], Node]:
    return lambda x: operations.elementwise(
        operation, conv(x, "a"), operations.activation(Operation.SIGMOID, conv(x, "b"), "s"), "y"
    )


def of_constant(operation: Operation) -> Callable[[Node], Node]:
    def draw(x: Node) -> Node:
        y = operations.elementwise(operation, operations.relu(x, "r"), noise(4), "y")
        y = operations.relu(conv(y, "c"), "relu")
        y = operations.elementwise(operation, y, noise(6), "z")
        y = operations.elementwise(operation, y, noise(1, 7, 1, 6), "by rows")
        return operations.elementwise(operation, y, noise(1), "by all")

    return draw


def activated(operation: Operation) -> Callable[[Node], Node]:
    def draw(x: Node) -> Node:
        y = operations.activation(operation, x, "of the input")
        y = operations.activation(operation, conv(y, "c"), "of a convolution")
        return operations.activation(operation, operations.mean(y, "m"), "of numbers")

    return draw


def unary(make: Callable[[Node, str], Node]) -> Callable[[Node], Node]:
    def draw(x: Node) -> Node:
        y = operations.activation(Operation.SIGMOID, make(x, "of the input"), "s")
        y = operations.activation(Operation.SIGMOID, make(conv(y, "c"), "of a picture"), "t")
        return make(operations.mean(y, "m"), "of numbers")

    return draw


def power(exponent: float) -> Callable[[Node], Node]:
    def draw(x: Node) -> Node:
        y = operations.activation(Operation.SIGMOID, conv(x, "c"), "s")
        return operations.power(y, exponent, "y")

    return draw


def reduced(operation: Operation) -> Callable[[Node], Node]:
    def draw(x: Node) -> Node:
        c = conv(x, "c")
        kept = operations.reduce(operation, c, (1, 2), "kept", keep=True)
        scaled = operations.elementwise(Operation.MULTIPLY, c, kept, "scaled")
        channels = operations.reduce(operation, scaled, (3,), "channels", keep=True)
        rows = operations.reduce(operation, scaled, (1,), "rows")
        both = operations.elementwise(Operation.ADD, scaled, channels, "both")
        gone = operations.reduce(operation, both, (1, 2), "gone")
        last = operations.reduce(operation, rows, (1,), "last")
        return operations.add(gone, last, "y")

    return draw


def pooled(make: Callable[..., Node]) -> Callable[[Node], Node]:
    def draw(x: Node) -> Node:
        y = make(conv(x, "c"), (3, 2), "valid", stride=(1, 2))
        y = make(y, (2, 3), "same", stride=(1, 1), pads=None)
        return make(y, (3, 3), "padded", stride=(2, 2), pads=(1, 1, 0, 1))

    return draw


def resized(operation: Operation) -> Callable[[Node], Node]:
    def draw(x: Node) -> Node:
        y = conv(x, "c")
        for place in Coordinates:
            name = f"{place.value} by factors"
            y = moves.resize(operation, y, name, coordinates=place, factors=(2, 3))
            y = moves.resize(operation, y, f"{place.value}", coordinates=place, size=(5, 7))
        return y

    return draw


def depthwise(x: Node) -> Node:
    y = operations.convolution(x, noise(3, 3, 1, 8), "depthwise", bias=noise(8), pads=None)
    y = operations.convolution(y, noise(3, 2, 4, 6), "grouped", stride=(2, 1))
    y = operations.convolution(y, noise(2, 2, 6, 5), "dilated", dilation=(2, 3))
    y = operations.activation(Operation.RELU6, y, "relu6")
    return operations.convolution(y, noise(3, 3, 5, 3, size=0.1), "padded", pads=(1, 2, 0, 1))


def dense(x: Node) -> Node:
    y = operations.dense(conv(x, "c"), noise(6, 5), "of pixels", bias=noise(5))
    y = operations.relu(operations.dense(y, noise(5, 5), "no bias"), "relu")
    y = operations.dense(operations.mean(y, "m"), noise(5, 8), "of numbers", bias=noise(8))
    return operations.relu(operations.dense(y, noise(8, 3), "last"), "y")


def batch_norm(x: Node) -> Node:
    for name in ("of the input", "of a picture"):
        channels = x.shape[-1:]
        numbers = {role: noise(*channels) for role in ("gamma", "beta", "mean")}
        x = operations.relu(x, f"{name}/relu")
        x = operations.batch_norm(
            x, name, variance=np.abs(noise(*channels)), epsilon=0.1, **numbers
        )
        x = conv(x, f"{name}/conv", pads=None)
    return x


def moved(x: Node) -> Node:
    c = conv(x, "c")  # (1, 7, 9, 6)
    rows = moves.transpose(c, (0, 2, 3, 1), "transposed")
    flat = moves.reshape(rows, (x.shape[0], 9, 42), "reshaped")
    turned = moves.transpose(flat, (0, 2, 1), "turned")
    picture = moves.reshape(turned, (x.shape[0], 7, 6, 9), "picture")
    y = conv(picture, "d")  # (1, 5, 4, 6)
    y = moves.strided_slice(y, (0, 1, 0, 1), (x.shape[0], 5, 4, 6), "cut", step=(1, 2, 1, 1))
    return moves.flatten(y, "flat")


def put_together(x: Node) -> Node:
    c = conv(x, "c")
    y = moves.concatenate([c, operations.relu(c, "r"), c], "channels")
    y = moves.concatenate([y, y], "rows", axis=1)
    return moves.concatenate([operations.mean(c, "m"), operations.mean(y, "n")], "numbers")


def repeated(x: Node) -> Node:
    c = conv(x, "c")
    pooled = operations.reduce(Operation.REDUCE_MEAN, c, (1, 2), "pooled", keep=True)
    return operations.add(moves.broadcast(pooled, c.shape, "repeated"), c, "y")


def around(x: Node) -> Node:
    y = moves.pad(conv(moves.pad(x, (0, 1, 2, 0), "zeros"), "c"), (1, 2, 3, 4), "ones", value=1)
    return operations.relu(moves.pad(y, (1, 0, 0, 1), "more"), "y")


CASES: dict[str, Callable[[Node], Node]] = {
    "convolutions": depthwise,
    "dense": dense,
    "batch norm": batch_norm,
    "PReLU": unary(lambda x, name: operations.prelu(x, noise(x.shape[-1]), name)),
    "leaky ReLU": unary(lambda x, name: operations.leaky_relu(x, 0.3, name)),
    "softmax": unary(operations.softmax),
    "unit length": unary(operations.unit_length),
    "pad": around,
    "max pool": pooled(operations.max_pool),
    "average pool": pooled(operations.average_pool),
    "moves": moved,
    "concatenate": put_together,
    "broadcast": repeated,
    **{f"power {n}": power(n) for n in (0.5, -0.5, 2, -1, 1.5)},
    **{one.value: activated(one) for one in operations.ACTIVATIONS},
    **{
        one.value: of_two(one)
        for one in (*operations.BINARY_OR_WITH_CONSTANT, *operations.BINARY_ONLY)
    },
    **{f"{one.value} constant": of_constant(one) for one in operations.BINARY_OR_WITH_CONSTANT},
    **{one.value: reduced(one) for one in operations.REDUCTIONS},
    **{one.value: resized(one) for one in (Operation.RESIZE_NEAREST, Operation.RESIZE_BILINEAR)},
}


def test_all_operations_are_among_the_cases() -> None:
    x = operations.graph_input("x", SHAPE)
    drawn = {node.operation for draw in CASES.values() for node in Graph("g", (draw(x),)).nodes}
    assert drawn == set(Operation) - {Operation.ERF}


def answers(content: bytes, path: Path, pictures: Float32Array) -> list[Float32Array]:
    path.write_bytes(content)
    return list(LiteRtNet(path).run(pictures))


def require_one_function(graph: Graph, folder: Path, count: int, tolerance: float = 1e-5) -> Graph:
    """Returns the graph that was read back."""
    (picture,) = graph.inputs
    pictures = noise(count, *picture.shape[1:])
    path = folder / "first.tflite"
    wanted = answers(to_litert(graph), path, pictures)
    read = read_litert_graph(path, name=graph.name)
    again = answers(to_litert(read), folder / "again.tflite", pictures)
    for one, other in zip(wanted, again, strict=True):
        np.testing.assert_array_equal(one, other)
    for which in (graph, read):
        onnx = folder / "net.onnx"
        onnx.write_bytes(to_onnx(which).model.SerializeToString())
        net = OnnxNet(onnx)
        assert net.inputs[0].shape[0] == DYNAMIC
        for one, other in zip(wanted, net.run(pictures), strict=True):
            assert one.shape == other.shape
            size = max(1.0, float(np.abs(one).max()))
            np.testing.assert_allclose(other / size, one / size, atol=tolerance)
    return read


COUNTS = [(case, count) for case in CASES for count in (1, 3) if (case, count) != ("broadcast", 3)]
"""LiteRT repeats to static dimensions alone"""


@pytest.mark.parametrize(("case", "count"), COUNTS)
def test_every_file_answers_alike(tmp_path: Path, case: str, count: int) -> None:
    """For one picture, and for a batch that is left open."""
    x = operations.graph_input("x", SHAPE if count == 1 else (DYNAMIC, *SHAPE[1:]))
    require_one_function(Graph("net", (CASES[case](x),)), tmp_path, count)


@settings(max_examples=20, deadline=None)
@given(
    sides=st.tuples(st.integers(4, 9), st.integers(4, 9)),
    size=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    pads=st.none() | st.tuples(*[st.integers(0, 2)] * 4),
    depth=st.sampled_from([4, 2, 1]),
    filters=st.sampled_from([4, 8]),
)
def test_windows_of_every_kind(
    tmp_path_factory: pytest.TempPathFactory,
    sides: tuple[int, int],
    size: tuple[int, int],
    stride: tuple[int, int],
    pads: tuple[int, int, int, int] | None,
    depth: int,
    filters: int,
) -> None:
    x = operations.graph_input("x", (1, *sides, 4))
    y = operations.convolution(x, noise(*size, depth, filters), "y", stride=stride, pads=pads)
    require_one_function(Graph("net", (y,)), tmp_path_factory.mktemp("window"), 1)


def test_sides_left_open_stay_open(tmp_path: Path) -> None:
    """As a detector's are, which resizes pictures by a factor on the way."""
    x = operations.graph_input("x", (1, DYNAMIC, DYNAMIC, 3))
    y = operations.max_pool(conv(x, "c"), (2, 2), "pool", stride=(2, 2), pads=None)
    places = Coordinates.ASYMMETRIC
    y = moves.resize(Operation.RESIZE_NEAREST, y, "resized", coordinates=places, factors=(2, 2))
    graph = Graph("open", (y, operations.softmax(conv(y, "d"), "softmax")))
    path = tmp_path / "open.tflite"
    path.write_bytes(to_litert(graph))
    read = read_litert_graph(path, name="open")
    assert to_litert(read) == path.read_bytes()
    onnx = tmp_path / "open.onnx"
    onnx.write_bytes(to_onnx(read).model.SerializeToString())
    for sides in ((10, 12), (14, 8)):
        pictures = noise(1, *sides, 3)
        wanted, found = LiteRtNet(path).run(pictures), OnnxNet(onnx).run(pictures)
        for one, other in zip(wanted, found, strict=True):
            np.testing.assert_allclose(other, one, atol=1e-5)


def max_form(x: Node, slope: Float32Array) -> Node:
    return operations.elementwise(Operation.MAXIMUM, operations.multiply(x, slope, "m"), x, "y")


def sum_form(x: Node, slope: Float32Array) -> Node:
    relu = operations.relu(x, "r")
    below = operations.elementwise(Operation.SUBTRACT, x, relu, "below")
    return operations.add(relu, operations.multiply(below, slope, "m"), "y")


def difference_form(x: Node, slope: Float32Array) -> Node:
    negative = operations.relu(operations.multiply(x, np.full(1, -1, np.float32), "n"), "below")
    product = operations.multiply(negative, slope, "m")
    return operations.elementwise(Operation.SUBTRACT, operations.relu(x, "r"), product, "y")


def minimum_form(x: Node, slope: Float32Array) -> Node:
    below = operations.elementwise(Operation.MINIMUM, x, np.zeros(1, np.float32), "below")
    return operations.add(operations.multiply(below, slope, "m"), operations.relu(x, "r"), "y")


def line_form(x: Node, slope: Float32Array) -> Node:
    above = operations.multiply(operations.relu(x, "r"), 1 - slope, "rest")
    return operations.add(operations.multiply(x, slope, "m"), above, "y")


FORMS = (max_form, sum_form, difference_form, minimum_form, line_form)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("largest", [0.9, 1.8])
def test_a_prelu_of_several_operators_is_one_again(
    tmp_path: Path, form: Callable[[Node, Float32Array], Node], largest: float
) -> None:
    """But for max(x, a x) with a > 1, which is none."""
    slope = np.linspace(-0.5, largest, 4, dtype=np.float32)
    graph = Graph("net", (form(operations.graph_input("x", SHAPE), slope),))
    path = tmp_path / "net.tflite"
    path.write_bytes(to_litert(graph))
    read = read_litert_graph(path, name="net")
    again = tmp_path / "again.tflite"
    again.write_bytes(to_litert(read))
    is_one = [node.operation for node in read.nodes] == [Operation.INPUT, Operation.PRELU]
    assert is_one == (form is not max_form or largest < 1)
    pictures = noise(*SHAPE)
    (wanted,), (found,) = LiteRtNet(path).run(pictures), LiteRtNet(again).run(pictures)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_a_prelu_that_was_written_as_onnx_is_read_as_one(tmp_path: Path) -> None:
    """ONNX Runtime is given it in several operators, for the sake of time."""
    slope = np.linspace(-1, 2, 6, dtype=np.float32)
    y = operations.prelu(conv(operations.graph_input("x", (1, 9, 11, 3)), "c"), slope, "y")
    path = tmp_path / "net.onnx"
    path.write_bytes(to_onnx(Graph("net", (operations.mean(y, "mean"),))).model.SerializeToString())
    read = read_onnx_graph(path, name="net")
    (prelu,) = (node for node in read.nodes if node.operation is Operation.PRELU)
    np.testing.assert_array_equal(prelu.weights["slope"], slope)
    assert len(read.nodes) == 4


def test_what_would_not_hold_for_a_batch_is_not_written_as_onnx() -> None:
    x = operations.graph_input("x", (1, 4, 4, 1))
    for y, said in (
        (
            operations.reduce(Operation.REDUCE_MEAN, x, (0,), "y", keep=True),
            "combines the images of a batch",
        ),
        (moves.concatenate([x, x], "y", axis=0), "first axis must be the batch"),
        (moves.transpose(x, (3, 1, 2, 0), "y"), "moves the batch axis"),
        (moves.reshape(x, (16, 1), "y"), "first axis must be the batch"),
    ):
        with pytest.raises(ModelBuildError, match=f"y:? {said}|y: its {said}"):
            to_onnx(Graph("net", (y,)))
