"""Any false match rate that a card's measured points carry, never on the lax side."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from facekit.errors import NoOperatingPointError
from facekit.evaluation.calibrate import fmr_curve
from facekit.evaluation.metrics.all_pairs import AllPairs
from facekit.evaluation.metrics.operating_points import operating_points
from facekit.template.calibration import Calibration, OperatingPoint
from facekit.template.rates import finest_fmr, point_at_fmr, strictest_point


def point(target: str, similarity: float, fmr: float | None, n: int = 10_000) -> OperatingPoint:
    return OperatingPoint(target, similarity, fmr, 0.05, 100, n, None, None, "devtrain", "LFW")


BY_HAND = Calibration(
    operating_points=(
        point("fmr=1e-2", 0.2, 1e-2),
        point("fmr=1e-3", 0.4, 1e-3),
        point("best-accuracy", 0.25, 6e-3),
    ),
    fmr_curve=((0.1, 0.1), (0.2, 1e-2), (0.3, 3e-3), (0.4, 1e-3), (0.5, 4e-4)),
)
"""10,000 impostor pairs, which support FMR 3e-4; measured down to 4e-4"""


@pytest.mark.parametrize(
    ("fmr", "similarity", "measured"),
    [
        (0.5, 0.1, 0.1),
        (0.1, 0.1, 0.1),
        (0.0999, 0.2, 1e-2),
        (1e-2, 0.2, 1e-2),
        (7e-3, 0.25, 6e-3),  # a point beside the curve was measured too
        (5.9e-3, 0.3, 3e-3),
        (1e-3, 0.4, 1e-3),
        (9.9e-4, 0.5, 4e-4),
        (5e-4, 0.5, 4e-4),
        (4e-4, 0.5, 4e-4),
    ],
)
def test_the_next_stricter_measured_threshold_serves(
    fmr: float, similarity: float, measured: float
) -> None:
    found = point_at_fmr(BY_HAND, fmr)
    assert (found.threshold_similarity, found.fmr) == (similarity, measured)


def test_the_point_says_what_was_asked_for_and_what_is_known_of_it() -> None:
    between = point_at_fmr(BY_HAND, 5e-4)
    assert (between.target, between.fnmr, between.n_impostor) == ("fmr=5e-4", None, 10_000)
    assert (between.protocol, between.dataset) == ("devtrain", "LFW")
    own = point_at_fmr(BY_HAND, 1e-3)
    assert (own.target, own.fnmr) == ("fmr=1e-3", 0.05)


@pytest.mark.parametrize(
    ("n_impostor", "last", "finest", "shown"),
    [
        (10_000, 4e-4, 4e-4, "0.0004"),
        (10_000, 1e-4, 3e-4, "0.0003"),  # 1 of 10,000 is less than the rule of three bears
        (10_000, 0.0, 3e-4, "0.0003"),
        (7_000, 0.0, 3 / 7_000, "0.00043"),  # 0.000428...: rounded up, so that it is accepted
        (5_923_194, 5 / 5_923_194, 5 / 5_923_194, "8.5e-07"),
    ],
)
def test_a_finer_rate_than_the_pairs_support_is_refused_with_the_smallest(
    n_impostor: int, last: float, finest: float, shown: str
) -> None:
    calibration = Calibration(
        operating_points=(point("fmr=1e-2", 0.2, 1e-2, n_impostor),),
        fmr_curve=((0.2, 1e-2), (0.5, max(last, 1e-3)), (0.6, last)),
    )
    assert finest_fmr(calibration) == finest
    with pytest.raises(NoOperatingPointError, match=rf"{n_impostor:,} impostor pairs {shown} is"):
        point_at_fmr(calibration, finest * 0.999)
    assert point_at_fmr(calibration, float(shown)).threshold_similarity == 0.6


def test_a_rate_that_the_card_states_itself_is_served_without_a_measurement() -> None:
    stated = Calibration(operating_points=(point("fmr=1e-4", 0.7, None, 0),))
    assert point_at_fmr(stated, 1e-4).threshold_similarity == 0.7
    assert strictest_point(stated) is None
    with pytest.raises(NoOperatingPointError, match=r"fmr=1e-3.*it has: fmr=1e-4"):
        point_at_fmr(stated, 1e-3)


@given(
    scores=st.lists(st.integers(-50, 50), min_size=20, max_size=400),
    rates=st.lists(st.floats(1e-4, 0.9), min_size=2, max_size=8),
)
def test_the_rate_is_kept_and_the_threshold_rises_as_it_falls(
    scores: list[int], rates: list[float]
) -> None:
    """Of calibrations as they are measured: scores with ties, few and many of them."""
    impostor = np.sort(np.array(scores, np.float32) / np.float32(64))
    genuine = np.array([0.5, 0.9], np.float32)
    pairs = AllPairs(genuine, impostor, len(impostor), -np.inf, 0, 0)
    curve = fmr_curve(pairs)
    assume(curve)
    points = operating_points(pairs, protocol="made up", dataset="nobody", fmr_targets=(0.2,))
    calibration = Calibration(operating_points=points, fmr_curve=curve)
    found = []
    for rate in sorted(rates, reverse=True):
        try:
            chosen = point_at_fmr(calibration, rate)
        except NoOperatingPointError:
            assert rate < (finest_fmr(calibration) or 0)
            continue
        really = float((impostor >= chosen.threshold_similarity).mean())
        assert chosen.fmr == pytest.approx(really)
        assert really <= rate
        bound = calibration.fmr_at_most(chosen.threshold_similarity)
        assert bound is not None
        assert really <= bound <= max(rate, 3 / len(impostor))
        found.append(chosen.threshold_similarity)
    assert found == sorted(found)
