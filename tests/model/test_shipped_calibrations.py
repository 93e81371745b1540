"""Figures are facekit's where they equal what ships for the model file, and nobody else's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facekit.enums import ColorOrder, CropRule, MeasuredBy, ResizeFilter
from facekit.model.card import Card
from facekit.model.shipped_calibrations import recognized
from facekit.template.calibration import Calibration
from facekit.template.space import mean_sha256_of
from facekit.types import CropSpec
from tests.model.made_up_model import SHA256, reread, shipped_card

OURS, THEIRS = MeasuredBy.FACEKIT, MeasuredBy.CARD_MAKER


def owners(card: Card) -> list[MeasuredBy]:
    calibration = recognized(card).calibration
    return [one.measured_by for one in (calibration, *calibration.others)]


@pytest.mark.parametrize(
    ("name", "variant"),
    [("sface", "float32"), ("facenet512-casia", "int8"), ("facenet512-casia", "onnx-int8")],
)
def test_what_ships_is_recognized_with_every_detector(name: str, variant: str) -> None:
    card = shipped_card(name, variant)
    assert card.calibration.all_measured_by is THEIRS  # a card cannot say so itself
    assert set(owners(card)) == {OURS}
    assert recognized(card).calibration.all_measured_by is OURS


def test_another_name_changes_nothing() -> None:
    assert set(owners(reread(replace(shipped_card(), name="mine")))) == {OURS}


def changed(card: Card, **changes: object) -> Card:
    return replace(card, calibration=replace(card.calibration, **changes))  # type: ignore[arg-type]  # any members


def test_changed_figures_are_the_card_makers_and_the_other_detectors_stay_ours() -> None:
    card = shipped_card()
    measured = card.calibration
    assert measured.probability is not None
    assert measured.margin is not None
    lower = tuple(
        replace(point, threshold_similarity=point.threshold_similarity - 1e-4)
        for point in measured.operating_points
    )
    other_curve = tuple((threshold - 1e-4, fmr) for threshold, fmr in measured.fmr_curve)
    for changes in (
        {"operating_points": lower, "fmr_curve": other_curve},
        {"operating_points": measured.operating_points[:1]},
        {"fmr_curve": measured.fmr_curve[:-1]},
        {"probability": replace(measured.probability, slope=99.0)},
        {"probability": None},
        {"source": "measured by facekit"},
        {"margin": replace(measured.margin, least=0.0)},
    ):
        assert owners(reread(changed(card, **changes))) == [THEIRS, OURS], changes
        assert recognized(changed(card, **changes)).calibration.all_measured_by is THEIRS


def test_a_card_of_before_margins_is_still_ours() -> None:
    assert set(owners(reread(changed(shipped_card(), margin=None)))) == {OURS}


def test_another_space_is_the_card_makers() -> None:
    card = shipped_card()
    space, mean = card.calibration.space, card.calibration.embedding_mean
    assert space is not None
    assert mean is not None
    other_mean = (mean + np.float32(1e-3)).astype(np.float32)
    other_crop = CropSpec(CropRule.MARGIN, 32.0, ResizeFilter.BILINEAR)
    for changes in (
        {"space": replace(space, model_sha256=SHA256)},
        {"space": replace(space, crop=other_crop)},
        {"space": replace(space, detector=None)},
        {
            "embedding_mean": other_mean,
            "space": replace(space, mean_sha256=mean_sha256_of(other_mean)),
        },
    ):
        assert owners(changed(card, **changes))[0] is THEIRS, changes


def test_another_file_is_the_card_makers() -> None:
    assert set(owners(replace(shipped_card(), file_sha256=SHA256))) == {THEIRS}


@pytest.mark.parametrize("change", [{"std": 1e30}, {"mean": 0.0}, {"color_order": ColorOrder.BGR}])
def test_our_figures_hold_for_our_input_alone(change: dict[str, object]) -> None:
    """Divided by 1e30, all photos are one to the network, so that any two people are the same."""
    card = shipped_card()
    changed_input = replace(card.input, **change)  # type: ignore[arg-type]  # any members
    assert set(owners(replace(card, input=changed_input))) == {THEIRS}


def test_a_card_without_figures_has_no_owner() -> None:
    card = replace(shipped_card(), calibration=Calibration())
    assert recognized(card).calibration.all_measured_by is None
