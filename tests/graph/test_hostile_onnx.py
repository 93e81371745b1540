"""ONNX files made to do harm: refused by a sentence, and soon."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facekit.errors import ModelBuildError
from facekit.graph.read.onnx_graph import read_onnx_graph
from facekit.graph.write.litert import to_litert

onnx = pytest.importorskip("onnx", reason="no onnx: pip install '.[convert]'")

# Both need onnx.
from tests.networks.onnx_forms import CONSTANT_FORMS, FORMS, floats, integers, scalar  # noqa: E402  # they need onnx
from tests.networks.onnx_models import Draw, model, node, noise, written  # noqa: E402  # they need onnx

SECONDS = 15
"""of processor time that any file may take, on a slow machine"""


def chain(kind: str, count: int, second: str = "", **attributes: Any) -> list[Any]:
    names = ["x", *(f"n{number}" for number in range(1, count)), "y"]
    return [
        node(kind, f"{before} {second.format(place=place)}", after, **attributes)
        for place, (before, after) in enumerate(pairwise(names))
    ]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: (chain("Relu", 3_999), {}),
        lambda: (chain("Sigmoid", 3_999), {}),
        lambda: (chain("Transpose", 3_999, perm=[0, 1, 3, 2]), {}),
        lambda: (
            chain("Reshape", 3_999, "s{place}"),
            {f"s{place}": integers(*((1, 3, 4), (1, 4, 3))[place % 2]) for place in range(3_999)},
        ),
        lambda: (chain("Conv", 1_000, "w"), {"w": noise(3, 3, 1, 1)}),
        lambda: (chain("Flatten", 3_999), {}),
        lambda: (
            [step for at in range(1_500) for step in (
                node("Relu", f"n{at}" if at else "x", f"r{at}"),
                node("Add", f"n{at} r{at}" if at else "x r0", f"n{at + 1}" if at < 1_499 else "y"),
            )],
            {},
        ),
    ],
)  # fmt: skip
def test_thousands_of_nodes_are_read_soon(draw: Callable[[], Draw], tmp_path: Path) -> None:
    path = written(model(*draw(), shape=(1, 3, 2, 2)), tmp_path)
    begin = process_time()
    assert to_litert(read_onnx_graph(path, name="many"))
    assert process_time() - begin < SECONDS


def doubled(kind: str, count: int) -> list[Any]:
    """Each constant is read twice by what makes the next."""
    names = [f"c{number}" for number in range(count)]
    attributes = {"axis": 0} if kind == "Concat" else {}
    return [
        *(
            node(kind, f"{before} {before}", after, **attributes)
            for before, after in pairwise(names)
        ),
        node("Add", f"x {names[-1]}", "y"),
    ]


BOMBS: dict[str, tuple[list[Any], dict[str, Any], str]] = {
    "doubled": (doubled("Concat", 200), {"c0": noise(8)}, "elements at most|more than"),
    "many large": (
        [
            node("ConstantOfShape", "s", "c0"),
            *(node("Add", f"c{at} c{at}", f"c{at + 1}") for at in range(100)),
            node("Add", "x c100", "y"),
        ],
        {"s": integers(1 << 24)},
        "constants of more than",
    ),
    "filled": (
        [node("ConstantOfShape", "s", "c"), node("Add", "x c", "y")],
        {"s": integers(1 << 31, 1 << 31)},
        "elements at most",
    ),
    "filled, of negative sides": (
        [node("ConstantOfShape", "s", "c"), node("Add", "x c", "y")],
        {"s": integers(-1, 4)},
        "elements at most",
    ),
    "repeated": (
        [node("Expand", "a s", "c"), node("Add", "x c", "y")],
        {"a": noise(1), "s": integers(1 << 40)},
        "elements at most|too (big|large)|maximum",
    ),
    "repeated picture": (
        [node("Expand", "x s", "y")],
        {"s": integers(1 << 40, 1, 1, 1)},
        "elements are allowed",
    ),
    "a table of all pairs": (
        [node("Mul", "a b", "c"), node("Add", "x c", "y")],
        {"a": noise(1 << 16, 1), "b": noise(1, 1 << 16)},
        "elements at most",
    ),
    "taken often": (
        [node("Gather", "a i", "c"), node("Add", "x c", "y")],
        {"a": noise(1, 1 << 16), "i": np.zeros(1 << 14, np.int64)},
        "elements at most",
    ),
    "of a thousand sides": (
        [node("Reshape", "x s", "y")],
        {"s": np.ones(1_000, np.int64)},
        "cannot become|dimensions at most",
    ),
    "of a thousand sides that fit": (
        [node("Reshape", "x s", "y")],
        {"s": integers(*[1] * 1_000, -1)},
        "6 dimensions at most needed",
    ),
    "padded": (
        [node("Pad", "x p", "y")],
        {"p": integers(0, 0, 1 << 62, 0, 0, 0, 0, 0)},
        "pads of 0 to",
    ),
    "enlarged": (
        [node("Resize", "x - s", "y", mode="nearest")],
        {"s": floats(1, 1, 1e9, 1e9)},
        "whole numbers of rows",
    ),
    "enlarged without end": (
        [node("Resize", "x - s", "y", mode="linear")],
        {"s": floats(1, 1, np.inf, np.nan)},
        "whole numbers of rows|cannot be read",
    ),
    "a picture of many numbers": (
        [node("Conv", "x w", "a"), node("Concat", " ".join(["a"] * 9_000), "y", axis=1)],
        {"w": noise(200, 3, 1, 1)},
        "elements are allowed",
    ),
    "an exponent that is no number": (
        [node("Pow", "x e", "y")],
        {"e": scalar(np.nan)},
        "exponent of float32's range",
    ),
    "bounds that are no numbers": (
        [node("Clip", "x e", "y")],
        {"e": scalar(np.nan)},
        "numbers needed as its bounds",
    ),
    "weights that are no numbers": (
        [node("Conv", "x w", "y")],
        {"w": np.full((4, 3, 1, 1), np.nan, np.float32)},
        "kernel holds values that are not finite",
    ),
    "divided by nothing": (
        [node("Div", "x e", "y")],
        {"e": scalar(0)},
        "constant holds values that are not finite",
    ),
    "an empty constant": (
        [node("ReduceMax", "x", "a"), node("Add", "a e", "y")],
        {"e": np.zeros((1, 0), np.float32)},
        "1 to .* elements are allowed",
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_what_would_grow_without_end_is_refused(bomb: str, tmp_path: Path) -> None:
    nodes, constants, message = BOMBS[bomb]
    path = written(model(nodes, constants), tmp_path)
    begin = process_time()
    with pytest.raises(ModelBuildError, match=message):
        read_onnx_graph(path, name="bomb")
    assert process_time() - begin < SECONDS


REFUSED: dict[str, tuple[list[Any], dict[str, Any], str]] = {
    "an unknown operator": ([node("Loop", "x", "y")], {}, r"y is a Loop\. Known are Add, "),
    "a product of two": ([node("MatMul", "x x", "y")], {}, "y: its input 1 must be constant"),
    "a pool with holes": (
        [node("MaxPool", "x", "y", kernel_shape=[2, 2], dilations=[2, 2])],
        {},
        "y: a pool without dilation needed",
    ),
    "strides that pass over pixels": (
        [node("Conv", "x w", "y", auto_pad="SAME_UPPER", strides=[4, 4])],
        {"w": noise(4, 3, 1, 1)},
        "y: padding SAME_UPPER of a window of",
    ),
    "a pad of channels": (
        [node("Pad", "x p", "y")],
        {"p": integers(0, 1, 0, 0, 0, 0, 0, 0)},
        "y: pads of rows and columns",
    ),
    "a mirrored pad": (
        [node("Pad", "x p", "y", mode="reflect")],
        {"p": integers(0, 0, 1, 1, 0, 0, 0, 0)},
        "y: mode constant needed. Received: reflect",
    ),
    "a cubic resize": (
        [node("Resize", "x - s", "y", mode="cubic")],
        {"s": floats(1, 1, 2, 2)},
        "y resizes in a way that is not known: cubic",
    ),
    "a resize to a part of a pixel": (
        [node("Resize", "x - s", "y", mode="linear")],
        {"s": floats(1, 1, 1.3, 1.3)},
        "y: whole numbers of rows",
    ),
    "a resize of channels": (
        [node("Resize", "x - s", "y")],
        {"s": floats(1, 2, 1, 1)},
        "y must resize rows and columns",
    ),
    "a sum of absolute values": ([node("ReduceL1", "x", "y")], {}, "y is a ReduceL1"),
    "a norm of another kind": ([node("LpNormalization", "x", "y", p=1)], {}, "y: p 2"),
    "a slope for each pixel": (
        [node("PRelu", "x s", "y")],
        {"s": noise(3, 12, 10)},
        "y: one value for each of 3 channels",
    ),
    "parts that do not add up": (
        [node("Split", "x s", "a y", axis=1)],
        {"s": integers(1, 1)},
        "a: 2 parts of a dimension of 3 needed",
    ),
    "a slice backwards": (
        [node("Slice", "x b e a s", "y")],
        {"b": integers(-1), "e": integers(-9), "a": integers(2), "s": integers(-1)},
        "y: a part of .* that runs forwards",
    ),
    "an axis that is not there": ([node("Concat", "x x", "y", axis=4)], {}, "y: an axis of 4"),
    "shapes that do not go together": (
        [node("Add", "x c", "y")],
        {"c": noise(7, 1)},
        "y: shapes .* do not go together",
    ),
    "a cast to integers": ([node("Cast", "x", "y", to=7)], {}, "y: what is computed must stay"),
    "a second output of a pool": (
        [node("MaxPool", "x", "a b", kernel_shape=[2, 2]), node("Relu", "b", "y")],
        {},
        "y reads b, which no node before it computes",
    ),
    "a circle": (
        [node("Add", "x b", "a"), node("Relu", "a", "b"), node("Relu", "b", "y")],
        {},
        "a reads b, which no node before it computes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_a_form_that_is_not_known_is_refused_by_the_nodes_name(what: str, tmp_path: Path) -> None:
    nodes, constants, message = REFUSED[what]
    path = written(model(nodes, constants), tmp_path)
    with pytest.raises(ModelBuildError, match=rf"made\.onnx: {message}"):
        read_onnx_graph(path, name="refused")


SOUND = [
    (case[0], case[1], case[2] if len(case) == 3 else 21)
    for cases in FORMS.values()
    for case in cases
] + [
    ([*nodes, node("Add", "x c", "y")], constants, 21)
    for nodes, constants in CONSTANT_FORMS.values()
]


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_bytes_that_are_changed_make_it_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Nothing but a ModelBuildError may come of it, nor of writing what has been read."""
    chosen = random.Random(seed)
    nodes, constants, opset = chosen.choice(SOUND)
    content = bytearray(model(nodes, constants, opset=opset).SerializeToString())
    graph_only = min(len(content), 600)  # names, attributes and shapes: weights are most of a file
    for _ in range(chosen.randrange(1, 5)):
        content[chosen.randrange(chosen.choice([graph_only, len(content)]))] = chosen.randrange(256)
    path = written(bytes(content), tmp_path_factory.getbasetemp())
    with suppress(ModelBuildError):
        to_litert(read_onnx_graph(path, name="spoilt", any_size=chosen.random() < 0.2))


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_numbers_of_a_file_that_are_changed_make_it_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Sound messages with other attributes, shapes and inputs than those that fit."""
    chosen = random.Random(seed)
    nodes, constants, opset = chosen.choice(SOUND)
    made = model(nodes, constants, opset=opset)
    wild = [-(1 << 63), -(1 << 31), -2, -1, 0, 1, 2, 3, 7, 1 << 16, 1 << 31, (1 << 63) - 1]
    for changed in made.graph.node:
        for attribute in changed.attribute:
            if attribute.ints and chosen.random() < 0.3:
                attribute.ints[chosen.randrange(len(attribute.ints))] = chosen.choice(wild)
            if attribute.type == onnx.AttributeProto.INT and chosen.random() < 0.3:
                attribute.i = chosen.choice(wild)
        if changed.input and chosen.random() < 0.2:
            names = ["", "x", *constants, *(one.output[0] for one in made.graph.node)]
            changed.input[chosen.randrange(len(changed.input))] = chosen.choice(names)
        if chosen.random() < 0.05:
            del changed.input[chosen.randrange(len(changed.input) + 1) :]
    for tensor in made.graph.initializer:
        if tensor.data_type == onnx.TensorProto.INT64 and chosen.random() < 0.3:
            values = onnx.numpy_helper.to_array(tensor).copy().reshape(-1)
            if values.size:
                values[chosen.randrange(values.size)] = chosen.choice(wild)
            tensor.raw_data = values.tobytes()
        if tensor.dims and chosen.random() < 0.1:
            tensor.dims[0] = chosen.choice(wild)
    if chosen.random() < 0.2:
        sides = made.graph.input[0].type.tensor_type.shape.dim
        sides[chosen.randrange(4)].dim_value = chosen.choice(wild)
    path = written(made, tmp_path_factory.getbasetemp())
    with suppress(ModelBuildError):
        to_litert(read_onnx_graph(path, name="spoilt", any_size=chosen.random() < 0.2))


@pytest.mark.parametrize("content", [b"no model", b""])
def test_a_file_that_is_none_is_named_once(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelBuildError) as raised:
        read_onnx_graph(path, name="a")
    assert str(raised.value).count("a.onnx") == 1
