"""Shapes of ONNX's tensors: the output shape of Reshape, and which reshapes need no transpose.

A dynamic dimension is DYNAMIC.  In products of dimensions, a large prime number stands for each
dynamic dimension, so that it stays recognizable as a factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TypeAlias

from facekit.errors import ModelBuildError
from facekit.graph.graph import DYNAMIC, Shape

Axes: TypeAlias = tuple[int, ...]
"""For each axis of a tensor in the file, the index of that axis in the node."""
_STAND_INS = (1_000_000_007, 1_000_000_009, 1_000_000_021, 1_000_000_033)


def identity_axes(rank: int) -> Axes:
    """Returns the axes of a node that has its axes in the file's order."""
    return tuple(range(rank))


def channels_last_axes(rank: int) -> Axes:
    """Returns the axes of a channels-last node for a file's tensor with its channels second."""
    return (0, rank - 1, *range(1, rank - 1)) if rank > 1 else identity_axes(rank)


def resolve_shape(shape: Shape, target: Sequence[int], name: str, *, keeps: bool = True) -> Shape:
    """Returns the output shape of Reshape.

    A 0 in `target` keeps the input's dimension if `keeps` is true.  One -1 is inferred from the
    number of elements.  Raises ModelBuildError if the number of elements does not match.
    """
    sizes = _with_stand_ins(shape)
    fits = list(target).count(-1) <= 1 and min(target, default=1) >= -1
    fits = fits and all(size or axis < len(shape) for axis, size in enumerate(target))
    if fits:
        resolved = [
            sizes[axis] if keeps and size == 0 else size for axis, size in enumerate(target)
        ]
        other_sizes = prod(size for size in resolved if size != -1)
        resolved = [prod(sizes) // max(other_sizes, 1) if size == -1 else size for size in resolved]
        if prod(resolved) == prod(sizes):
            return tuple(DYNAMIC if _is_dynamic(size) else size for size in resolved)
    raise ModelBuildError(f"{name}: shape {shape} cannot become {list(target)}.")


def reshape_axes(shape: Shape, axes: Axes, target: Shape) -> Axes | None:
    """Returns the index in the node of each axis of `target` after a reshape.

    `shape` and `target` are in the file's layout; `axes` are the indices in the node of the axes of
    `shape`.  Returns None if the node must be transposed before the reshape.
    """
    sizes, target_sizes = _with_stand_ins(shape), _with_stand_ins(target)
    if target.count(DYNAMIC) == 1:
        axis = target.index(DYNAMIC)
        target_sizes[axis] = prod(sizes) // prod(target_sizes[:axis] + target_sizes[axis + 1 :])
    pairs = _matching_groups(sizes, target_sizes)
    node_axes = sorted(axes[axis] for before, _ in pairs for axis in before)
    order: list[int] = []
    for before, after in sorted(pairs, key=lambda pair: axes[pair[0][0]]):
        positions = [node_axes.index(axes[axis]) for axis in before]
        if positions != list(range(positions[0], positions[0] + len(positions))):
            return None
        order += after
    rank = len(target)
    for candidate in (axes, channels_last_axes(rank), identity_axes(rank)):
        if len(candidate) == rank and sorted(order, key=candidate.__getitem__) == order:
            return candidate
    ones = [axis for axis in range(rank) if axis not in order]
    final = ones + order
    return tuple(final.index(axis) for axis in range(rank))


def _matching_groups(a: Sequence[int], b: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """Returns groups of axes of a and b with equal products, without axes of size 1."""
    remaining_a = [axis for axis, size in enumerate(a) if size != 1]
    remaining_b = [axis for axis, size in enumerate(b) if size != 1]
    pairs = []
    while remaining_a and remaining_b:
        before, after = [remaining_a.pop(0)], [remaining_b.pop(0)]
        products = a[before[0]], b[after[0]]
        while products[0] != products[1]:
            if products[0] < products[1]:
                before.append(remaining_a.pop(0))
                products = products[0] * a[before[-1]], products[1]
            else:
                after.append(remaining_b.pop(0))
                products = products[0], products[1] * b[after[-1]]
        pairs.append((before, after))
    return pairs


def _with_stand_ins(shape: Shape) -> list[int]:
    stand_ins = iter(_STAND_INS)
    return [next(stand_ins) if size == DYNAMIC else size for size in shape]


def _is_dynamic(size: int) -> bool:
    return any(size % stand_in == 0 for stand_in in _STAND_INS)
