"""Settings that any detector may be given, and what each makes of them."""

from __future__ import annotations

from dataclasses import fields

import pytest

from facekit.errors import UsageError
from facekit.face.detector import DetectorOptions, own_options
from facekit.face.mtcnn.options import MtcnnOptions
from facekit.face.yunet import YunetOptions


def test_what_is_not_given_is_the_detectors_own_default() -> None:
    assert own_options(DetectorOptions(), MtcnnOptions, detector="mtcnn") == MtcnnOptions()
    assert own_options(DetectorOptions(), YunetOptions, detector="yunet") == YunetOptions()


def test_what_is_given_reaches_the_detector() -> None:
    given = DetectorOptions(min_face_px=40.0, search_side_px=0)
    assert own_options(given, MtcnnOptions, detector="mtcnn") == MtcnnOptions(
        40.0, search_side_px=0
    )
    assert own_options(given, YunetOptions, detector="yunet").min_face_px == 40


def test_a_setting_of_another_detector_is_named_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"yunet has no setting scale_factor\. .* min_score"):
        own_options(DetectorOptions(scale_factor=0.5), YunetOptions, detector="yunet")
    with pytest.raises(UsageError, match=r"mtcnn has no setting min_score"):
        own_options(DetectorOptions(min_score=0.5), MtcnnOptions, detector="mtcnn")


def test_every_setting_of_a_detector_can_be_given() -> None:
    names = {one.name for one in fields(DetectorOptions)}
    for kind in (MtcnnOptions, YunetOptions):
        assert {one.name for one in fields(kind)} <= names
