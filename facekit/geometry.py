"""Boxes as arrays.

A box is x1, y1, x2, y2 in pixels, x2 and y2 exclusive; boxes are float32 (N, 4), scores float32
(N,), and N = 0 is legal everywhere.
"""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from facekit.types import Float32Array

_SUPPRESSION_BLOCK = 256  # rows compared at once: bounds the overlap matrix to 256 x N


class Overlap(Enum):
    """What the intersection of two boxes is divided by."""

    UNION = "union"
    """area of the union: the usual IoU"""
    SMALLER = "smaller"
    """area of the smaller box: 1 where one box contains the other"""


def areas(boxes: Float32Array) -> Float32Array:
    """(N, 4) -> (N,) px^2; 0 for a box whose x2 <= x1 or y2 <= y1."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1], np.float32)


def overlaps(a: Float32Array, b: Float32Array, measure: Overlap = Overlap.UNION) -> Float32Array:
    """All pairs: (N, 4), (M, 4) -> (N, M) in 0..1; 0 where a box has no area."""
    left_top = np.maximum(a[:, None, :2], b[None, :, :2])
    right_bottom = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.maximum(right_bottom - left_top, 0)
    shared = sides[..., 0] * sides[..., 1]
    area_a, area_b = areas(a)[:, None], areas(b)[None, :]
    whole = area_a + area_b - shared if measure is Overlap.UNION else np.minimum(area_a, area_b)
    return np.asarray(
        np.divide(shared, whole, out=np.zeros_like(shared), where=shared > 0), np.float32
    )


def by_score(scores: Float32Array) -> NDArray[np.intp]:
    """Indices (N,), best score first; of equal scores the later one, as in the mtcnn package.

    Equal scores are common: a net that is sure says exactly 1 for several neighbouring boxes.
    """
    return np.argsort(scores, kind="stable")[::-1]


def suppressed(
    boxes: Float32Array, scores: Float32Array, *, threshold: float, measure: Overlap = Overlap.UNION
) -> NDArray[np.intp]:
    """Indices of the boxes that no better box overlaps by more than `threshold`, best first.

    NB: a box that is itself suppressed still suppresses, as in the mtcnn package and unlike
    greedy suppression: of a chain a > b > c where a covers b and b covers c, a alone stays.
    """
    order = by_score(scores)
    ranked = boxes[order]
    kept = np.ones(len(order), np.bool_)
    for start in range(0, len(order), _SUPPRESSION_BLOCK):
        block = slice(start, start + _SUPPRESSION_BLOCK)
        better = ranked[: block.stop]
        covered = overlaps(ranked[block], better, measure) > threshold
        kept[block] = ~np.tril(covered, k=start - 1).any(axis=1)
    return order[kept]


def squares(boxes: Float32Array) -> Float32Array:
    """(N, 4) -> (N, 4): the shorter side grown about the centre to the longer one."""
    sides = boxes[:, 2:] - boxes[:, :2]
    longest = sides.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + sides * np.float32(0.5) - longest * np.float32(0.5)
    return np.concatenate([corner, corner + longest], axis=1)
