"""Matches the nodes of two equal graphs, regardless of the names of the nodes."""

from __future__ import annotations

import hashlib

from facekit.errors import ModelBuildError
from facekit.graph.graph import DYNAMIC, Graph, Node, Operation
from facekit.graph.operations import same_pads


def match_nodes(ours: Graph, theirs: Graph) -> dict[Node, Node]:
    """Maps each node of `ours` to the node of `theirs` that computes the same.

    Two nodes correspond if they have the same operation, the same settings and weights of the same
    shapes, and if their inputs correspond.  If the graphs differ, raises ModelBuildError, which
    names the first nodes that differ, counted from the input.
    """
    signatures = _signatures(ours) | _signatures(theirs)
    found: dict[Node, Node] = {}
    pending = list(zip(ours.outputs, theirs.outputs, strict=True))
    if differing := [pair for pair in pending if signatures[pair[0]] != signatures[pair[1]]]:
        raise ModelBuildError(_difference(*differing[0], signatures))
    while pending:
        node, other = pending.pop()
        if node not in found:
            found[node] = other
            pending += zip(node.inputs, _matching_inputs(node, other, signatures), strict=True)
    return found


def _signatures(graph: Graph) -> dict[Node, str]:
    """Returns a hash for each node.

    Two nodes with the same description and equal inputs have equal hashes.
    """
    signatures: dict[Node, str] = {}
    for node in graph.nodes:
        inputs = [signatures[node_input] for node_input in node.inputs]
        described = (
            _description(node),
            sorted(inputs) if node.operation is Operation.ADD else inputs,
        )
        signatures[node] = hashlib.sha256(repr(described).encode()).hexdigest()
    return signatures


def _description(node: Node) -> str:
    window = node.window
    if window.pads is None and DYNAMIC not in node.inputs[0].shape[1:3]:
        pads = same_pads(node.inputs[0].shape, window)
    else:
        pads = window.pads or (0, 0, 0, 0)
    shapes = {role: weight.shape for role, weight in sorted(node.weights.items())}
    return (
        f"{node.operation.value} of shape {node.shape[1:]}, stride {window.stride}, padding "
        f"{pads}, weights {shapes}"
    )


def _matching_inputs(node: Node, other: Node, signatures: dict[Node, str]) -> tuple[Node, ...]:
    """Returns the inputs of `other` in the order of the inputs of `node`.

    The two orders can differ only for ADD.
    """
    if node.operation is not Operation.ADD:
        return other.inputs
    order = [signatures[node_input] for node_input in node.inputs]
    return tuple(sorted(other.inputs, key=lambda node_input: order.index(signatures[node_input])))


def _difference(node: Node, other: Node, signatures: dict[Node, str]) -> str:
    while True:
        left, right = (
            {signatures[node_input]: node_input for node_input in node_of_pair.inputs}
            for node_of_pair in (node, other)
        )
        only_ours, only_theirs = left.keys() - right.keys(), right.keys() - left.keys()
        if (
            _description(node) != _description(other)
            or not only_ours
            or len(only_ours) != len(only_theirs)
        ):
            return f"{node.name} is {_description(node)}; {other.name} is {_description(other)}"
        node, other = (
            next(
                node_input for node_input in node_of_pair.inputs if signatures[node_input] in which
            )
            for node_of_pair, which in ((node, only_ours), (other, only_theirs))
        )
