"""What is known of a tensor while an ONNX graph is read: its step and its layout."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.graph import steps
from facekit.graph.steps import Node
from facekit.types import Float32Array

CHANNELS_FIRST, CHANNELS_LAST, VECTOR = "NCHW", "NHWC", "NC"


@dataclass(frozen=True, slots=True, eq=False)
class Tracked:
    """A tensor that comes from the picture."""

    node: Node
    layout: str
    flattened: str = ""
    """the layout whose order a flattened picture's numbers have"""
    negated: bool = False
    """minus the node"""
    below: bool = False
    """ReLU of minus the node: what is below zero, as a PReLU made of operators has it"""
    slope: Float32Array | None = None
    """`below` times this"""
    length: bool = False
    """the vector's length, not the vector"""


Attributes = dict[str, Any]
Constant = NDArray[Any]
Value = Tracked | Constant | None
"""None for numbers that come from a shape, which is known without them"""


def changed(x: Tracked, **changes: Any) -> Tracked:
    """The tensor with some of its members replaced."""
    return replace(x, **changes)


def as_vector(x: Tracked, name: str) -> Tracked:
    """The tensor flattened to one vector a picture, in the order of its layout."""
    node = steps.flatten(x.node, name)
    return Tracked(node, VECTOR, flattened="" if node is x.node else x.layout)


def by_channel(constant: Constant, x: Tracked) -> Float32Array:
    """One number a channel, (C,), or one for all, (1,).

    Raises ValueError where it would be one a row or column.
    """
    shape = tuple(x.node.shape[2] if axis == "C" else 1 for axis in x.layout)
    if np.broadcast_shapes(constant.shape, shape) not in (shape, (1,) * len(shape)):
        raise ValueError(f"a constant of shape {constant.shape} on channels of {x.layout}")
    return constant.reshape(-1)
