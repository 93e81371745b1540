"""A card's thresholds, one set for each detector that they were measured with."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from facekit.system.fields import Fields
from facekit.template.calibration import Calibration, OperatingPoint, parse_calibration
from facekit.template.space import mean_sha256_of
from facekit.types import CropSpec, DetectorIdentity, Float32Array
from tests.template.spaces import MEAN, SPACE

YUNET = DetectorIdentity("yunet", ("12" * 32,))


def measured(
    detector: DetectorIdentity | None,
    threshold: float,
    mean: Float32Array | None = None,
    crop: CropSpec = SPACE.crop,
) -> Calibration:
    point = OperatingPoint("fmr=1e-3", threshold, 1e-3, 0.1, 9, 9, (0, 1), (0, 1), "own", "photos")
    space = replace(SPACE, detector=detector, crop=crop, mean_sha256=mean_sha256_of(mean))
    return Calibration(mean, (point,), space=space)


MTCNN_ALONE = measured(SPACE.detector, 0.4)
BOTH = replace(MTCNN_ALONE, others=(measured(YUNET, 0.3, MEAN),))


def thresholds(calibration: Calibration) -> list[tuple[str | None, float]]:
    listed = (calibration, *calibration.others)
    return [(one.detector, one.operating_point("fmr=1e-3").threshold_similarity) for one in listed]


def test_the_one_that_was_measured_with_the_detector_in_use_is_taken() -> None:
    found = BOTH.for_detector("yunet")
    assert thresholds(found) == [("yunet", 0.3), ("mtcnn", 0.4)]
    assert found.embedding_mean is not None
    assert not found.other_space(replace(SPACE, detector=YUNET, mean_sha256=mean_sha256_of(MEAN)))
    assert thresholds(found.for_detector("mtcnn")) == thresholds(BOTH)


def test_with_a_detector_that_nobody_measured_the_usual_one_stays_and_does_not_hold() -> None:
    found = BOTH.for_detector("mine")
    assert found is BOTH
    mine = DetectorIdentity("mine", ("34" * 32,))
    assert "detector" in found.other_space(replace(SPACE, detector=mine))


def test_measuring_anew_replaces_what_was_measured_with_the_same_detector() -> None:
    found = BOTH.with_measured(measured(YUNET, 0.35), usual="mtcnn")
    assert thresholds(found) == [("mtcnn", 0.4), ("yunet", 0.35)]
    assert found.others[0].embedding_mean is None
    found = found.with_measured(measured(SPACE.detector, 0.45), usual="mtcnn")
    assert thresholds(found) == [("mtcnn", 0.45), ("yunet", 0.35)]


def test_the_usual_detectors_calibration_stands_first() -> None:
    found = MTCNN_ALONE.with_measured(measured(YUNET, 0.3), usual="yunet")
    assert thresholds(found) == [("yunet", 0.3), ("mtcnn", 0.4)]


def test_one_with_another_detector_than_the_usual_leaves_the_usual_one_unmeasured() -> None:
    found = Calibration().with_measured(measured(YUNET, 0.3), usual="mtcnn")
    assert not found.operating_points
    assert found.for_detector("yunet").operating_points


def test_a_calibration_that_does_not_say_its_detector_is_the_usual_ones() -> None:
    found = measured(None, 0.4).with_measured(measured(SPACE.detector, 0.45), usual="mtcnn")
    assert thresholds(found) == [("mtcnn", 0.45)]


def test_what_was_measured_with_another_crop_rule_goes() -> None:
    other_crop = replace(SPACE.crop, margin_px=44.0)
    found = BOTH.with_measured(measured(YUNET, 0.35, crop=other_crop), usual="mtcnn")
    assert not found.operating_points
    assert [one.detector for one in found.others] == ["yunet"]


def test_all_of_them_are_written_and_read_back() -> None:
    read = parse_calibration(Fields(json.loads(json.dumps(BOTH.to_dict())), "calibration"))
    assert thresholds(read) == thresholds(BOTH)
    assert read.others[0].space == BOTH.others[0].space
    np.testing.assert_array_equal(read.others[0].embedding_mean, MEAN)
