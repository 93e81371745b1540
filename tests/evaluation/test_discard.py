"""The error-versus-discard characteristic, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facekit.errors import InputError
from facekit.evaluation.metrics.discard import error_versus_discard

SCORES = np.array([0.9, 0.2, 0.8, 0.1, 0.7, 0.9])
SAME = np.array([True, True, True, True, True, False])
QUALITIES = np.array([[90, 80], [10, 95], [70, 60], [99, 40], [50, 50], [1, 1]], float)


def test_the_pairs_of_the_lowest_quality_go_first_and_the_threshold_stays() -> None:
    """The lower quality of a pair counts: 80, 10, 60, 40, 50; the impostor pair does not."""
    points = error_versus_discard(
        SCORES, SAME, QUALITIES, threshold=0.5, shares=(0, 0.2, 0.4, 0.6, 0.8)
    )
    assert [point.fnmr for point in points] == [2 / 5, 1 / 4, 0, 0, 0]
    assert [point.n_genuine for point in points] == [5, 4, 3, 2, 1]
    assert [point.least_quality for point in points] == [None, 40, 50, 60, 80]
    assert points[1].to_dict() == {
        "discard_share": 0.2,
        "discarded_count": 1,
        "least_quality": 40.0,
        "n_genuine": 4,
        "false_non_matches": 1,
        "fnmr": 0.25,
    }


def test_a_share_that_is_not_a_whole_number_of_pairs_leaves_out_fewer() -> None:
    (point,) = error_versus_discard(SCORES, SAME, QUALITIES, threshold=0.5, shares=(0.39,))
    assert point.discarded_count == 1


def test_pairs_of_one_quality_stay_or_go_together() -> None:
    flat = np.full((6, 2), 50.0)
    points = error_versus_discard(SCORES, SAME, flat, threshold=0.5, shares=(0, 0.2, 0.6))
    assert [point.discarded_count for point in points] == [0, 0, 0]


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 100)), min_size=1, max_size=40))
def test_a_quality_that_knows_the_errors_falls_to_no_error(pairs: list[tuple[bool, float]]) -> None:
    missed = np.array([one for one, _ in pairs])
    scores = np.where(missed, 0.0, 1.0)
    quality = np.where(missed, 0.0, 1.0)[:, None] + [0.0, 5.0]
    points = error_versus_discard(scores, np.ones(len(pairs), bool), quality, threshold=0.5)
    rates = [point.fnmr for point in points]
    assert rates == sorted(rates, reverse=True)
    share = missed.mean()
    assert all(point.fnmr == 0 for point in points if point.discard_share > share and share < 1)


def test_what_cannot_be_counted_is_refused() -> None:
    with pytest.raises(InputError, match="genuine pair"):
        error_versus_discard(SCORES, ~np.ones(6, bool), QUALITIES, threshold=0.5)
    with pytest.raises(ValueError, match="finite"):
        error_versus_discard(SCORES, SAME, QUALITIES * np.nan, threshold=0.5)
    with pytest.raises(ValueError, match="share"):
        error_versus_discard(SCORES, SAME, QUALITIES, threshold=0.5, shares=(1.0,))
