"""Computes with boxes as arrays.

A box is x1, y1, x2, y2 in pixels, x2 and y2 exclusive; boxes are float32 (N, 4), scores float32
(N,), and N = 0 is valid everywhere.
"""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from facekit.types import Float32Array

_SWEEP_BLOCK = 128


class Overlap(Enum):
    """The area by which the intersection of two boxes is divided."""

    UNION = "union"
    """The area of the union: the usual IoU."""
    SMALLER = "smaller"
    """The area of the smaller box: the result is 1 if one box contains the other."""


def areas(boxes: Float32Array) -> Float32Array:
    """Returns (N,) areas in px^2 of (N, 4) boxes; 0 for a box with x2 <= x1 or y2 <= y1."""
    sizes = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return np.asarray(sizes[:, 0] * sizes[:, 1])


def overlaps(a: Float32Array, b: Float32Array, measure: Overlap = Overlap.UNION) -> Float32Array:
    """Returns the (N, M) overlaps, 0..1, of (N, 4) and (M, 4) boxes; 0 for a box without area."""
    shared, whole = _shared_and_whole(a, b, measure)
    return np.divide(shared, whole, out=np.zeros_like(shared), where=shared > 0)


def _shared_and_whole(
    a: Float32Array, b: Float32Array, measure: Overlap
) -> tuple[Float32Array, Float32Array]:
    """Returns two (N, M) arrays in px^2: the intersections, and the areas that divide them."""
    ax1, ay1, ax2, ay2 = a.T[:, :, None]
    bx1, by1, bx2, by2 = b.T[:, None, :]
    width = np.minimum(ax2, bx2) - np.maximum(ax1, bx1)
    height = np.minimum(ay2, by2) - np.maximum(ay1, by1)
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    area_a, area_b = areas(a)[:, None], areas(b)[None, :]
    if measure is Overlap.SMALLER:
        return shared, np.minimum(area_a, area_b)
    return shared, area_a + area_b - shared


def by_score(scores: Float32Array) -> NDArray[np.intp]:
    """Returns indices (N,), highest score first; of equal scores, the later index comes first.

    The mtcnn package has the same order.  Equal scores are frequent, because the net's probability
    is exactly 1 for several neighboring boxes.
    """
    return np.argsort(scores, kind="stable")[::-1]


def suppressed(
    boxes: Float32Array, scores: Float32Array, *, threshold: float, measure: Overlap = Overlap.UNION
) -> NDArray[np.intp]:
    """Returns the indices (K,) of the boxes that no better box overlaps by more than `threshold`.

    The best box comes first.  NB: a box that is suppressed still suppresses others, as in the mtcnn
    package and unlike greedy suppression: of a > b > c where a overlaps b and b overlaps c, only a
    is kept.
    """
    order = by_score(scores)
    kept = np.ones(len(order), np.bool_)
    # A block of boxes, sorted from left to right, is compared only with boxes that it can overlap.
    ranks = np.argsort(boxes[order, 0], kind="stable")
    swept = boxes[order[ranks]]
    left, right = swept[:, 0], swept[:, 2]
    widest = np.max(right - left, initial=0)
    for start in range(0, len(order), _SWEEP_BLOCK):
        block = slice(start, start + _SWEEP_BLOCK)
        reach = slice(
            np.searchsorted(left, left[start] - widest), np.searchsorted(left, right[block].max())
        )
        shared, whole = _shared_and_whole(swept[block], swept[reach], measure)
        covered = (shared > np.float32(threshold) * whole) & (ranks[reach] < ranks[block, None])
        kept[ranks[block]] = ~covered.any(axis=1)
    return order[kept]


def greedily_suppressed(
    boxes: Float32Array, scores: Float32Array, *, threshold: float
) -> NDArray[np.intp]:
    """Returns indices (K,) of the boxes that no better kept box overlaps by more than this IoU.

    The best box comes first.  As in OpenCV, of a > b > c where a overlaps b and b overlaps c, a and
    c are kept.
    """
    order, kept = by_score(scores), []
    while len(order):
        kept.append(order[0])
        shared = overlaps(boxes[order[:1]], boxes[order[1:]])[0]
        order = order[1:][shared <= np.float32(threshold)]
    return np.array(kept, np.intp)


def squares(boxes: Float32Array) -> Float32Array:
    """Extends (N, 4) boxes along their shorter side, about the center, to squares (N, 4)."""
    sizes = boxes[:, 2:] - boxes[:, :2]
    longest = sizes.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + (sizes - longest) * np.float32(0.5)
    return np.concatenate([corner, corner + longest], axis=1)
