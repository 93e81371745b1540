"""Which of a calibration's measured thresholds keeps to a false match rate (FMR)."""

from __future__ import annotations

from dataclasses import replace

from facekit.errors import NoOperatingPointError
from facekit.template.calibration import RULE_OF_THREE, Calibration, OperatingPoint, fmr_target


def finest_fmr(calibration: Calibration) -> float | None:
    """The smallest FMR that the measured points support; None where none was measured.

    It is the smallest one measured, but not below 3 in all impostor pairs (rule of three).
    """
    rates = [fmr for _, fmr in calibration.measured]
    if rates and calibration.n_impostor:
        return max(min(rates), RULE_OF_THREE / calibration.n_impostor)
    return min((fmr for fmr in rates if fmr > 0), default=None)


def point_at_fmr(calibration: Calibration, fmr: float) -> OperatingPoint:
    """The least threshold that was measured to let at most this share of impostors match.

    `fmr`: 0..1.  Between two measured thresholds the FMR is not known, so the stricter one serves:
    the `fmr` of the point is measured, and at most the one asked for.
    Raises NoOperatingPointError for a rate below `finest_fmr`, unless the card states a point for
    just this rate.
    """
    target = fmr_target(fmr)
    finest = finest_fmr(calibration)
    if finest is None or (fmr < finest and states(calibration, target)):
        return calibration.operating_point(target)
    if fmr < finest:
        pairs = f"{calibration.n_impostor:,} " if calibration.n_impostor else ""
        raise NoOperatingPointError(
            f"FMR {fmr:g} is finer than the model's card supports: on its {pairs}impostor pairs "
            f"{_rounded_up(finest):g} is the smallest. Pass a larger --fmr, or --threshold, or "
            "measure on photos of more people with facekit calibrate --write."
        )
    similarity, measured = next(one for one in calibration.measured if one[1] <= fmr)
    return replace(_point_at(calibration, similarity, measured), target=target)


def strictest_point(calibration: Calibration) -> OperatingPoint | None:
    """At the highest threshold with a measured FMR; None where none was measured."""
    if not calibration.measured:
        return None
    return _point_at(calibration, *calibration.measured[-1])


def states(calibration: Calibration, target: str) -> bool:
    """Does the calibration have an operating point for `target`?"""
    return any(point.target == target for point in calibration.operating_points)


def _point_at(calibration: Calibration, similarity: float, fmr: float) -> OperatingPoint:
    """A measured threshold; FNMR and intervals are not known where it is of the curve alone."""
    for point in calibration.operating_points:
        if (point.threshold_similarity, point.fmr) == (similarity, fmr):
            return point
    first = next(iter(calibration.operating_points), None)
    return OperatingPoint(
        target=fmr_target(fmr),
        threshold_similarity=similarity,
        fmr=fmr,
        fnmr=None,
        n_genuine=0,
        n_impostor=calibration.n_impostor,
        fmr_ci95=None,
        fnmr_ci95=None,
        protocol=calibration.source if first is None else first.protocol,
        dataset="" if first is None else first.dataset,
    )


def _rounded_up(rate: float) -> float:
    """To two digits, so that who asks for the number shown is not refused."""
    mantissa, exponent = f"{rate:.1e}".split("e")
    if float(f"{mantissa}e{exponent}") < rate:
        mantissa = f"{float(mantissa) + 0.1:.1f}"
    return float(f"{mantissa}e{exponent}")
