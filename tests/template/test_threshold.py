"""Where a threshold may come from, and when a card's does not hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from facekit.enums import ColourOrder, CropRule, Metric, ResizeFilter
from facekit.errors import NoOperatingPointError, UsageError
from facekit.model.card import Card, Source, Task
from facekit.template.calibration import Calibration, OperatingPoint
from facekit.template.threshold import card_threshold, given_threshold
from facekit.types import CropSpec, InputSpec

CROP = CropSpec(CropRule.MARGIN, 32, ResizeFilter.BILINEAR)


def point(target: str, similarity: float) -> OperatingPoint:
    return OperatingPoint(
        target, similarity, 1e-3, 0.05, 100, 1000, (0, 0.01), (0.02, 0.1), "devtrain", "LFW"
    )


def card(*points: OperatingPoint) -> Card:
    return Card(
        name="net",
        variant="float32",
        task=Task.EMBEDDING,
        architecture="toy",
        file_name="net.tflite",
        file_sha256="0" * 64,
        file_size_bytes=1,
        source=Source("", "", "", "MIT"),
        input=InputSpec(160, 160, ColourOrder.RGB, 127.5, 128),
        crop=CROP,
        embedding_size=2,
        calibration=Calibration(operating_points=points),
    )


def test_default_is_fmr_1e_3() -> None:
    chosen = card_threshold(card(point("fmr=1e-2", 0.2), point("fmr=1e-3", 0.4)), crop=None)
    assert chosen.similarity == 0.4
    assert chosen.point is not None
    assert chosen.point.target == "fmr=1e-3"


def test_published_threshold_serves_where_nothing_was_measured() -> None:
    chosen = card_threshold(card(point("published", 0.7)), crop=None)
    assert chosen.similarity == 0.7


def test_fmr_asks_for_its_own_point_and_names_what_there_is() -> None:
    with pytest.raises(NoOperatingPointError, match=r"fmr=1e-4.*fmr=1e-3"):
        card_threshold(card(point("fmr=1e-3", 0.4)), crop=None, fmr=1e-4)


def test_a_model_without_points_wants_a_threshold() -> None:
    with pytest.raises(NoOperatingPointError, match="--threshold"):
        card_threshold(card(), crop=None)


def test_another_crop_rule_voids_the_card() -> None:
    measured = card(point("fmr=1e-3", 0.4))
    assert card_threshold(measured, crop=CROP).similarity == 0.4
    with pytest.raises(NoOperatingPointError, match="crop rule"):
        card_threshold(measured, crop=replace(CROP, margin_px=16))


def test_given_threshold_is_a_distance_and_zero_is_a_number() -> None:
    assert given_threshold(0.0, Metric.COSINE).similarity == 1.0
    assert given_threshold(2**0.5, Metric.L2).similarity == pytest.approx(0)
    with pytest.raises(UsageError, match="--threshold"):
        given_threshold(3, Metric.COSINE)
