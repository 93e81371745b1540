"""What a node needs of the nodes and weights it is given.

All raise ModelBuildError naming the node, and what was needed.
"""

from __future__ import annotations

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph.graph import OPEN, Node, Shape
from facekit.types import Float32Array

MOST = float(np.finfo(np.float32).max)


def require(fits: bool, name: str, needed: str, received: object) -> None:
    if not fits:
        raise ModelBuildError(f"{name}: {needed} needed. Received: {received}.")


def require_channels(x: Node, weight: Float32Array, name: str) -> None:
    channels = x.shape[-1]
    fits = weight.shape == (channels,)
    require(fits, name, f"one number for each of {channels}", f"shape {weight.shape}")


def picture(x: Node, name: str) -> Shape:
    if len(x.shape) != 4:
        raise ModelBuildError(f"{name}: a picture needed. Received: shape {x.shape}.")
    return x.shape


def finite(name: str, weights: dict[str, Float32Array]) -> dict[str, Float32Array]:
    """Where weights come from outside; not again whenever a graph is rewritten."""
    for role, weight in weights.items():
        if weight.dtype != np.float32:
            raise ModelBuildError(f"{name}: {role} must be float32. Received: {weight.dtype}.")
        if not np.isfinite(weight).all():
            raise ModelBuildError(f"{name}: {role} holds values that are not finite.")
    return weights


def finite_number(name: str, role: str, number: float) -> dict[str, float]:
    require(abs(number) <= MOST, name, f"{role} of float32's range", number)
    return {role: number}


def broadcast_shape(a: Shape, b: Shape, name: str) -> Shape:
    """Of both together, by NumPy's rule; an open side goes with an open side, or with 1."""
    rank = max(len(a), len(b))
    sides = []
    for one, other in zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True):
        if one != other and 1 not in (one, other):
            raise ModelBuildError(f"{name}: shapes {a} and {b} do not go together.")
        sides.append(other if one == 1 else one)
    return tuple(sides)


def known(shape: Shape) -> bool:
    return OPEN not in shape
