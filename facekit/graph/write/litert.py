"""A graph as a float32 LiteRT file, without TensorFlow.

Sides that the graph leaves open stay open.  Batch norms, factors and offsets are folded, and
activations fused with what they follow, as LiteRT's own converters do.
"""

from __future__ import annotations

from facekit.graph.fold import folded
from facekit.graph.graph import Graph, Node, Operation
from facekit.graph.write.litert_file import LiteRtFile, Writer
from facekit.graph.write.litert_layers import LAYERS
from facekit.graph.write.litert_moves import MOVES
from facekit.graph.write.litert_numbers import FUSED, FUSING, NUMBERS


def to_litert(graph: Graph) -> bytes:
    """The file's content.  Raises ModelBuildError for what LiteRT has no operator for."""
    file = LiteRtFile(graph.name)
    graph = folded(graph)
    fused = _fused_activations(graph)
    parts = set(fused.values())
    for node in graph.nodes:
        if node in parts:
            file.tensors_of[node.name] = file.tensors_of[node.inputs[0].name]
        else:
            _WRITERS[node.operation](file, node, fused.get(node))
    return file.packed(graph)


def _fused_activations(graph: Graph) -> dict[Node, Node]:
    """The ReLU that becomes part of a node, by that node: its only reader."""
    readers = graph.readers
    return {
        node.inputs[0]: node
        for node in graph.nodes
        if node.operation in FUSED
        and node.inputs[0].operation in FUSING
        and readers[node.inputs[0]] == 1
    }


def _input(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    file.computed(node)


_WRITERS: dict[Operation, Writer] = {Operation.INPUT: _input, **LAYERS, **NUMBERS, **MOVES}
