"""Rules that compute an activation's quantization range from its histogram."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.conversion.quantize.histograms import Histogram
from facekit.enums import RangeRule

Range = tuple[float, float]

TAIL = 1e-5
"""The share of values that the percentile rule clips at each end.

Of 1e-4, 1e-5, 1e-6 and 0, the share 1e-5 led to the embeddings closest to float32.
"""
_STEPS = 255
_ENTROPY_BINS = 2048
_ENTROPY_LEVELS = 128
_ENTROPY_STRIDE = 16
_CLIP_FRACTIONS = np.linspace(0.2, 1.0, 41)


def compute_ranges(histograms: dict[str, Histogram], rule: RangeRule) -> dict[str, Range]:
    """Returns the range, (min, max), of each activation by activation key.

    Each range contains 0, because padding needs an exact 0.
    """
    compute = {
        RangeRule.MINMAX: _minmax,
        RangeRule.PERCENTILE: _percentile,
        RangeRule.MSE: _mse,
        RangeRule.ENTROPY: _entropy,
    }[rule]
    return {key: compute(histogram) for key, histogram in histograms.items()}


def _minmax(histogram: Histogram) -> Range:
    return min(histogram.minimum, 0.0), max(histogram.maximum, 0.0)


def _percentile(histogram: Histogram) -> Range:
    # the share of values up to and including each bin
    cumulative = np.cumsum(histogram.counts) / histogram.counts.sum()
    low = histogram.lower[np.searchsorted(cumulative, TAIL)]
    high = histogram.upper[np.searchsorted(cumulative[:-1], 1 - TAIL)]
    return min(float(low), 0.0), max(float(high), 0.0)


def _mse(histogram: Histogram) -> Range:
    """Returns the range with the smallest squared error among 41 limits at each end.

    Each value is replaced by the center of its bin.
    """
    minimum, maximum = _minmax(histogram)
    values = (histogram.lower + histogram.upper) / 2
    candidates = [
        (low, high)
        for low in (minimum * _CLIP_FRACTIONS if minimum < 0 else (0.0,))
        for high in (maximum * _CLIP_FRACTIONS if maximum > 0 else (0.0,))
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
    """Returns the squared error of clipping and rounding.

    The rounding of a value that is not clipped counts as step²/12, its average.
    """
    beyond = values - np.clip(values, low, high)
    step = (high - low) / _STEPS
    rounded = histogram.counts[beyond == 0].sum() * step**2 / 12
    return float((histogram.counts * beyond**2).sum() + rounded)


def _entropy(histogram: Histogram) -> Range:
    """Returns the range with the smallest KL divergence, with the same limit for both ends.

    The limit is one of 121 of 2048 bins of the absolute values, as in NVIDIA's calibration ("8-bit
    Inference with TensorRT", Migacz, 2017).  The count of a bin of the histogram is added to the
    bin that contains the center.
    """
    minimum, maximum = _minmax(histogram)
    largest = max(-minimum, maximum)
    if largest == 0:
        return 0.0, 0.0
    magnitudes = np.abs(histogram.lower + histogram.upper) / 2
    bins = np.minimum((magnitudes / largest * _ENTROPY_BINS).astype(np.int64), _ENTROPY_BINS - 1)
    weights = histogram.counts.astype(np.float64)
    counts = np.bincount(bins, weights, _ENTROPY_BINS)
    indices = range(_ENTROPY_LEVELS, _ENTROPY_BINS + 1, _ENTROPY_STRIDE)
    limit = largest * min(indices, key=lambda index: _divergence(counts, index)) / _ENTROPY_BINS
    return max(minimum, -limit), min(maximum, limit)


def _divergence(counts: NDArray[Any], index: int) -> float:
    """Returns the KL divergence between a clipped histogram and its 128-level quantization.

    The histogram is clipped at bin `index`.  `counts` (2048,) is the number of values per bin of
    the absolute value.
    """
    clipped = counts[:index]
    reference = clipped.copy()
    reference[-1] += counts[index:].sum()
    level = np.arange(index) * _ENTROPY_LEVELS // index
    is_filled = clipped > 0
    sums = np.bincount(level, weights=clipped, minlength=_ENTROPY_LEVELS)
    filled_count = np.bincount(level, weights=is_filled, minlength=_ENTROPY_LEVELS)
    quantized = np.where(is_filled, sums[level] / np.maximum(filled_count[level], 1), 0.0)
    if not quantized.any():
        return float("inf")
    p, q = reference / reference.sum(), quantized / quantized.sum()
    lost = p[(q == 0) & (p > 0)].sum()  # clipped values in a last bin that was empty
    both = (p > 0) & (q > 0)
    return float((p[both] * np.log(p[both] / q[both])).sum()) + (float("inf") if lost else 0.0)
