"""From the values that an activation takes to the range that its integers cover."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.conversion.quantize.histograms import Histogram
from facekit.enums import RangeRule

Range = tuple[float, float]

TAIL = 1e-5
"""Share of the values that the percentile rule cuts off at each end.  Of 1e-4, 1e-5, 1e-6 and 0,
1e-5 gave the embeddings nearest to float32."""
_STEPS = 255
_ENTROPY_BINS = 2048
_ENTROPY_LEVELS = 128
_ENTROPY_STRIDE = 16
_CUTS = np.linspace(0.2, 1.0, 41)


def ranges(histograms: dict[str, Histogram], rule: RangeRule) -> dict[str, Range]:
    """Range by activation key; each holds 0, which padding needs to be exact."""
    one_range = {
        RangeRule.MINMAX: _minmax,
        RangeRule.PERCENTILE: _percentile,
        RangeRule.MSE: _mse,
        RangeRule.ENTROPY: _entropy,
    }[rule]
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
    beyond = values - np.clip(values, low, high)
    step = (high - low) / _STEPS
    rounded = histogram.counts[beyond == 0].sum() * step**2 / 12
    return float((histogram.counts * beyond**2).sum() + rounded)


def _entropy(histogram: Histogram) -> Range:
    """One cut for both ends, at one of 121 bins; 2048 bins of the values' size, as the paper.

    A bin of the histogram lies wholly in the bin of its middle.
    """
    least, greatest = _minmax(histogram)
    far = max(-least, greatest)
    if far == 0:
        return 0.0, 0.0
    sizes = np.abs(histogram.lower + histogram.upper) / 2
    bins = np.minimum((sizes / far * _ENTROPY_BINS).astype(np.int64), _ENTROPY_BINS - 1)
    weights = histogram.counts.astype(np.float64)
    counts = np.bincount(bins, weights, _ENTROPY_BINS)
    ends = range(_ENTROPY_LEVELS, _ENTROPY_BINS + 1, _ENTROPY_STRIDE)
    bound = far * min(ends, key=lambda end: _divergence(counts, end)) / _ENTROPY_BINS
    return max(least, -bound), min(greatest, bound)


def _divergence(counts: NDArray[Any], end: int) -> float:
    """Of the values cut at bin `end` and rounded to 128 levels, from the values cut there."""
    kept = counts[:end]
    wanted = kept.copy()
    wanted[-1] += counts[end:].sum()
    level = np.arange(end) * _ENTROPY_LEVELS // end
    there = kept > 0
    sums = np.bincount(level, weights=kept, minlength=_ENTROPY_LEVELS)
    filled = np.bincount(level, weights=there, minlength=_ENTROPY_LEVELS)
    rounded = np.where(there, sums[level] / np.maximum(filled[level], 1), 0.0)
    if not rounded.any():
        return float("inf")
    p, q = wanted / wanted.sum(), rounded / rounded.sum()
    lost = p[(q == 0) & (p > 0)].sum()  # cut values whose last bin was empty
    both = (p > 0) & (q > 0)
    return float((p[both] * np.log(p[both] / q[both])).sum()) + (float("inf") if lost else 0.0)
