"""Finds the measured threshold of a calibration for a false match rate (FMR)."""

from __future__ import annotations

from dataclasses import replace

from facekit.errors import NoOperatingPointError
from facekit.template.calibration import RULE_OF_THREE, Calibration, OperatingPoint, fmr_target


def finest_fmr(calibration: Calibration) -> float | None:
    """Returns the smallest FMR that the measured points support, or None if none was measured.

    This is the smallest measured FMR, but at least 3 / n_impostor (rule of three).
    """
    rates = [fmr for _, fmr in calibration.measured]
    if rates and calibration.n_impostor:
        return max(min(rates), RULE_OF_THREE / calibration.n_impostor)
    return min((fmr for fmr in rates if fmr > 0), default=None)


def point_at_fmr(calibration: Calibration, fmr: float) -> OperatingPoint:
    """Returns the lowest measured threshold whose measured FMR is at most `fmr`, 0..1.

    The FMR between two measured thresholds is unknown, so the stricter threshold is returned.  The
    point's `fmr` is the measured one.  Raises NoOperatingPointError if `fmr` is below `finest_fmr`,
    except if the card has an operating point for exactly this rate.
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
    """Returns the point at the highest threshold with a measured FMR, or None if there is none."""
    if not calibration.measured:
        return None
    return _point_at(calibration, *calibration.measured[-1])


def states(calibration: Calibration, target: str) -> bool:
    """Returns whether the calibration has an operating point for `target`."""
    return any(point.target == target for point in calibration.operating_points)


def _point_at(calibration: Calibration, similarity: float, fmr: float) -> OperatingPoint:
    """Returns a measured threshold, without FNMR and intervals if only the FMR curve has it."""
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
    """Rounds up to two digits, so that the displayed rate is itself accepted as an input."""
    mantissa, exponent = f"{rate:.1e}".split("e")
    if float(f"{mantissa}e{exponent}") < rate:
        mantissa = f"{float(mantissa) + 0.1:.1f}"
    return float(f"{mantissa}e{exponent}")
