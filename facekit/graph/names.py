"""What nodes are called: their layer, then what they do there, "Block35_1_Concatenate/concat".

These become the names of tensors in LiteRT files, by which stored activation ranges know them, and
their first part that of a Keras layer.
"""

from __future__ import annotations

from facekit.graph.graph import Node, Operation

_SUFFIXES = {
    Operation.CONVOLUTION: "Conv2D",
    Operation.DENSE: "MatMul",
    Operation.BATCH_NORM: "batchnorm",
    Operation.ADD: "Add",
    Operation.MULTIPLY: "mul",
    Operation.RELU: "Relu",
    Operation.MAX_POOL: "MaxPool2d",
    Operation.CONCATENATE: "concat",
}
"""as TensorFlow's converter called them when the ranges were measured; of others what they do"""
_WITH_BIAS = "BiasAdd"


def node_name(layer: str, operation: Operation, *, bias: bool = False) -> str:
    """Of the node that does `operation` in `layer`; `bias`: a convolution that has one."""
    named = bias and operation is Operation.CONVOLUTION
    return f"{layer}/{_WITH_BIAS if named else _suffix(operation)}"


def layer_name(node: Node) -> str:
    """Of a Keras layer that does what the node does: without what `node_name` adds, nor slashes,
    which Keras does not allow."""
    layer, _, suffix = node.name.rpartition("/")
    known = suffix in (_suffix(node.operation), _WITH_BIAS)
    return (layer if layer and known else node.name).replace("/", "_")


def _suffix(operation: Operation) -> str:
    return _SUFFIXES.get(operation) or operation.value.title().replace(" ", "")
