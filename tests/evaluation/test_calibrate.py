"""Calibrations of made-up embeddings."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from facekit.errors import InputError, UsageError
from facekit.evaluation.calibrate import CalibrationResult, calibrate
from facekit.evaluation.protocols.pairs import PairList
from facekit.evaluation.scoring import PairScorer
from facekit.system.fields import Fields
from facekit.template.calibration import parse_calibration
from tests.evaluation.made_up_photos import embeddings, pair_list

PAIRS = pair_list(1, 150)
PHOTOS = PAIRS.photos


def measured(
    pairs: PairList = PAIRS,
    *,
    failed: tuple[int, ...] = (),
    fmr_targets: tuple[float, ...] = (1e-1, 1e-2),
) -> CalibrationResult:
    made = embeddings(pairs.photos, failed=failed)
    return calibrate(made, pairs, dataset="made up", fmr_targets=fmr_targets)


def nameless(pairs: PairList) -> PairList:
    folds = tuple(
        tuple(
            replace(pair, a=replace(pair.a, person=None), b=replace(pair.b, person=None))
            for pair in fold
        )
        for fold in pairs.folds
    )
    return replace(pairs, folds=folds)


def test_the_mean_is_that_of_the_photos_and_the_points_hold_about_it() -> None:
    result = measured()
    made = embeddings(PHOTOS)
    mean = result.calibration.embedding_mean
    assert mean == pytest.approx(made.vectors[:, 0].mean(0), abs=1e-6)
    point = result.calibration.operating_point("fmr=1e-2")
    vectors = PairScorer(PHOTOS, made, mean=mean).unit
    people = np.array([photo.person for photo in PHOTOS])
    a, b = np.triu_indices(len(PHOTOS), 1)
    scores = np.einsum("nd,nd->n", vectors[a], vectors[b])
    impostor = scores[people[a] != people[b]]
    assert point.n_impostor == len(impostor)
    accepted = (impostor >= point.threshold_similarity).mean()
    assert point.fmr == pytest.approx(accepted, abs=2 / len(impostor))
    assert point.fmr is not None
    assert point.fmr <= 1e-2


def test_the_curve_bounds_the_fmr_from_above() -> None:
    calibration = measured().calibration
    point = calibration.operating_point("fmr=1e-2")
    bound = calibration.fmr_at_most(point.threshold_similarity)
    assert bound is not None
    assert point.fmr is not None
    assert point.fmr <= bound <= 1e-2
    assert calibration.fmr_at_most(-1.0) is None


def test_the_probability_tells_the_two_kinds_apart() -> None:
    result = measured()
    logistic = result.calibration.probability
    assert logistic is not None
    assert (logistic.n_genuine, logistic.n_impostor) == (150, 150)
    assert logistic.probability(0.9) > 0.9 > 0.1 > logistic.probability(0.0)
    assert result.reliability.expected_calibration_error < 0.1


def test_failed_photos_take_no_part_and_are_counted() -> None:
    result = measured(failed=(0, 1))  # both photos of person 0
    assert (result.photo_count, result.people_count, len(result.failures)) == (301, 150, 2)
    assert result.calibration.probability is not None
    assert result.calibration.probability.n_genuine == 149


def test_a_list_without_names_is_measured_on_its_own_pairs() -> None:
    result = measured(nameless(PAIRS), fmr_targets=(1e-1,))
    assert result.people_count is None
    assert result.calibration.operating_point("fmr=1e-1").n_impostor == 150
    with pytest.raises(UsageError, match="rule of three"):
        measured(nameless(PAIRS), fmr_targets=(1e-3,))


def test_it_survives_its_json() -> None:
    calibration = measured().calibration
    plain = json.loads(json.dumps(calibration.to_dict()))
    back = parse_calibration(Fields(plain, "calibration"))
    assert json.loads(json.dumps(back.to_dict())) == plain


def test_the_margin_is_measured_where_everybody_has_a_name() -> None:
    rule = measured(pair_list(1, 200)).calibration.margin
    assert rule is not None
    assert (rule.people_count, rule.right_count + rule.wrong_count) == (201, 200)
    assert rule.right_lost <= 0.02
    assert measured(nameless(PAIRS), fmr_targets=(1e-1,)).calibration.margin is None


def test_no_embedding_is_an_error() -> None:
    with pytest.raises(InputError, match="NoFaceError: no face"):
        measured(failed=tuple(range(len(PHOTOS))))
