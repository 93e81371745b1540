"""Where a threshold may come from, and when a card's does not hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from facekit.enums import Metric
from facekit.errors import NoOperatingPointError, UsageError
from facekit.template.calibration import Calibration, OperatingPoint
from facekit.template.threshold import (
    ScoreMeaning,
    ThresholdChoice,
    card_threshold,
    given_threshold,
    score_meaning,
)
from tests.template.spaces import CHANGES, SPACE


def point(target: str, similarity: float) -> OperatingPoint:
    return OperatingPoint(
        target, similarity, 1e-3, 0.05, 100, 9000, (0, 0.01), (0.02, 0.1), "devtrain", "LFW"
    )


def measured(*points: OperatingPoint) -> Calibration:
    return Calibration(operating_points=points, space=SPACE)


def test_default_is_fmr_1e_3() -> None:
    loose = replace(point("fmr=1e-2", 0.2), fmr=1e-2)
    chosen = card_threshold(measured(loose, point("fmr=1e-3", 0.4)), SPACE)
    assert chosen.similarity == 0.4
    assert chosen.point is not None
    assert chosen.point.target == "fmr=1e-3"


def test_published_threshold_serves_where_nothing_was_measured() -> None:
    chosen = card_threshold(measured(replace(point("published", 0.7), fmr=None)), SPACE)
    assert chosen.similarity == 0.7


def test_a_card_of_other_rates_serves_the_default_with_its_strictest_and_says_so() -> None:
    loose = replace(point("fmr=1e-2", 0.2), fmr=1e-2)
    best = replace(point("best-accuracy", 0.3), fmr=7e-3)
    chosen = card_threshold(measured(loose, best), SPACE)
    assert (chosen.similarity, chosen.is_strictest) == (0.3, True)
    assert chosen.source == (
        "model card, best-accuracy (its strictest: it does not carry fmr=1e-3), devtrain on LFW; "
        "figures measured by whoever made this card"
    )
    strict = card_threshold(measured(point("fmr=1e-3", 0.4)), SPACE)
    assert (strict.similarity, strict.is_strictest) == (0.4, False)
    assert strict.origin == "model card, fmr=1e-3, devtrain on LFW"


def test_best_accuracy_is_asked_for_by_its_name() -> None:
    calibration = measured(point("fmr=1e-3", 0.4), point("best-accuracy", 0.3))
    assert card_threshold(calibration, SPACE, fmr="best-accuracy").similarity == 0.3
    with pytest.raises(NoOperatingPointError, match=r"best-accuracy.*fmr=1e-3.*facekit calibrate"):
        card_threshold(measured(point("fmr=1e-3", 0.4)), SPACE, fmr="best-accuracy")


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
    assert found == ScoreMeaning(None, None, None)


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


def test_a_least_similarity_is_one_whatever_the_metric() -> None:
    chosen = ThresholdChoice(metric=Metric.L2, min_similarity=-0.25).of(measured(), SPACE)
    assert (chosen.similarity, chosen.source) == (-0.25, "given")


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"threshold": 0.0, "fmr": 1e-3}, "--threshold and --fmr each set"),
        ({"threshold": 0.5, "min_similarity": 0.5}, "--threshold and --min-similarity each set"),
        ({"min_similarity": 0.0, "fmr": "best-accuracy"}, "pass one of them"),
        ({"threshold": 2.1}, r"cosine distance lies in 0\.\.2"),
        ({"threshold": 1.1, "metric": Metric.ANGULAR}, r"angular distance lies in 0\.\.1"),
        ({"min_similarity": 1.1}, r"-1\.\.1"),
        ({"min_similarity": float("nan")}, r"-1\.\.1"),
        ({"fmr": 0.0}, "between 0 and 1"),
        ({"fmr": 1.0}, "between 0 and 1"),
        ({"fmr": "best"}, "best-accuracy"),
    ],
)
def test_what_cannot_be_a_threshold_is_refused_before_any_work(
    choice: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        ThresholdChoice(**choice)
