"""Batch norms, factors and offsets multiplied into the layer before them, for the files that run.

A graph as it was read keeps them, with the statistics that further training needs.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.graph import Graph, Node, Operation
from facekit.types import Float32Array

_FOLDED = (Operation.BATCH_NORM, Operation.ADD, Operation.MULTIPLY)
_INTO = (Operation.CONVOLUTION, Operation.DENSE)


def folded(graph: Graph) -> Graph:
    """The same function in fewer nodes.

    What scales or shifts channels goes into the convolution or dense layer whose output it reads,
    where nothing else reads that; the layer is then called after it.  A factor of one is left out.
    Raises ModelBuildError for a product that float32 cannot hold.
    """
    readers = {node.name: count for node, count in graph.readers.items()}

    def change(node: Node) -> Node:
        if node.operation not in _FOLDED or len(node.inputs) != 1:
            return node
        x = node.inputs[0]
        factor, offset = line_of(node)
        if offset is None and factor is not None and (factor == 1).all():
            readers[x.name] += readers[node.name] - 1
            return x
        if x.operation not in _INTO or readers[x.name] > 1 or not _by_channel(node):
            return node
        weights = dict(x.weights)
        if factor is not None:
            weights |= {role: in_float32(one * factor, node) for role, one in weights.items()}
        if offset is not None:
            weights["bias"] = in_float32(weights.get("bias", np.float32(0)) + offset, node)
        return replace(x, name=node.name, weights=weights)

    return graph.rewritten(change)


def without_input_scaling(graph: Graph) -> tuple[Graph, tuple[float, float] | None]:
    """The network behind (pixels - mean) / std, and these two numbers; None where it has no such
    beginning.

    The same mean and std for all channels, as a card has them.
    """
    readers = graph.readers
    (last,) = graph.inputs
    scaling: set[str] = set()
    factor, offset = 1.0, 0.0
    for node in graph.nodes:
        if node.inputs != (last,) or node.operation not in (Operation.ADD, Operation.MULTIPLY):
            continue
        number = float(node.weights["constant"].flat[0])
        if readers[last] > 1 or (node.weights["constant"] != number).any():
            break
        if node.operation is Operation.ADD:
            offset += number
        elif number == 0:
            break
        else:
            factor, offset = factor * number, offset * number
        scaling.add(node.name)
        last = node
    if not scaling:
        return graph, None
    network = graph.rewritten(lambda node: node.inputs[0] if node.name in scaling else node)
    return network, (-offset / factor, 1 / factor)


def _by_channel(node: Node) -> bool:
    return all(weight.ndim == 1 for weight in node.weights.values())


def without_unit_length(graph: Graph) -> Graph:
    """The network before the last step that gives its one output unit length, where it has one.

    Whoever compares embeddings does that step, too; integers would lose by it, and NPUs have none.
    """
    (output,) = graph.outputs
    if output.operation is not Operation.UNIT_LENGTH or graph.readers[output.inputs[0]] > 1:
        return graph
    (before,) = output.inputs
    return Graph(graph.name, (replace(before, name=output.name),))


def line_of(node: Node) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Factor and offset of a node that does factor * x + offset: (channels,) each, or of the sides
    that a constant has."""
    weights = {role: weight.astype(np.float64) for role, weight in node.weights.items()}
    if node.operation is Operation.MULTIPLY:
        return weights["constant"], None
    if node.operation is Operation.ADD:
        return None, weights["constant"]
    factor = weights.get("gamma", 1) / np.sqrt(weights["variance"] + node.numbers["epsilon"])
    return factor, weights["beta"] - weights["mean"] * factor


def in_float32(values: NDArray[np.float64], node: Node) -> Float32Array:
    """Raises ModelBuildError naming the node where a value is too large."""
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if not np.isfinite(single).all():
        raise ModelBuildError(f"{node.name}: its factors are too large for float32.")
    return single
