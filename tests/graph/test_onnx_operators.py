"""Every ONNX operator and form that is known: as a LiteRT file it answers as in ONNX Runtime."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facekit.errors import ModelBuildError
from facekit.graph.graph import DYNAMIC, Graph, Operation
from facekit.graph.read.onnx_constants import CONSTANT_FOLDERS
from facekit.graph.read.onnx_graph import OPERATORS, read_onnx_graph
from facekit.graph.write.litert import to_litert
from facekit.runtime.litert import LiteRtNet
from facekit.types import Float32Array

onnx = pytest.importorskip("onnx", reason="no onnx: pip install '.[convert]'")
pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install '.[convert]'")

from tests.networks.onnx_forms import (  # noqa: E402  # they need onnx
    CONSTANT_FORMS,
    FORMS,
    integers,
    scalar,
)
from tests.networks.onnx_models import (  # noqa: E402  # they need onnx
    SHAPE,
    answers_by_onnx_runtime,
    model,
    node,
    noise,
    written,
)


def compared(
    made: Any, folder: Path, x: Float32Array, *, channels_last: bool = False, **read: Any
) -> Graph:
    """The graph, after what it gives has been held against ONNX Runtime."""
    path = written(made, folder)
    graph = read_onnx_graph(path, name="made", **read)
    litert = folder / "made.tflite"
    litert.write_bytes(to_litert(graph))
    found = LiteRtNet(litert).run(x if channels_last else x.transpose(0, 2, 3, 1))
    wanted = answers_by_onnx_runtime(path, x)
    assert [one.name for one in graph.outputs] == [one.name for one in made.graph.output]
    for ours, theirs, output in zip(found, wanted, graph.outputs, strict=True):
        if theirs.ndim == 4:
            pixel = theirs.shape[2:] == (1, 1)
            turned = theirs[:, :, 0, 0] if pixel else theirs.transpose(0, 2, 3, 1)
            theirs = turned if _distance(ours, turned) < _distance(ours, theirs) else theirs
        assert ours.shape == theirs.shape
        assert all(a in (DYNAMIC, b) for a, b in zip(output.shape, ours.shape, strict=True))
        largest = np.abs(theirs[np.isfinite(theirs)]).max(initial=1)
        np.testing.assert_allclose(ours, theirs, atol=1e-5 * largest)
    return graph


CASES = [
    pytest.param(case, id=f"{kind}-{number}")
    for kind, cases in FORMS.items()
    for number, case in enumerate(cases)
]


def _distance(a: Float32Array, b: Float32Array) -> float:
    return float(np.abs(a - b).max()) if a.shape == b.shape else np.inf


@pytest.mark.parametrize("case", CASES)
def test_an_operator_answers_as_in_onnx_runtime(case: Any, tmp_path: Path) -> None:
    nodes, constants, opset = case if len(case) == 3 else (*case, 21)
    compared(model(nodes, constants, opset=opset), tmp_path, noise(*SHAPE))


@pytest.mark.parametrize("kind", CONSTANT_FORMS)
def test_an_operator_on_constants_answers_as_in_onnx_runtime(kind: str, tmp_path: Path) -> None:
    nodes, constants = CONSTANT_FORMS[kind]
    compared(model([*nodes, node("Add", "x c", "y")], constants), tmp_path, noise(*SHAPE))


def test_every_known_operator_is_tried() -> None:
    assert FORMS.keys() == OPERATORS.keys()
    assert CONSTANT_FORMS.keys() == CONSTANT_FOLDERS.keys()


@pytest.mark.parametrize(
    ("nodes", "constants", "operation"),
    [
        (  # x * clip(x + 3, 0, 6) / 6
            [
                node("Add", "x three", "a"),
                node("Clip", "a zero six", "b"),
                node("Mul", "x b", "c"),
                node("Div", "c six", "y"),
            ],
            {"three": scalar(3), "zero": scalar(0), "six": scalar(6)},
            Operation.HARD_SWISH,
        ),
        (
            [
                node("Add", "three x", "a"),
                node("Clip", "a zero six", "b"),
                node("Mul", "b sixth", "c"),
                node("Mul", "c x", "y"),
            ],
            {"three": scalar(3), "zero": scalar(0), "six": scalar(6), "sixth": scalar(1 / 6)},
            Operation.HARD_SWISH,
        ),
        (
            [node("HardSigmoid", "x", "a", alpha=1 / 6), node("Mul", "a x", "y")],
            {},
            Operation.HARD_SWISH,
        ),
        (  # as Keras does, with channels last
            [
                node("Transpose", "x", "t", perm=[0, 2, 3, 1]),
                node("Relu", "t", "a"),
                node("Neg", "t", "b"),
                node("Relu", "b", "c"),
                node("Mul", "c slope", "d"),
                node("Add", "a d", "y"),
            ],
            {"slope": noise(1, 1, 3)},
            Operation.PRELU,
        ),
        (
            [node("ReduceL2", "x axis", "a"), node("Div", "x a", "y")],
            {"axis": integers(1)},
            Operation.UNIT_LENGTH,
        ),
        (
            [
                node("Flatten", "x", "f"),
                node("Mul", "f f", "a"),
                node("ReduceSum", "a axis", "b"),
                node("Max", "b tiny", "c"),
                node("Sqrt", "c", "d"),
                node("Reciprocal", "d", "e"),
                node("Mul", "f e", "y"),
            ],
            {"axis": integers(1), "tiny": scalar(1e-12)},
            Operation.UNIT_LENGTH,
        ),
        (
            [
                node("Flatten", "x", "f"),
                node("Pow", "f two", "a"),
                node("ReduceSum", "a axis", "b"),
                node("Pow", "b half", "c"),
                node("Clip", "c tiny", "d"),
                node("Shape", "f", "s"),
                node("Expand", "d s", "e"),
                node("Div", "f e", "y"),
            ],
            {"axis": integers(1), "two": scalar(2), "half": scalar(0.5), "tiny": scalar(1e-12)},
            Operation.UNIT_LENGTH,
        ),
    ],
)
def test_what_exporters_spell_out_is_one_operation(
    nodes: list[Any], constants: dict[str, Any], operation: Operation, tmp_path: Path
) -> None:
    graph = compared(model(nodes, constants), tmp_path, 3 * noise(*SHAPE))
    left = {one.operation for one in graph.nodes} - {
        Operation.INPUT,
        Operation.RESHAPE,
        Operation.TRANSPOSE,
    }
    assert left == {operation}


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        (
            [
                node("Add", "x four", "a"),
                node("Clip", "a zero six", "b"),
                node("Mul", "x b", "c"),
                node("Div", "c six", "y"),
            ],
            {"four": scalar(4), "zero": scalar(0), "six": scalar(6)},
        ),
        (
            [
                node("ReduceL2", "x axis", "a"),
                node("Add", "a one", "b"),
                node("Div", "x b", "y"),
            ],
            {"axis": integers(1), "one": scalar(1)},
        ),
        (
            [
                node("ReduceL2", "x axis", "a"),
                node("Relu", "x", "r"),
                node("Div", "r a", "y"),
            ],
            {"axis": integers(1)},
        ),
        (
            [node("ReduceL2", "x axis", "a"), node("Div", "x a", "y")],
            {"axis": integers(2)},
        ),
    ],
)
def test_what_only_looks_alike_stays_as_it_is(
    nodes: list[Any], constants: dict[str, Any], tmp_path: Path
) -> None:
    graph = compared(model(nodes, constants), tmp_path, noise(*SHAPE))
    found = {one.operation for one in graph.nodes}
    assert not found & {Operation.HARD_SWISH, Operation.UNIT_LENGTH}


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["Conv", "MaxPool", "AveragePool"]),
    size=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    pads=st.tuples(*[st.integers(0, 3)] * 4),
    sides=st.tuples(st.integers(4, 12), st.integers(4, 12)),
    rounds_up=st.booleans(),
)
def test_windows_of_any_size_go_over_pictures_of_any_size(
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    size: tuple[int, int],
    stride: tuple[int, int],
    pads: tuple[int, int, int, int],
    sides: tuple[int, int],
    rounds_up: bool,
) -> None:
    around = [min(pad, size[place % 2] - 1) for place, pad in enumerate(pads)]
    attributes: dict[str, Any] = {"strides": stride, "pads": around, "kernel_shape": size}
    constants = {}
    if kind == "Conv":
        constants = {"w": noise(4, 3, *size)}
    elif rounds_up:
        attributes["ceil_mode"] = 1
    nodes = [node(kind, f"x {' '.join(constants)}", "y", **attributes)]
    shape = (1, 3, *sides)
    folder = tmp_path_factory.mktemp("windows")
    compared(model(nodes, constants, shape=shape), folder, noise(*shape))


@settings(max_examples=60, deadline=None)
@given(
    before=st.sampled_from([(1, 4, 6, 6), (1, 3, 4, 1), (1, 4, 1, 6)]),
    order=st.permutations([1, 2, 3]),
    sides=st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=3),
    then=st.sampled_from(["Relu", "Conv", "Transpose"]),
)
def test_shapes_and_orders_that_follow_each_other(
    tmp_path_factory: pytest.TempPathFactory,
    before: tuple[int, ...],
    order: list[int],
    sides: list[int],
    then: str,
) -> None:
    """Transposed, reshaped, transposed or not, and reshaped back."""
    count = int(np.prod(before))
    target = [1, *sides, -1]
    if count % int(np.prod(sides)):
        target = [1, -1]
    rank = len(target)
    nodes = [
        node("Transpose", "x", "a", perm=[0, *order]),
        node("Reshape", "a s", "b"),
        node("Transpose", "b", "c", perm=[0, *range(rank - 1, 0, -1)])
        if then == "Transpose"
        else node("Relu", "b", "c"),
        node("Reshape", "c t", "d"),
        node("Conv", "d w", "y") if then == "Conv" else node("Add", "d x", "y"),
    ]
    constants = {"s": integers(*target), "t": integers(*before)}
    constants["w"] = noise(2, before[1], 1, 1)
    folder = tmp_path_factory.mktemp("shapes")
    compared(model(nodes, constants, shape=before), folder, noise(*before))


@settings(max_examples=40, deadline=None)
@given(
    ranks=st.permutations([0, 1]),
    ones=st.tuples(*[st.booleans()] * 4),
    short=st.integers(1, 4),
    order=st.permutations([1, 2, 3]),
    kind=st.sampled_from(["Add", "Sub", "Mul", "Div"]),
    constant=st.booleans(),
)
def test_sides_are_repeated_as_numpy_does(
    tmp_path_factory: pytest.TempPathFactory,
    ranks: list[int],
    ones: tuple[bool, bool, bool, bool],
    short: int,
    order: list[int],
    kind: str,
    constant: bool,
) -> None:
    """Between a transposed picture and any part of its shape, on either side."""
    shape = (1, 3, 5, 4)
    turned = [shape[place] for place in [0, *order]]
    part = [1 if one else side for one, side in zip(ones, turned, strict=True)][-short:]
    names = ["t", "p"]
    nodes = [
        node("Transpose", "x", "t", perm=[0, *order]),
        node("ReduceMax", "t axes", "m", keepdims=1),
        node("Add", "m c", "e"),
        node("Identity", "c", "p") if constant else node("Sigmoid", "e", "p"),
        node(kind, f"{names[ranks[0]]} {names[ranks[1]]}", "y"),
    ]
    constants = {"axes": integers(1, 2, 3), "c": np.abs(noise(*part)) + np.float32(1)}
    if kind == "Div" and ranks[0] == 1:
        nodes[0] = node("Sigmoid", "x", "g")
        nodes.insert(1, node("Transpose", "g", "t", perm=[0, *order]))
    folder = tmp_path_factory.mktemp("sides")
    compared(model(nodes, constants, shape=shape), folder, noise(*shape))


SMALL = [-2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 10, 12]
SOUND = [(case[0], case[1], [*case, 21][2]) for cases in FORMS.values() for case in cases]


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_with_other_numbers_it_answers_as_in_onnx_runtime_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Other strides, pads, axes, shapes and pictures than those of the forms above."""
    chosen = random.Random(seed)
    nodes, constants, opset = chosen.choice(SOUND)
    made = model(nodes, constants, opset=opset)
    for attribute in (one for changed in made.graph.node for one in changed.attribute):
        if attribute.ints and chosen.random() < 0.4:
            attribute.ints[chosen.randrange(len(attribute.ints))] = chosen.choice(SMALL)
        if attribute.type == onnx.AttributeProto.INT and chosen.random() < 0.4:
            attribute.i = chosen.choice(SMALL)
    for tensor in made.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor).copy().reshape(-1)
        if values.dtype == np.int64 and values.size and chosen.random() < 0.4:
            values[chosen.randrange(values.size)] = chosen.choice(SMALL)
            tensor.raw_data = values.tobytes()
    shape = [1, *(chosen.choice([side, 1, 3, 4, 8]) for side in SHAPE[1:])]
    for side, dimension in zip(shape, made.graph.input[0].type.tensor_type.shape.dim, strict=True):
        dimension.dim_value = side
    folder = tmp_path_factory.mktemp("changed")
    with suppress(ModelBuildError):
        read_onnx_graph(written(made, folder), name="made")
        x = np.random.default_rng(seed).standard_normal(shape, np.float32)
        try:
            answers_by_onnx_runtime(folder / "made.onnx", x)
        except Exception:  # of ONNX Runtime, which has no base of its own
            return
        compared(made, folder, x, channels_last=shape[1] > 4)
