"""Converts cosine similarities to distances.  Imports nothing heavy: a thin client formats both.

The score is the cosine similarity s.  L2, squared L2 and angle are strictly decreasing functions of
s, so that a decision does not depend on the metric of the displayed distance:

    cosine distance   d = 1 - s             0..2
    squared L2        2 d                   0..4
    L2                sqrt(2 d)             0..2
    angular           arccos(s) / pi        0..1
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from facekit.enums import Metric


@dataclass(frozen=True, slots=True)
class _Formula:
    from_similarity: Callable[[float], float]
    to_similarity: Callable[[float], float]
    largest: float


_FORMULAE = {
    Metric.COSINE: _Formula(lambda s: 1.0 - s, lambda d: 1.0 - d, 2.0),
    Metric.SQL2: _Formula(lambda s: 2.0 * (1.0 - s), lambda d: 1.0 - d / 2.0, 4.0),
    Metric.L2: _Formula(lambda s: math.sqrt(2.0 * (1.0 - s)), lambda d: 1.0 - d * d / 2.0, 2.0),
    Metric.ANGULAR: _Formula(
        lambda s: math.acos(s) / math.pi, lambda d: math.cos(d * math.pi), 1.0
    ),
}


def distance(similarity: float, metric: Metric) -> float:
    """Converts a cosine similarity (-1..1) to a distance of `metric`; 0 for equal directions."""
    return _FORMULAE[metric].from_similarity(min(1.0, max(-1.0, similarity)))


def similarity_of(distance_value: float, metric: Metric) -> float:
    """Converts a distance to a cosine similarity.  Raises ValueError outside the metric's range."""
    formula = _FORMULAE[metric]
    if not 0.0 <= distance_value <= formula.largest:
        raise ValueError(
            f"A {metric.value} distance lies in 0..{formula.largest:g}. Received: {distance_value}"
        )
    return formula.to_similarity(distance_value)
