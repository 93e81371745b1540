"""Checks of the arguments from which a node is created.

All functions except `is_static` raise ModelBuildError, which names the node, if a check fails.
"""

from __future__ import annotations

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph.graph import DYNAMIC, Node, Shape
from facekit.types import Float32Array

MAX_FLOAT32 = float(np.finfo(np.float32).max)
MAX_POSITION = 1 << 27
"""Upper limit of pads, positions, window sizes and steps; it is larger than any image."""


def require(is_valid: bool, name: str, needed: str, received: object) -> None:
    if not is_valid:
        raise ModelBuildError(f"{name}: {needed} needed. Received: {received}.")


def require_channels(x: Node, weight: Float32Array, name: str) -> None:
    channels = x.shape[-1]
    fits = weight.shape == (channels,)
    require(fits, name, f"one value for each of {channels}", f"shape {weight.shape}")


def require_image(x: Node, name: str) -> Shape:
    if len(x.shape) != 4:
        raise ModelBuildError(f"{name}: an image needed. Received: shape {x.shape}.")
    return x.shape


def require_finite(name: str, weights: dict[str, Float32Array]) -> dict[str, Float32Array]:
    """Returns the weights after checking that they are finite float32.

    Weights are checked when they come from a file, but not whenever a graph is rewritten.
    """
    for role, weight in weights.items():
        if weight.dtype != np.float32:
            raise ModelBuildError(f"{name}: {role} must be float32. Received: {weight.dtype}.")
        if not np.isfinite(weight).all():
            raise ModelBuildError(f"{name}: {role} holds values that are not finite.")
    return weights


def float_attribute(name: str, role: str, number: float) -> dict[str, float]:
    require(abs(number) <= MAX_FLOAT32, name, f"{role} of float32's range", number)
    return {role: number}


def broadcast_shape(a: Shape, b: Shape, name: str) -> Shape:
    """Returns the broadcast shape by NumPy's rule.

    A dynamic dimension is compatible only with 1 and with another dynamic dimension.
    """
    rank = max(len(a), len(b))
    shape = []
    for size_a, size_b in zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True):
        if size_a != size_b and 1 not in (size_a, size_b):
            raise ModelBuildError(f"{name}: shapes {a} and {b} do not go together.")
        shape.append(size_b if size_a == 1 else size_a)
    return tuple(shape)


def is_static(shape: Shape) -> bool:
    return DYNAMIC not in shape
