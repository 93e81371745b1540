"""Writes a graph as a float32 LiteRT file, without TensorFlow.

Dynamic dimensions stay dynamic.  Batch norms, factors and offsets are folded, and activation
functions are merged with the operator before them, as LiteRT's own converters do.
"""

from __future__ import annotations

from facekit.graph.fold import fold_batch_norms
from facekit.graph.graph import Graph, Node, Operation
from facekit.graph.write.litert_elementwise import (
    ELEMENTWISE_WRITERS,
    FUSABLE_ACTIVATIONS,
    FUSING_OPERATIONS,
)
from facekit.graph.write.litert_file import LiteRtFile, Writer
from facekit.graph.write.litert_layers import LAYER_WRITERS
from facekit.graph.write.litert_moves import DATA_MOVEMENT_WRITERS


def to_litert(graph: Graph) -> bytes:
    """Returns the content of the file.

    Raises ModelBuildError if LiteRT has no operator for a node.
    """
    file = LiteRtFile(graph.name)
    graph = fold_batch_norms(graph)
    fused = _fused_activations(graph)
    absorbed = set(fused.values())
    for node in graph.nodes:
        if node in absorbed:
            file.tensors_of[node.name] = file.tensors_of[node.inputs[0].name]
        else:
            _WRITERS[node.operation](file, node, fused.get(node))
    return file.to_bytes(graph)


def _fused_activations(graph: Graph) -> dict[Node, Node]:
    """Maps each node into which an activation function can be merged to that activation function.

    The activation function must be the only user of the node.
    """
    use_counts = graph.use_counts
    return {
        node.inputs[0]: node
        for node in graph.nodes
        if node.operation in FUSABLE_ACTIVATIONS
        and node.inputs[0].operation in FUSING_OPERATIONS
        and use_counts[node.inputs[0]] == 1
    }


def _input(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    file.add_activation(node)


_WRITERS: dict[Operation, Writer] = {
    Operation.INPUT: _input,
    **LAYER_WRITERS,
    **ELEMENTWISE_WRITERS,
    **DATA_MOVEMENT_WRITERS,
}
