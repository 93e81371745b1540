"""Where a threshold may come from, and when a card's does not hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from facekit.enums import Metric
from facekit.errors import NoOperatingPointError, UsageError
from facekit.template.calibration import Calibration, OperatingPoint
from facekit.template.threshold import ScoreMeaning, card_threshold, given_threshold, score_meaning
from tests.template.spaces import CHANGES, SPACE


def point(target: str, similarity: float) -> OperatingPoint:
    return OperatingPoint(
        target, similarity, 1e-3, 0.05, 100, 1000, (0, 0.01), (0.02, 0.1), "devtrain", "LFW"
    )


def measured(*points: OperatingPoint) -> Calibration:
    return Calibration(operating_points=points, space=SPACE)


def test_default_is_fmr_1e_3() -> None:
    chosen = card_threshold(measured(point("fmr=1e-2", 0.2), point("fmr=1e-3", 0.4)), SPACE)
    assert chosen.similarity == 0.4
    assert chosen.point is not None
    assert chosen.point.target == "fmr=1e-3"


def test_published_threshold_serves_where_nothing_was_measured() -> None:
    chosen = card_threshold(measured(point("published", 0.7)), SPACE)
    assert chosen.similarity == 0.7


def test_fmr_asks_for_its_own_point_and_names_what_there_is() -> None:
    with pytest.raises(NoOperatingPointError, match=r"fmr=1e-4.*fmr=1e-3"):
        card_threshold(measured(point("fmr=1e-3", 0.4)), SPACE, fmr=1e-4)


def test_a_model_without_points_wants_a_threshold() -> None:
    with pytest.raises(NoOperatingPointError, match="--threshold"):
        card_threshold(measured(), SPACE)


@pytest.mark.parametrize(("change", "field"), CHANGES)
def test_another_space_voids_the_card(change: dict[str, Any], field: str) -> None:
    calibration = measured(point("fmr=1e-3", 0.4))
    assert card_threshold(calibration, SPACE).similarity == 0.4
    with pytest.raises(NoOperatingPointError, match=f"with {field}.*in use is"):
        card_threshold(calibration, replace(SPACE, **change))
    found = score_meaning(
        calibration, replace(SPACE, **change), threshold_similarity=0.4, similarity=0.5
    )
    assert found == ScoreMeaning(None, None)


def test_a_detector_that_is_not_said_is_no_other_detector() -> None:
    nobody_said = replace(SPACE, detector=None)
    point_at = point("fmr=1e-3", 0.4)
    for calibration, space in (
        (Calibration(operating_points=(point_at,), space=nobody_said), SPACE),
        (measured(point_at), nobody_said),
    ):
        assert card_threshold(calibration, space).similarity == 0.4


def test_given_threshold_is_a_distance_and_zero_is_a_number() -> None:
    assert given_threshold(0.0, Metric.COSINE).similarity == 1.0
    assert given_threshold(2**0.5, Metric.L2).similarity == pytest.approx(0)
    with pytest.raises(UsageError, match="--threshold"):
        given_threshold(3, Metric.COSINE)
