"""Node names: the layer, then the operation, e.g. "Block35_1_Concatenate/concat".

Node names are the tensor names in a LiteRT file, and stored activation ranges refer to tensors by
these names.  A Keras layer has the first part of a node name as its name.
"""

from __future__ import annotations

from facekit.graph.graph import Node, Operation

LINEAR = "/linear"
"""Suffix of the name of a layer that a LiteRT file merges with the activation function behind the
layer.  The name without the suffix belongs to the output of the activation function."""
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
"""The suffixes that TensorFlow's converter used when the stored activation ranges were measured.
Other operations have a suffix built from the name of the operation."""
_WITH_BIAS = "BiasAdd"


def node_name(layer: str, operation: Operation, *, bias: bool = False) -> str:
    """Returns the name of the node for `operation` in `layer`.

    `bias` states whether a convolution has a bias.  Other operations ignore it.
    """
    named = bias and operation is Operation.CONVOLUTION
    return f"{layer}/{_WITH_BIAS if named else _suffix(operation)}"


def keras_layer_name(node: Node) -> str:
    """Returns the name of the Keras layer for a node.

    This is the node's name without the suffix added by `node_name`, and with "_" instead of
    slashes, which Keras does not allow.
    """
    layer, _, suffix = node.name.rpartition("/")
    known = suffix in (_suffix(node.operation), _WITH_BIAS)
    return (layer if layer and known else node.name).replace("/", "_")


def _suffix(operation: Operation) -> str:
    return _SUFFIXES.get(operation) or operation.value.title().replace(" ", "")
