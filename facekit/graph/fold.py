"""Folds batch norms, constant factors and constant offsets into the layer before them.

Only exported files are folded.  A graph as read from a file keeps its batch norms, because further
training needs their statistics.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.graph import Graph, Node, Operation
from facekit.types import Float32Array

_FOLDABLE = (Operation.BATCH_NORM, Operation.ADD, Operation.MULTIPLY)
_FOLD_TARGETS = (Operation.CONVOLUTION, Operation.DENSE)


def fold_batch_norms(graph: Graph) -> Graph:
    """Returns a graph that computes the same function with fewer nodes.

    A batch norm, ADD or MULTIPLY with one value per channel is folded into the convolution or dense
    layer that is its input, if no other node uses that layer's output.  The merged layer takes the
    name of the folded node.  A factor of one is removed.

    Raises ModelBuildError if a folded weight exceeds the range of float32.
    """
    use_counts = {node.name: count for node, count in graph.use_counts.items()}

    def change(node: Node) -> Node:
        if node.operation not in _FOLDABLE or len(node.inputs) != 1:
            return node
        x = node.inputs[0]
        factor, offset = scale_and_offset(node)
        if offset is None and factor is not None and (factor == 1).all():
            use_counts[x.name] += use_counts[node.name] - 1
            return x
        if x.operation not in _FOLD_TARGETS or use_counts[x.name] > 1 or not _by_channel(node):
            return node
        weights = dict(x.weights)
        if factor is not None:
            weights |= {role: to_float32(weight * factor, node) for role, weight in weights.items()}
        if offset is not None:
            weights["bias"] = to_float32(weights.get("bias", np.float32(0)) + offset, node)
        return replace(x, name=node.name, weights=weights)

    return graph.rewrite(change)


def split_input_scaling(graph: Graph) -> tuple[Graph, tuple[float, float] | None]:
    """Separates an initial (pixels - mean) / std from the graph.

    Returns the graph without this step, and (mean, std), each one value for all channels, as a card
    stores them.  If the graph does not begin with such a step, returns the same graph and None.
    """
    use_counts = graph.use_counts
    (prefix_end,) = graph.inputs
    scaling: set[str] = set()
    factor, offset = 1.0, 0.0
    for node in graph.nodes:
        if node.inputs != (prefix_end,) or node.operation not in (
            Operation.ADD,
            Operation.MULTIPLY,
        ):
            continue
        value = float(node.weights["constant"].flat[0])
        if use_counts[prefix_end] > 1 or (node.weights["constant"] != value).any():
            break
        if node.operation is Operation.ADD:
            offset += value
        elif value == 0:
            break
        else:
            factor, offset = factor * value, offset * value
        scaling.add(node.name)
        prefix_end = node
    if not scaling:
        return graph, None
    network = graph.rewrite(lambda node: node.inputs[0] if node.name in scaling else node)
    return network, (-offset / factor, 1 / factor)


def _by_channel(node: Node) -> bool:
    return all(weight.ndim == 1 for weight in node.weights.values())


def remove_unit_length(graph: Graph) -> Graph:
    """Returns the graph without its final UNIT_LENGTH operation.

    The graph is returned unchanged if it does not end with UNIT_LENGTH, or if another node uses the
    operation's input.  The operation is not needed, because code that compares embeddings
    normalizes them anyway.  Quantized to integers, the operation would lose accuracy, and NPUs do
    not support it.
    """
    (output,) = graph.outputs
    if output.operation is not Operation.UNIT_LENGTH or graph.use_counts[output.inputs[0]] > 1:
        return graph
    (last,) = output.inputs
    return Graph(graph.name, (replace(last, name=output.name),))


def scale_and_offset(node: Node) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Returns factor and offset of a BATCH_NORM, MULTIPLY or ADD: the node is factor * x + offset.

    Factor and offset are float64 in the shape of the node's weights, usually (channels,).  The
    factor of an ADD and the offset of a MULTIPLY are None.
    """
    weights = {role: weight.astype(np.float64) for role, weight in node.weights.items()}
    if node.operation is Operation.MULTIPLY:
        return weights["constant"], None
    if node.operation is Operation.ADD:
        return None, weights["constant"]
    factor = weights.get("gamma", 1) / np.sqrt(
        weights["variance"] + node.float_attributes["epsilon"]
    )
    return factor, weights["beta"] - weights["mean"] * factor


def to_float32(values: NDArray[np.float64], node: Node) -> Float32Array:
    """Casts to float32.

    Raises ModelBuildError, which names the node, if a value exceeds the range of float32.
    """
    with np.errstate(over="ignore"):
        converted = values.astype(np.float32)
    if not np.isfinite(converted).all():
        raise ModelBuildError(f"{node.name}: its factors are too large for float32.")
    return converted
