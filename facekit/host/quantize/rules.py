"""From the values that an activation takes to the range that its integers cover."""

from __future__ import annotations

from enum import Enum

import numpy as np

from facekit.host.quantize.statistics import Histogram

Range = tuple[float, float]

TAIL = 1e-5
"""Share of the values that the percentile rule cuts off at each end.  Of 1e-4, 1e-5, 1e-6 and 0,
1e-5 gave the embeddings nearest to float32."""
_STEPS = 255
_CUTS = np.linspace(0.2, 1.0, 41)


class Rule(str, Enum):
    """What decides the range."""

    MINMAX = "minmax"
    """every value that was seen"""
    PERCENTILE = "percentile"
    """all but the last hundred-thousandth at each end"""
    MSE = "mse"
    """the least mean squared error of rounding and cutting together"""


def ranges(histograms: dict[str, Histogram], rule: Rule) -> dict[str, Range]:
    """Range by activation key; each holds 0, which padding needs to be exact."""
    one_range = {Rule.MINMAX: _minmax, Rule.PERCENTILE: _percentile, Rule.MSE: _mse}[rule]
    return {key: one_range(histogram) for key, histogram in histograms.items()}


def _minmax(histogram: Histogram) -> Range:
    return min(histogram.least, 0.0), max(histogram.greatest, 0.0)


def _percentile(histogram: Histogram) -> Range:
    below = np.cumsum(histogram.counts) / histogram.counts.sum()  # share up to and with a bin
    low = histogram.lower[np.searchsorted(below, TAIL)]
    high = histogram.upper[np.searchsorted(below[:-1], 1 - TAIL)]
    return min(float(low), 0.0), max(float(high), 0.0)


def _mse(histogram: Histogram) -> Range:
    """The best of 41 cuts of either end; values are taken to lie in the middle of their bins."""
    least, greatest = _minmax(histogram)
    values = (histogram.lower + histogram.upper) / 2
    candidates = [
        (low, high)
        for low in (least * _CUTS if least < 0 else (0.0,))
        for high in (greatest * _CUTS if greatest > 0 else (0.0,))
    ]
    errors = [_squared_error(values, histogram, low, high) for low, high in candidates]
    low, high = candidates[int(np.argmin(errors))]
    return float(low), float(high)


def _squared_error(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    histogram: Histogram,
    low: float,
    high: float,
) -> float:
    """Cut values are off by what is cut, the others by step²/12 on average."""
    cut = values - np.clip(values, low, high)
    step = (high - low) / _STEPS
    rounded = histogram.counts[cut == 0].sum() * step**2 / 12
    return float((histogram.counts * cut**2).sum() + rounded)
