"""The records of the pipeline: what they say of themselves, and what is their truth."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import facekit
from facekit import FacePolicy, Metric, Verification
from facekit.pipeline.pipeline import Pipeline
from facekit.template.threshold import given_threshold

pytestmark = pytest.mark.model

THRESHOLD = given_threshold(0.6, Metric.COSINE)


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return facekit.load(threads=1)


@pytest.fixture(scope="module")
def same(pipeline: Pipeline, data: Path) -> Verification:
    return pipeline.verify(data / "obama.jpg", data / "obama2.jpg", threshold=THRESHOLD)


@pytest.fixture(scope="module")
def different(pipeline: Pipeline, data: Path) -> Verification:
    return pipeline.verify(
        data / "obama.jpg", data / "biden.jpg", threshold=THRESHOLD, metric=Metric.L2
    )


def test_a_verification_is_true_where_both_are_one_person(
    same: Verification, different: Verification
) -> None:
    assert same
    assert not different


def test_a_verification_shows_decision_score_and_names(
    same: Verification, different: Verification
) -> None:
    similarity = same.decision.similarity
    assert repr(same) == (
        f"Verification(same, similarity {similarity:.4f} >= 0.4000, "
        f"{same.a.name!r}, {same.b.name!r})"
    )
    assert repr(different).startswith("Verification(different, similarity ")
    assert " < 0.4000" in repr(different)


def test_no_repr_has_pixels_or_vectors_in_it(same: Verification, data: Path) -> None:
    (located,) = facekit.detect([data / "obama.jpg"])
    for record in (same, same.a, located, located.picture):
        assert len(repr(record)) < 400
        assert "array(" not in repr(record)
    assert repr(same.a).startswith(f"EmbeddedPicture({same.a.name!r}, faces=(Face(")
    assert "(1, 512)" in repr(same.a)
    assert repr(located).startswith(f"LocatedPicture({located.picture.name!r}, 1 faces")


def test_a_verification_is_shown_in_its_metric(different: Verification) -> None:
    payload = different.to_dict()
    similarity = different.decision.similarity
    assert payload["similarity_metric"] == "l2"
    assert payload["distance"] == pytest.approx((2 - 2 * similarity) ** 0.5)
    assert payload["threshold"] == pytest.approx(1.2**0.5)
    assert payload["similarity"] == similarity


def test_a_verification_says_what_its_card_says_of_it(
    pipeline: Pipeline, same: Verification
) -> None:
    payload = same.to_dict()
    card = pipeline.model.card
    assert payload["model"] == "facenet512-casia:float32"
    assert payload["model_sha256"] == card.file_sha256
    assert payload["fmr_at_most"] == card.calibration.fmr_at_most(same.threshold.similarity)
    assert payload["probability"] > 0.99
    assert "assuming half of all pairs" in payload["probability_meaning"]
    assert (payload["runtime"], payload["device"]) == ("litert", "cpu")


def test_without_a_probability_its_meaning_is_left_out(same: Verification) -> None:
    silent = replace(same, meaning=replace(same.meaning, probability=None))
    assert silent.to_dict()["probability_meaning"] is None


def test_every_record_is_plain_json(same: Verification, data: Path) -> None:
    (located,) = facekit.detect([data / "obama.jpg"], face=FacePolicy.LARGEST)
    for record in (same, same.a, located):
        payload = record.to_dict()
        assert json.loads(json.dumps(payload, allow_nan=False)) == payload
