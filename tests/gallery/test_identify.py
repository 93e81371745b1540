"""FPIR by the gallery's size: the formula, its inverse, and which threshold follows."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facekit.enums import CropRule, IdentityAnswer, ResizeFilter
from facekit.errors import NoOperatingPointError, UsageError
from facekit.gallery.identify import (
    OpenSetChoice,
    default_threshold,
    fmr_for_fpir,
    fpir_threshold,
    identify,
    predicted_fpir,
)
from facekit.gallery.open import open_gallery
from facekit.template.calibration import Calibration, OperatingPoint
from facekit.template.margin_rule import MarginRule
from facekit.template.space import TemplateSpace
from facekit.template.threshold import ThresholdChoice
from facekit.types import CropSpec, Float32Array
from tests.gallery.made_up import SIZE, SPACE, template

POINT = OperatingPoint(
    "fmr=1e-3", 0.5, 9e-4, 0.05, 1000, 10_000_000, None, None, "made up", "nobody"
)
CURVE = ((0.3, 1e-2), (0.4, 3e-3), (0.5, 9e-4), (0.6, 1e-4), (0.7, 1e-6))


def measured(
    curve: tuple[tuple[float, float], ...] = CURVE, space: TemplateSpace = SPACE
) -> tuple[Calibration, TemplateSpace]:
    """A calibration of SPACE, and the space in use."""
    return Calibration(operating_points=(POINT,), fmr_curve=curve, space=SPACE), space


def test_the_formula_by_hand() -> None:
    assert predicted_fpir(0.5, 2) == pytest.approx(0.75)
    assert predicted_fpir(1e-3, 100) == pytest.approx(0.0952079, abs=1e-7)
    assert predicted_fpir(1e-9, 1) == pytest.approx(1e-9, rel=1e-9)
    assert predicted_fpir(0.3, 0) == 0.0
    assert predicted_fpir(1.0, 3) == 1.0


@given(st.floats(1e-6, 0.99), st.integers(1, 10_000_000))
def test_the_inverse_is_one(fpir: float, comparisons: int) -> None:
    assert predicted_fpir(fmr_for_fpir(fpir, comparisons), comparisons) == pytest.approx(fpir)


def test_it_is_the_share_of_simulated_unknown_people_that_are_found() -> None:
    rng = np.random.default_rng(1)
    matches = rng.random((20_000, 200)) < 2e-3
    assert float(matches.any(axis=1).mean()) == pytest.approx(predicted_fpir(2e-3, 200), abs=0.01)


@pytest.mark.parametrize(
    ("templates", "similarity"), [(0, 0.3), (1, 0.3), (3, 0.4), (10, 0.5), (100, 0.6), (9000, 0.7)]
)
def test_a_larger_gallery_has_a_stricter_threshold(templates: int, similarity: float) -> None:
    threshold = fpir_threshold(*measured(), fpir=0.01, comparisons=templates)
    assert threshold.similarity == similarity
    assert threshold.predicted_fpir is not None
    assert threshold.predicted_fpir <= 0.01


def test_what_was_not_measured_is_not_promised() -> None:
    with pytest.raises(NoOperatingPointError, match="needs FMR 1e-08"):
        fpir_threshold(*measured(), fpir=0.01, comparisons=1_000_000)
    threshold = default_threshold(*measured(), comparisons=1_000_000)
    assert threshold.similarity == 0.7
    assert threshold.predicted_fpir == pytest.approx(0.632, abs=1e-3)
    assert "strictest" in threshold.source


def test_the_users_own_threshold_has_its_prediction() -> None:
    threshold = OpenSetChoice(ThresholdChoice(0.45)).of(*measured(), comparisons=100)
    assert threshold.similarity == pytest.approx(0.55)
    assert threshold.fmr == 9e-4  # of the next lower measured threshold: an upper bound
    assert threshold.predicted_fpir == pytest.approx(predicted_fpir(9e-4, 100))
    loose = OpenSetChoice(ThresholdChoice(min_similarity=0.1)).of(*measured(), comparisons=100)
    assert loose.predicted_fpir is None


def test_fpir_excludes_other_thresholds() -> None:
    for choice in (
        ThresholdChoice(0.5),
        ThresholdChoice(min_similarity=0.5),
        ThresholdChoice(fmr=0.1),
    ):
        with pytest.raises(UsageError, match="pass one of them"):
            OpenSetChoice(choice, fpir=0.01)
    with pytest.raises(UsageError, match="between 0 and 1"):
        OpenSetChoice(fpir=1.0)


def test_the_cards_operating_point() -> None:
    threshold = OpenSetChoice(ThresholdChoice(fmr=1e-3)).of(*measured(), comparisons=10)
    assert (threshold.similarity, threshold.fmr) == (0.5, 9e-4)
    with pytest.raises(NoOperatingPointError, match="1e-06 is the smallest"):
        OpenSetChoice(ThresholdChoice(fmr=1e-9)).of(*measured(), comparisons=10)


def test_a_card_without_error_rates_is_refused() -> None:
    with pytest.raises(NoOperatingPointError, match="facekit calibrate"):
        default_threshold(Calibration(space=SPACE), SPACE, comparisons=10)


def test_a_card_of_one_rate_serves_with_it() -> None:
    threshold = default_threshold(*measured(()), comparisons=10)
    assert (threshold.similarity, threshold.fmr) == (0.5, 9e-4)
    assert default_threshold(*measured(()), comparisons=1000).source == (
        "model card, the strictest that it has; figures measured by whoever made this card"
    )


def test_the_error_rates_hold_for_no_other_space() -> None:
    other = replace(SPACE, crop=CropSpec(CropRule.MARGIN, 0.0, ResizeFilter.AREA))
    for choose in (default_threshold, partial(fpir_threshold, fpir=0.01)):
        with pytest.raises(NoOperatingPointError, match="crop rule"):
            choose(*measured(space=other), comparisons=10)
    given = OpenSetChoice(ThresholdChoice(0.45)).of(*measured(space=other), comparisons=10)
    assert (given.fmr, given.predicted_fpir) == (None, None)


RULE = MarginRule(
    0.25, right_lost=0.02, wrong_caught=0.8, right_count=200, wrong_count=10, people_count=300
)


def direction(*values: float) -> Float32Array:
    """A unit vector whose first coordinates are these, up to its length."""
    vector = np.zeros(SIZE, np.float32)
    vector[: len(values)] = values
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


@pytest.mark.parametrize(
    ("min_margin", "threshold", "answer", "listed"),
    [
        (0.0, 0.5, IdentityAnswer.KNOWN, 1),
        (0.19, 0.5, IdentityAnswer.KNOWN, 1),
        (0.21, 0.5, IdentityAnswer.AMBIGUOUS, 2),  # 0.8 and 0.6: both people are shown
        (0.21, 0.9, IdentityAnswer.UNKNOWN, 1),  # who is not known is not one of two
    ],
)
def test_a_known_face_is_ambiguous_where_two_people_are_too_near(
    tmp_path: Path, min_margin: float, threshold: float, answer: IdentityAnswer, listed: int
) -> None:
    with open_gallery(str(tmp_path / "people.db"), create=True) as gallery:
        for name, vector in {"Ada": direction(1), "Bea": direction(0, 1)}.items():
            gallery.add(name, [replace(template(1), vector=vector)], SPACE)
        (found,) = identify(
            gallery,
            direction(0.8, 0.6)[None],
            SPACE,
            threshold_similarity=threshold,
            min_margin=min_margin,
            top=1,
        )
    assert (found.answer, found.known) == (answer, answer is IdentityAnswer.KNOWN)
    assert found.margin == pytest.approx(0.2, abs=1e-6)
    assert [one.name for one in found.candidates] == ["Ada", "Bea"][:listed]


def test_one_person_alone_is_never_ambiguous(tmp_path: Path) -> None:
    with open_gallery(str(tmp_path / "people.db"), create=True) as gallery:
        gallery.add("Ada", [replace(template(1), vector=direction(1))], SPACE)
        (found,) = identify(
            gallery, direction(1)[None], SPACE, threshold_similarity=0.5, min_margin=2.0
        )
    assert (found.known, found.margin) == (True, None)


def test_the_least_margin_is_the_callers_or_the_cards() -> None:
    calibration = replace(measured()[0], margin=RULE)
    of_card = OpenSetChoice().of(calibration, SPACE, comparisons=10)
    assert (of_card.min_margin, of_card.margin_rule) == (0.25, RULE)
    given = OpenSetChoice(min_margin=0.1).of(calibration, SPACE, comparisons=10)
    assert (given.min_margin, given.margin_rule) == (0.1, None)  # its cost was not measured
    off = OpenSetChoice(min_margin=0.0).of(calibration, SPACE, comparisons=10)
    assert (off.min_margin, off.margin_rule) == (0.0, None)
    without = OpenSetChoice().of(*measured(), comparisons=10)
    assert (without.min_margin, without.margin_rule) == (0.0, None)


def test_the_cards_margin_holds_for_no_other_space() -> None:
    other = replace(SPACE, crop=CropSpec(CropRule.MARGIN, 0.0, ResizeFilter.AREA))
    calibration = replace(measured()[0], margin=RULE)
    threshold = OpenSetChoice(ThresholdChoice(0.45)).of(calibration, other, comparisons=10)
    assert (threshold.min_margin, threshold.margin_rule) == (0.0, None)


@pytest.mark.parametrize("margin", [-0.1, 2.1, float("nan")])
def test_a_margin_is_a_difference_of_similarities(margin: float) -> None:
    with pytest.raises(UsageError, match=r"0\.\.2"):
        OpenSetChoice(min_margin=margin)
