"""Numbers in words say the same on both scales, and never more than is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facekit.enums import Metric
from facekit.template.calibration import LogisticScore
from facekit.template.wording import (
    comparison_text,
    fmr_text,
    percent_at_most,
    prior_text,
    probability_text,
    threshold_text,
)


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        (Metric.COSINE, "similarity >= 0.5000 (distance <= 0.5000)"),
        (Metric.L2, "similarity >= 0.5000 (l2 distance <= 1.0000)"),
        (Metric.SQL2, "similarity >= 0.5000 (sql2 distance <= 1.0000)"),
        (Metric.ANGULAR, "similarity >= 0.5000 (angular distance <= 0.3333)"),
    ],
)
def test_a_threshold_stands_on_both_scales_with_its_signs(metric: Metric, text: str) -> None:
    assert threshold_text(0.5, metric) == text


@pytest.mark.parametrize(
    ("similarity", "threshold", "text"),
    [
        (0.75, 0.458, "cosine similarity 0.750 >= 0.458 (distance 0.250 <= 0.542)"),
        (0.01, 0.458, "cosine similarity 0.010 < 0.458 (distance 0.990 > 0.542)"),
        (0.5, 0.5, "cosine similarity 0.500 >= 0.500 (distance 0.500 <= 0.500)"),
        (0.45799, 0.45801, "cosine similarity 0.45799 < 0.45801 (distance 0.54201 > 0.54199)"),
        (-0.2, -0.3, "cosine similarity -0.200 >= -0.300 (distance 1.200 <= 1.300)"),
    ],
)
def test_a_decision_shows_as_many_digits_as_tell_score_and_threshold_apart(
    similarity: float, threshold: float, text: str
) -> None:
    assert comparison_text(similarity, threshold, Metric.COSINE) == text


@given(st.floats(-1, 1), st.floats(-1, 1), st.sampled_from(Metric))
def test_what_is_shown_is_never_a_false_comparison(
    similarity: float, threshold: float, metric: Metric
) -> None:
    words = comparison_text(similarity, threshold, metric).replace("(", "").replace(")", "")
    name, _, _ = words.partition(" ")
    assert name == "cosine"
    *_, apart, far_sign, largest = words.split()
    ours, sign, least = words.split()[2:5]
    assert sign == (">=" if similarity >= threshold else "<")
    assert {">=": float(ours) >= float(least), "<": float(ours) <= float(least)}[sign]
    assert {"<=": float(apart) <= float(largest), ">": float(apart) >= float(largest)}[far_sign]


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (0.001, "0.1 %"),
        (0.0009999672, "0.1 %"),
        (0.0010001, "0.11 %"),
        (0.0077936, "0.78 %"),
        (8.44139e-7, "0.000085 %"),
        (0.3, "30 %"),
        (0.299, "30 %"),
        (1.0, "100 %"),
        (0.0, "0 %"),
    ],
)
def test_a_bound_in_percent_is_rounded_up(rate: float, text: str) -> None:
    assert percent_at_most(rate) == text


@given(st.floats(1e-9, 1))
def test_a_bound_stays_a_bound_and_is_near(rate: float) -> None:
    shown = float(percent_at_most(rate).removesuffix(" %")) / 100
    assert rate * (1 - 1e-9) <= shown <= rate * 1.11


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (0.999962, "99.996 %"),
        (0.9999949, "99.999 %"),
        (0.9999951, "over 99.999 %"),
        (1.0, "over 99.999 %"),
        (0.5, "50.000 %"),
        (0.000336577, "0.034 %"),
        (0.0000051, "0.001 %"),
        (0.0000049, "below 0.001 %"),
        (0.0, "below 0.001 %"),
    ],
)
def test_no_probability_is_certain(probability: float, text: str) -> None:
    assert probability_text(probability) == text


def test_a_probability_names_what_it_assumes() -> None:
    assert prior_text(LogisticScore(1, 0, 50, 50)) == "assuming half of all pairs match"
    assert prior_text(LogisticScore(1, 0, 1, 3)) == "assuming 25 % of all pairs match"


def test_an_unknown_rate_is_said_to_be_unknown() -> None:
    assert fmr_text(1e-3) == "false match rate at most 0.1 %"
    assert fmr_text(None) == "its false match rate was not measured"
