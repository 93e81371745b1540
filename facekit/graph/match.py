"""Two graphs laid on each other, node by node, whatever their nodes are called."""

from __future__ import annotations

import hashlib

from facekit.errors import ModelBuildError
from facekit.graph.graph import OPEN, Graph, Node, Operation
from facekit.graph.operations import same_pads


def matched(ours: Graph, theirs: Graph) -> dict[Node, Node]:
    """For each of our nodes the one of `theirs` that does the same, with weights of the same
    shapes, in the same place.

    Raises ModelBuildError naming the nodes where they first differ, coming from the input.
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
            pending += zip(node.inputs, _in_our_order(node, other, signatures), strict=True)
    return found


def _signatures(graph: Graph) -> dict[Node, str]:
    """Of each node a text that is the same for two that do the same with what leads to them."""
    signatures: dict[Node, str] = {}
    for node in graph.nodes:
        below = [signatures[one] for one in node.inputs]
        said = (_said(node), sorted(below) if node.operation is Operation.ADD else below)
        signatures[node] = hashlib.sha256(repr(said).encode()).hexdigest()
    return signatures


def _said(node: Node) -> str:
    window = node.window
    if window.pads is None and OPEN not in node.inputs[0].shape[1:3]:
        pads = same_pads(node.inputs[0].shape, window)
    else:
        pads = window.pads or (0, 0, 0, 0)
    shapes = {role: weight.shape for role, weight in sorted(node.weights.items())}
    return (
        f"{node.operation.value} of shape {node.shape[1:]}, stride {window.stride}, padding "
        f"{pads}, weights {shapes}"
    )


def _in_our_order(node: Node, other: Node, signatures: dict[Node, str]) -> tuple[Node, ...]:
    """A sum's inputs may stand in either order."""
    if node.operation is not Operation.ADD:
        return other.inputs
    order = [signatures[one] for one in node.inputs]
    return tuple(sorted(other.inputs, key=lambda one: order.index(signatures[one])))


def _difference(node: Node, other: Node, signatures: dict[Node, str]) -> str:
    while True:
        left, right = ({signatures[one]: one for one in each.inputs} for each in (node, other))
        own, others = left.keys() - right.keys(), right.keys() - left.keys()
        if _said(node) != _said(other) or not own or len(own) != len(others):
            return f"{node.name} is {_said(node)}; {other.name} is {_said(other)}"
        node, other = (
            next(one for one in each.inputs if signatures[one] in which)
            for each, which in ((node, own), (other, others))
        )
