"""The error-versus-discard characteristic of a quality score (ISO/IEC 29794-1:2024, clause 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import InputError
from facekit.evaluation.metrics.error_rates import Flags, Scores

DISCARD_SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)


@dataclass(frozen=True, slots=True)
class DiscardPoint:
    """The FNMR after the genuine pairs of the lowest quality were left out."""

    discard_share: float
    """The share that was to be left out, 0..1; fewer are left out where qualities are equal."""
    discarded_count: int
    least_quality: float | None
    """The lowest quality that remains; None where nothing was left out."""
    n_genuine: int
    """Genuine pairs that remain."""
    false_non_matches: int
    """Those of them below the threshold."""

    @property
    def fnmr(self) -> float:
        return self.false_non_matches / self.n_genuine

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "fnmr": self.fnmr}


def error_versus_discard(
    scores: Scores,
    same: Flags,
    qualities: NDArray[np.float64],
    *,
    threshold: float,
    shares: Sequence[float] = DISCARD_SHARES,
) -> tuple[DiscardPoint, ...]:
    """Returns the FNMR at one threshold after discarding each share of the genuine pairs.

    `scores`, `same`: (N,) as in facekit/evaluation/metrics/error_rates.py.  `qualities`: (N, 2),
    the quality of both photos of each pair; the lower one is the pair's.  `shares`: 0 up to 1,
    exclusive.  The threshold stays the same for all shares.
    Raises InputError if there is no genuine pair.
    """
    if qualities.shape != (len(scores), 2) or not np.isfinite(qualities).all():
        raise ValueError(f"Two finite qualities a pair needed. Received: {qualities.shape}")
    if not same.any():
        raise InputError("A genuine pair is needed to see what quality is worth.")
    lower = qualities[same].min(1)
    missed = scores[same].astype(np.float64) < threshold
    order = np.sort(lower)
    points = []
    for share in shares:
        if not 0.0 <= share < 1.0:
            raise ValueError(f"A share lies in 0..1, without 1. Received: {share}")
        count = int(share * len(lower) + 1e-9)
        least = order[count] if count else -np.inf
        kept = lower >= least
        points.append(
            DiscardPoint(
                discard_share=share,
                discarded_count=int((~kept).sum()),
                least_quality=float(least) if count else None,
                n_genuine=int(kept.sum()),
                false_non_matches=int((missed & kept).sum()),
            )
        )
    return tuple(points)
