"""A graph's answers, by the LiteRT file that is made of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from facekit.graph.graph import Graph
from facekit.graph.write.litert import to_litert
from facekit.runtime.litert import LiteRtNet
from facekit.types import Float32Array


def answers(graph: Graph, pictures: Float32Array) -> Float32Array:
    """(N, H, W, 3) -> (N, D) of the one output."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.tflite"
        path.write_bytes(to_litert(graph))
        return LiteRtNet(path).run(pictures)[0]


def require_equal(ours: Graph, theirs: Graph) -> None:
    """The same nodes with the same names, weights and settings."""
    assert [node.name for node in ours.nodes] == [node.name for node in theirs.nodes]
    for a, b in zip(ours.nodes, theirs.nodes, strict=True):
        assert (a.operation, a.shape, a.window, a.float_attributes, a.int_attributes) == (
            b.operation, b.shape, b.window, b.float_attributes, b.int_attributes
        ), a.name  # fmt: skip
        assert [one.name for one in a.inputs] == [one.name for one in b.inputs]
        assert a.weights.keys() == b.weights.keys(), a.name
        for role, weight in a.weights.items():
            np.testing.assert_array_equal(weight, b.weights[role], err_msg=f"{a.name} {role}")
