"""Presentation attack detection: crops, scores, and what is said where nothing can be said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facekit.enums import ClassScores, PadDecision
from facekit.errors import ModelMismatchError
from facekit.face.liveness import PadDetector, PadResult, crop_region
from facekit.photo.decode import read_image
from facekit.runtime.delegates import AcceleratorRequest, open_net
from facekit.runtime.net import TensorSpec
from facekit.types import Face, Float32Array
from tests.made_up_attacks import ATTACKS
from tests.networks.tiny_pad import PAD, SPEC, write_pad


def face(*box: float) -> Face:
    return Face(np.array(box, np.float32), np.zeros((5, 2), np.float32), 0.9)


class Answers:
    """A network that gives these numbers, whatever it is shown."""

    def __init__(self, *numbers: list[float], inputs: tuple[int, ...] = (1, 80, 80, 3)) -> None:
        self._numbers = np.array(numbers, np.float32)
        self.inputs = [TensorSpec("image", inputs, "float32")]
        self.outputs = [TensorSpec("scores", (1, len(numbers[0])), "float32")]

    def run(self, batch: Float32Array) -> tuple[Float32Array, ...]:
        return (self._numbers[: len(batch)],)


def scores(net: Answers, **changes: Any) -> list[float]:
    detector = PadDetector(net, spec=SPEC, pad=replace(PAD, **changes), name="made:up")
    count = len(net._numbers)
    found = detector.bona_fide_scores(np.zeros((count, 80, 80, 3), np.uint8))
    return [float(score) for score in found]


def test_the_crop_is_the_box_times_the_scale_about_its_center() -> None:
    assert crop_region(face(100, 80, 140, 130), 2.0, (400, 400)) == (80, 55, 160, 155)


def test_a_crop_beyond_the_photo_is_moved_into_it_and_keeps_its_size() -> None:
    assert crop_region(face(0, 0, 40, 50), 2.0, (400, 400)) == (0, 0, 80, 100)
    assert crop_region(face(370, 360, 410, 410), 2.0, (400, 400)) == (320, 300, 400, 400)


def test_a_crop_larger_than_the_photo_keeps_the_proportions_of_the_box() -> None:
    left, top, right, bottom = crop_region(face(10, 10, 50, 90), 4.0, (101, 101)) or (0,) * 4
    assert (right - left, bottom - top) == (50, 100)


@pytest.mark.parametrize(
    "box", [(-50, 0, -1, 40), (100, 0, 140, 40), (0, 100, 40, 140), (5, 5, 5, 20), (9, 9, 5, 5)]
)
def test_a_box_without_an_area_in_the_photo_has_no_crop(box: tuple[float, ...]) -> None:
    assert crop_region(face(*box), 2.7, (100, 100)) is None


@given(
    st.tuples(*[st.floats(-300, 300, width=32)] * 4),
    st.floats(1, 20),
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
)
def test_a_crop_lies_in_the_photo(
    box: tuple[float, float, float, float], scale: float, size: tuple[int, int]
) -> None:
    region = crop_region(face(*box), scale, size)
    if region is not None:
        left, top, right, bottom = region
        assert 0 <= left < right <= size[1]
        assert 0 <= top < bottom <= size[0]


def test_of_logits_the_softmax_is_the_score() -> None:
    logits = [1.0, 3.0, 2.0]
    expected = np.exp(3) / np.exp(logits).sum()
    assert scores(Answers(logits, [900.0, -900.0, 0.0])) == pytest.approx([expected, 0.0])


def test_of_one_logit_the_logistic_function_is_the_score() -> None:
    one: dict[str, Any] = {"classes": ("live",), "bona_fide": "live"}
    assert scores(Answers([2.0]), **one) == pytest.approx([1 / (1 + np.exp(-2))])


def test_probabilities_are_taken_as_they_are() -> None:
    net = Answers([0.25, 0.7, 0.05])
    assert scores(net, scores=ClassScores.PROBABILITIES) == pytest.approx([0.7])
    with pytest.raises(ModelMismatchError, match='"scores": "logits"'):
        scores(Answers([4.0, -7.0, 1.0]), scores=ClassScores.PROBABILITIES)


def test_what_is_no_number_is_no_response() -> None:
    detector = PadDetector(Answers([np.nan, 1.0, 1.0]), spec=SPEC, pad=PAD, name="made:up")
    photo = np.zeros((100, 100, 3), np.uint8)
    (found,) = detector.classify(photo, [face(20, 20, 60, 60)])
    assert (found.bona_fide_score, found.decision) == (None, PadDecision.NON_RESPONSE)


def test_a_face_that_cannot_be_cropped_does_not_take_the_score_of_another() -> None:
    detector = PadDetector(Answers([0.0, 9.0, 0.0]), spec=SPEC, pad=PAD, name="made:up")
    photo = np.zeros((100, 100, 3), np.uint8)
    found = detector.classify(photo, [face(200, 200, 240, 240), face(20, 20, 60, 60)])
    assert [one.decision for one in found] == [PadDecision.NON_RESPONSE, PadDecision.BONA_FIDE]
    assert detector.classify(photo, []) == ()


def test_the_threshold_itself_is_bona_fide() -> None:
    assert PadResult("made:up", 0.5, 0.5).decision is PadDecision.BONA_FIDE
    assert PadResult("made:up", 0.4999, 0.5).decision is PadDecision.ATTACK


@pytest.mark.parametrize(
    "net",
    [
        Answers([0.0, 1.0]),
        Answers([0.0, 1.0, 0.0], inputs=(1, 3, 80, 80)),
        Answers([0.0] * 3, inputs=(1, 80)),
    ],
)
def test_a_network_that_its_card_does_not_describe_is_refused(net: Answers) -> None:
    with pytest.raises(ModelMismatchError, match="is not as its card says"):
        PadDetector(net, spec=SPEC, pad=PAD, name="made:up")


@pytest.mark.parametrize("variant", ["float32", "onnx-fp32"])
def test_a_real_network_tells_made_up_attacks_from_the_photo(
    variant: str, data: Path, tmp_path: Path
) -> None:
    net = open_net(write_pad(tmp_path, variant=variant), request=AcceleratorRequest()).net
    detector = PadDetector(net, spec=SPEC, pad=PAD, name="tinypad")
    photo = read_image(data / "obama.jpg")
    middle = face(383.4, 84.7, 615.2, 415.1)
    (shown,) = detector.classify(photo, [middle])
    assert shown.decision is PadDecision.BONA_FIDE, shown
    for name, attack in ATTACKS.items():
        (shown,) = detector.classify(attack(photo, 0), [middle])
        assert shown.decision is PadDecision.ATTACK, (name, shown)


def test_made_up_attacks_come_back_by_their_seed() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (60, 50, 3), np.uint8)
    for attack in ATTACKS.values():
        np.testing.assert_array_equal(attack(photo, 3), attack(photo, 3))
        assert (attack(photo, 3) != attack(photo, 4)).any()
        assert (attack(photo, 3) != photo).any()
