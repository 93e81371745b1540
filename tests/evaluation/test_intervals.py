"""Intervals and tests with values worked by hand or known from tables."""

import numpy as np
import pytest

from facekit.evaluation.metrics.intervals import binomial_ci95, bootstrap_ci95, mcnemar_p


def test_no_event_is_the_rule_of_three() -> None:
    low, high = binomial_ci95(0, 3000)
    assert low == 0.0
    assert high == pytest.approx(1 - 0.025 ** (1 / 3000), abs=1e-12)  # (1 - p)^n = 0.025


def test_one_event_of_two() -> None:
    # P(X >= 1) = 1 - (1 - p)^2 = 0.025 and P(X <= 1) = 1 - p^2 = 0.025
    low, high = binomial_ci95(1, 2)
    assert low == pytest.approx(1 - 0.975**0.5, abs=1e-9)
    assert high == pytest.approx(0.975**0.5, abs=1e-9)


def test_mcnemars_test_is_as_computed_by_hand() -> None:
    # 6 pairs that only a gets right, 1 that only b does: 2 (C(7,0) + C(7,1)) / 2^7 = 0.125
    right_a = np.array([True] * 6 + [False] + [True] * 90 + [False] * 3)
    right_b = np.array([False] * 6 + [True] + [True] * 90 + [False] * 3)
    assert mcnemar_p(right_a, right_b) == pytest.approx(0.125, abs=1e-12)
    assert mcnemar_p(right_b, right_a) == pytest.approx(0.125, abs=1e-12)
    assert mcnemar_p(right_a, right_a) == 1.0
    with pytest.raises(ValueError, match="same pairs"):
        mcnemar_p(right_a, right_b[1:])


def test_bootstrap_of_independent_people_agrees_with_the_binomial() -> None:
    people = np.arange(1000)
    errors = people < 100
    low, high = bootstrap_ci95(errors, people, people)
    expected_low, expected_high = binomial_ci95(100, 1000)
    assert low == pytest.approx(expected_low, abs=0.005)
    assert high == pytest.approx(expected_high, abs=0.005)
    assert (low, high) == bootstrap_ci95(errors, people, people)
    assert (low, high) != bootstrap_ci95(errors, people, people, seed=1)


def test_bootstrap_is_wider_where_people_repeat() -> None:
    people = np.repeat(np.arange(20), 50)  # 50 pairs a person, all right or all wrong
    low, high = bootstrap_ci95(people < 2, people, people)
    binomial_low, binomial_high = binomial_ci95(100, 1000)
    assert low < binomial_low - 0.02
    assert high > binomial_high + 0.05


def test_bootstrap_of_impostors_weighs_both_people() -> None:
    # One hub meets 30 people and is always taken for them; 30 couples beside it never err.
    hub, others = np.zeros(30, np.intp), np.arange(1, 31)
    person_a, person_b = np.concatenate([hub, others]), np.concatenate([others, others + 30])
    low, high = bootstrap_ci95(np.arange(60) < 30, person_a, person_b)
    assert low == 0.0  # the hub is not drawn in 37 % of the replicates
    assert high > 0.7
