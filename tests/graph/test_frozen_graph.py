"""The frozen graph's tensors, with one of them spoilt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.errors import ModelBuildError
from facekit.graph.read.facenet_pb import read_frozen_graph
from facekit.graph.read.graph_def import _GRAPH_DEF, GRAPH
from facekit.graph.read.protobuf import parse

ROOT = "InceptionResnetV1"
CONV = f"{ROOT}/Repeat_1/block17_3/Branch_1/Conv2d_0b_1x7"


@pytest.fixture(scope="module")
def graph_def(frozen_graph: Path) -> Any:
    return parse(frozen_graph, _GRAPH_DEF, GRAPH)


def _drop(graph: Any) -> None:
    index = next(i for i, node in enumerate(graph.node) if node.name == f"{CONV}/weights")
    del graph.node[index]


def _rename(graph: Any) -> None:
    _node(graph, f"{CONV}/Conv2D_bn_offset").name = f"{CONV}/BatchNorm/beta"


def _not_finite(graph: Any) -> None:
    _set(graph, f"{CONV}/Conv2D_bn_offset", np.full(128, np.nan, np.float32))


def _reshape(graph: Any) -> None:
    _set(graph, f"{CONV}/weights", np.zeros((7, 1, 128, 128), np.float32))


def _scale(graph: Any) -> None:
    _set(graph, f"{ROOT}/Repeat/block35_2/mul/x", np.float32(0.2))


def _node(graph: Any, name: str) -> Any:
    return next(node for node in graph.node if node.name == name)


def _set(graph: Any, name: str, value: Any) -> None:
    tensor = next(one.value for one in _node(graph, name).attr if one.key == "value").tensor
    tensor.tensor_content = value.tobytes()
    del tensor.tensor_shape.dim[:]
    for side in value.shape:
        tensor.tensor_shape.dim.add(size=side)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_drop, f"lacks the tensor {CONV}/weights"),
        (_rename, f"lacks the tensor {CONV}/Conv2D_bn_offset"),
        (_not_finite, f"{CONV}/Conv2D_bn_offset holds values that are not finite"),
        (_reshape, "does not fit Block17_3_Branch_1_Conv2d_0b_1x7/kernel"),
        (_scale, r"block35_2/mul/x must be 0\.17 throughout"),
    ],
)
def test_a_spoilt_graph_is_refused_by_name(
    graph_def: Any,
    tmp_path: Path,
    spoil: Callable[[Any], None],
    message: str,
) -> None:
    spoilt = type(graph_def)()
    spoilt.CopyFrom(graph_def)
    spoil(spoilt)
    path = tmp_path / "spoilt.pb"
    path.write_bytes(spoilt.SerializeToString())
    with pytest.raises(ModelBuildError, match=message):
        read_frozen_graph(path)


@pytest.mark.parametrize("content", [b"", b"not a graph", b"PK\x03\x04" + bytes(64)])
def test_what_is_no_graph_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "graph.pb"
    path.write_bytes(content)
    with pytest.raises(ModelBuildError, match=r"graph\.pb"):
        read_frozen_graph(path)
