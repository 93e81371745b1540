"""Shapes of ONNX's tensors: what Reshape makes of them, and what of it takes no transposing.

An open side is OPEN.  Where shapes are multiplied, a large prime number stands for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TypeAlias

from facekit.errors import ModelBuildError
from facekit.graph.graph import OPEN, Shape

Axes: TypeAlias = tuple[int, ...]
"""of each side of a tensor in the file, its place among the sides of a node"""
_STAND_INS = (1_000_000_007, 1_000_000_009, 1_000_000_021, 1_000_000_033)


def plain(rank: int) -> Axes:
    """As in the file."""
    return tuple(range(rank))


def channels_last(rank: int) -> Axes:
    """Of a tensor that has its channels second."""
    return (0, rank - 1, *range(1, rank - 1)) if rank > 1 else plain(rank)


def target_shape(shape: Shape, target: Sequence[int], name: str, *, keeps: bool = True) -> Shape:
    """What Reshape makes of `shape`: 0 keeps a side where `keeps`, one -1 is what is left.

    Raises ModelBuildError where that does not go.
    """
    numbers = _numbers(shape)
    fits = list(target).count(-1) <= 1 and min(target, default=1) >= -1
    fits = fits and all(side or place < len(shape) for place, side in enumerate(target))
    if fits:
        sides = [
            numbers[place] if keeps and side == 0 else side for place, side in enumerate(target)
        ]
        others = prod(side for side in sides if side != -1)
        sides = [prod(numbers) // max(others, 1) if side == -1 else side for side in sides]
        if prod(sides) == prod(numbers):
            return tuple(OPEN if _is_open(side) else side for side in sides)
    raise ModelBuildError(f"{name}: shape {shape} cannot become {list(target)}.")


def regrouped(shape: Shape, axes: Axes, wanted: Shape) -> Axes | None:
    """Where the sides of `wanted` lie after a node that has the sides of `shape` at `axes` is
    reshaped; None where it must be transposed first."""
    numbers, others = _numbers(shape), _numbers(wanted)
    if wanted.count(OPEN) == 1:
        place = wanted.index(OPEN)
        others[place] = prod(numbers) // prod(others[:place] + others[place + 1 :])
    pairs = _pairs(numbers, others)
    there = sorted(axes[place] for before, _ in pairs for place in before)
    order: list[int] = []
    for before, after in sorted(pairs, key=lambda pair: axes[pair[0][0]]):
        at = [there.index(axes[place]) for place in before]
        if at != list(range(at[0], at[0] + len(at))):
            return None
        order += after
    rank = len(wanted)
    for usual in (axes, channels_last(rank), plain(rank)):
        if len(usual) == rank and sorted(order, key=usual.__getitem__) == order:
            return usual
    ones = [place for place in range(rank) if place not in order]
    final = ones + order
    return tuple(final.index(place) for place in range(rank))


def _pairs(a: Sequence[int], b: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """The places of sides of `a`, and of `b`, that hold the same numbers; no sides of 1."""
    left = [place for place, side in enumerate(a) if side != 1]
    right = [place for place, side in enumerate(b) if side != 1]
    pairs = []
    while left and right:
        before, after = [left.pop(0)], [right.pop(0)]
        numbers = a[before[0]], b[after[0]]
        while numbers[0] != numbers[1]:
            if numbers[0] < numbers[1]:
                before.append(left.pop(0))
                numbers = numbers[0] * a[before[-1]], numbers[1]
            else:
                after.append(right.pop(0))
                numbers = numbers[0], numbers[1] * b[after[-1]]
        pairs.append((before, after))
    return pairs


def _numbers(shape: Shape) -> list[int]:
    stand_ins = iter(_STAND_INS)
    return [next(stand_ins) if side == OPEN else side for side in shape]


def _is_open(number: int) -> bool:
    return any(number % one == 0 for one in _STAND_INS)
