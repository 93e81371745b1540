"""A card whose false match rates contradict each other is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from facekit.errors import ModelMismatchError
from facekit.model.card import parse_card
from facekit.model.shipped_calibrations import shipped_calibration
from facekit.system.fields import Fields
from facekit.template.agreement import require_agreement
from facekit.template.calibration import Calibration, parse_calibration
from tests.model.made_up_model import CARD

CURVE = ((0.1, 0.3), (0.4, 1e-2), (0.5, 1e-3), (0.6, 1e-4))
AGREEING = (
    [("fmr=1e-2", 0.4, 1e-2), ("fmr=1e-3", 0.5, 1e-3), ("best-accuracy", 0.45, 4e-3)],
    [("fmr=1e-3", 0.4999, 0.001)],  # rounded by hand
    [("fmr=1e-3", 0.5, 0.000995)],
    [("fmr=1e-5", 0.7, 1e-5)],
    [("best-accuracy", -1.0, 1.0)],
    [("published", -0.5, None)],
    [("fmr=1e-3", 0.5, None)],
)


def test_rates_may_be_rounded_to_two_digits() -> None:
    require_agreement([(0.4, 1e-2), (0.5, 1.04e-3)], [("best-accuracy", 0.49, 1.0e-3)])
    with pytest.raises(ValueError, match="cannot rise with the threshold"):
        require_agreement([(0.4, 1e-2), (0.5, 1.06e-3)], [("best-accuracy", 0.49, 1.0e-3)])


@pytest.mark.parametrize("points", AGREEING)
def test_rates_that_fall_with_the_threshold_are_accepted(
    points: Sequence[tuple[str, float, float | None]],
) -> None:
    require_agreement(CURVE, points)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([("fmr=1e-3", -0.5, 1e-3)], "'fmr=1e-3' with FMR 0.001 at -0.5, and fmr_curve with"),
        ([("fmr=1e-3", 0.39, 1e-3)], "cannot rise with the threshold"),
        ([("best-accuracy", 0.3, 5e-3)], "cannot rise with the threshold"),
        ([("best-accuracy", 0.5, 5e-3)], "cannot rise with the threshold"),
        ([("best-accuracy", 0.7, 0.5)], "cannot rise with the threshold"),
        ([("fmr=1e-6", 0.1, 0.3)], "at most its target. Received: 0.3"),
        ([("fmr=1e-6", 0.1, None)], "with FMR 1e-06 at 0.1"),
        ([("fmr=nan", 0.1, None)], "at most its target"),
        ([("fmr=", 0.1, 0.3)], "at most its target"),
    ],
)
def test_a_point_that_contradicts_the_curve_or_its_target_is_refused(
    points: Sequence[tuple[str, float, float | None]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        require_agreement(CURVE, points)


def test_points_must_agree_with_each_other_without_a_curve() -> None:
    with pytest.raises(ValueError, match="cannot rise with the threshold"):
        require_agreement((), [("fmr=1e-3", 0.5, 1e-3), ("fmr=1e-4", -0.5, 1e-4)])


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        ([(0.1, 1e-3), (0.2, 1e-2)], "falling rates"),
        ([(0.1, 1e-3), (0.1, 1e-3)], "rising thresholds"),
        ([(-1.5, 1e-3)], r"thresholds in -1\.\.1"),
        ([(0.1, 1e-3), (0.2, -1e-3)], r"rates in 0\.\.1"),
    ],
)
def test_a_curve_out_of_range_is_refused(
    curve: Sequence[tuple[float, float]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        require_agreement(curve, ())


def test_a_card_with_every_threshold_set_to_minus_a_half_is_refused() -> None:
    """The curve, which nobody touched, tells that a quarter of all strangers would match."""
    shipped = shipped_calibration("facenet512-casia", "float32")
    assert shipped is not None
    raw = json.loads(json.dumps(shipped.calibration.to_dict()))
    for point in raw["operating_points"]:
        point["threshold_similarity"] = -0.5
    with pytest.raises(ValueError, match="cannot rise with the threshold"):
        parse_calibration(Fields(raw, "calibration"))
    card = {"schema_version": 1, **replace(CARD, embedding_size=512).to_dict(), "calibration": raw}
    with pytest.raises(ModelMismatchError, match="cannot rise with the threshold"):
        parse_card(card, origin="changed.json")


def test_a_probability_without_pairs_is_refused() -> None:
    raw = json.loads(json.dumps(Calibration().to_dict()))
    raw["probability"] = {"slope": 1.0, "intercept": 0.0, "n_genuine": 0, "n_impostor": 0}
    with pytest.raises(ValueError, match="fitted on pairs"):
        parse_calibration(Fields(raw, "calibration"))
