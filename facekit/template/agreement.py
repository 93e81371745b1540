"""Checks that the error rates of one calibration agree with each other.

A false match rate (FMR) cannot rise with the threshold: every pair that reaches the higher one
reaches the lower one too.  A card whose rates rise was damaged, or edited without a measurement.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TypeAlias

Rate: TypeAlias = tuple[float, float]
"""A threshold similarity, -1..1, and the FMR at it, 0..1."""

FMR_TARGET = "fmr="
"""Start of the target of a threshold that was chosen for a false match rate, e.g. "fmr=1e-3"."""
_ROUNDING = 1.05
"""Cards that people write may round rates to two digits, which changes them by at most 5 %."""


def require_agreement(
    curve: Sequence[Rate], points: Iterable[tuple[str, float, float | None]]
) -> None:
    """Raises ValueError if an operating point contradicts its target, another point or the curve.

    `curve`: measured rates by rising threshold.  `points`: target, threshold similarity and FMR of
    each operating point.  A point of target "fmr=1e-3" without an FMR claims that it is 1e-3; any
    other point without an FMR is not checked.
    """
    thresholds = [threshold for threshold, _ in curve]
    rates = [fmr for _, fmr in curve]
    if thresholds != sorted(set(thresholds)) or rates != sorted(rates, reverse=True):
        raise ValueError("fmr_curve must have rising thresholds and falling rates.")
    if any(not -1.0 <= threshold <= 1.0 for threshold in thresholds):
        raise ValueError("fmr_curve must have thresholds in -1..1.")
    if any(not 0.0 <= fmr <= 1.0 for fmr in rates):
        raise ValueError("fmr_curve must have rates in 0..1.")
    stated = [("fmr_curve", rate) for rate in curve]
    for target, threshold, fmr in points:
        claimed = _claimed(target, fmr)
        if claimed is not None:
            stated.append((f"operating point {target!r}", (threshold, claimed)))
    stated.sort(key=lambda one: (one[1][0], -one[1][1]))
    for (lower_name, lower), (higher_name, higher) in pairwise(stated):
        rises = higher[1] > lower[1] * _ROUNDING
        if rises or (higher[0] == lower[0] and lower[1] > higher[1] * _ROUNDING):
            raise ValueError(
                "operating_points must agree with each other and with fmr_curve: the FMR cannot "
                f"rise with the threshold. Received: {_text(lower_name, lower)}, and "
                f"{_text(higher_name, higher)}"
            )


def _claimed(target: str, fmr: float | None) -> float | None:
    """Returns the FMR that a point claims; None if it claims none.

    Raises ValueError if it is above the target.
    """
    if not target.startswith(FMR_TARGET):
        return fmr
    try:
        most = float(target.removeprefix(FMR_TARGET))
    except ValueError:
        most = float("nan")
    claimed = most if fmr is None else fmr
    if not 0.0 <= claimed <= most:
        raise ValueError(
            f"operating point {target!r} must have an FMR of at most its target. "
            f"Received: {claimed:g}"
        )
    return claimed


def _text(name: str, rate: Rate) -> str:
    return f"{name} with FMR {rate[1]:g} at {rate[0]:g}"
