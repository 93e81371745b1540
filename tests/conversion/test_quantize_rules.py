"""Histograms of activations, and the ranges that the rules make of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facekit.conversion.quantize.histograms import Histogram, _Counter, _histogram
from facekit.conversion.quantize.range_rules import TAIL, compute_ranges
from facekit.enums import RangeRule

VALUES = st.lists(
    st.floats(-1e6, 1e6, width=32, allow_subnormal=False), min_size=1, max_size=50
).map(lambda values: np.array(values, np.float32))


def histogram_of(*batches: list[float] | np.ndarray) -> Histogram:
    counter = _Counter()
    for batch in batches:
        counter.add(np.asarray(batch, np.float32))
    return _histogram(counter)


@given(VALUES)
def test_every_value_lies_in_a_bin_that_is_a_128th_of_it_wide(values: np.ndarray) -> None:
    histogram = histogram_of(values)
    assert histogram.counts.sum() == len(values)
    assert (histogram.counts > 0).all()
    assert (np.diff(histogram.lower) >= 0).all()
    for value in values:
        holding = (histogram.lower <= value) & (value <= histogram.upper)
        assert holding.any()
        widths = (histogram.upper - histogram.lower)[holding]
        assert widths.min() <= abs(value) / 128 + 1e-30


@given(VALUES, st.sampled_from(RangeRule))
def test_a_range_holds_zero_and_reaches_no_further_than_the_values(
    values: np.ndarray, rule: RangeRule
) -> None:
    low, high = compute_ranges({"x": histogram_of(values)}, rule)["x"]
    assert min(float(values.min()), 0.0) <= low <= 0.0
    assert 0.0 <= high <= max(float(values.max()), 0.0)


def test_minmax_keeps_every_value() -> None:
    assert compute_ranges({"x": histogram_of([1.0, -3.0], [7.5])}, RangeRule.MINMAX) == {
        "x": (-3.0, 7.5)
    }


def test_percentile_cuts_one_value_in_a_hundred_thousand_and_no_more() -> None:
    bulk = np.linspace(0, 1, int(1 / TAIL) * 2)
    low, high = compute_ranges({"x": histogram_of(bulk, [50.0])}, RangeRule.PERCENTILE)["x"]
    assert low == 0.0
    assert pytest.approx(high, rel=1 / 128) == 1.0
    _, kept = compute_ranges({"x": histogram_of(bulk[::4], [50.0])}, RangeRule.PERCENTILE)["x"]
    assert kept == 50.0  # one of 50,001 is more than the tail


def test_mse_weighs_cutting_against_rounding() -> None:
    bulk = np.tile(np.linspace(0, 1, 1000), 100)
    low, high = compute_ranges({"x": histogram_of(bulk, [3.0])}, RangeRule.MSE)["x"]
    # Cut at c: (3 - c)² once and 100,000 values rounded with (c / 255)² / 12.
    expected = min(
        3 * np.linspace(0.2, 1, 41),
        key=lambda c: (3 - c) ** 2 + 100_000 * (c / 255) ** 2 / 12 + (c < 1) * 1e9,
    )
    assert low == 0.0
    assert high == pytest.approx(expected)


def test_negative_bins_are_in_order() -> None:
    histogram = histogram_of([-2.0, -1.0, -1.5, 0.0, 3.0])
    assert histogram.lower[0] == pytest.approx(-2.0, rel=1 / 128)
    assert histogram.upper[-1] == 3.0
