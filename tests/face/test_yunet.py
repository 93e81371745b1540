"""YuNet around its net: what it is shown, how its answers are read, by hand-worked cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from facekit.enums import ColorOrder
from facekit.errors import ModelMismatchError, UsageError
from facekit.face.yunet import STRIDES_PX, Yunet, YunetOptions, places
from facekit.runtime.net import TensorSpec
from facekit.types import Float32Array, InputSpec, UInt8Array

SPEC = InputSpec(320, 320, ColorOrder.BGR, mean=0.0, std=1.0)
KINDS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}


def silent(height: int, width: int) -> dict[str, Float32Array]:
    """Answers that see no face, by name."""
    return {
        f"{kind}_{stride}": np.zeros((1, height // stride * (width // stride), count), np.float32)
        for kind, count in KINDS.items()
        for stride in STRIDES_PX
    }


@dataclass
class KnownNet:
    """A net that sees what it is told, and keeps what it was shown."""

    says: dict[tuple[str, int], Sequence[float]] = field(default_factory=dict)
    """by output and place"""
    sides: tuple[int, int] = (-1, -1)
    shown: list[NDArray[Any]] = field(default_factory=list)

    @property
    def inputs(self) -> Sequence[TensorSpec]:
        return (TensorSpec("input", (1, *self.sides, 3), "float32"),)

    @property
    def outputs(self) -> Sequence[TensorSpec]:
        return tuple(
            TensorSpec(name, (1, -1, value.shape[2]), "float32")
            for name, value in silent(32, 32).items()
        )

    def run(self, batch: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        self.shown.append(batch)
        answers = silent(*batch.shape[1:3])
        for (name, place), values in self.says.items():
            answers[name][0, place] = values
        return tuple(answers.values())


def face_at(stride: int, place: int, *, score: float = 0.9) -> dict[tuple[str, int], Any]:
    return {(f"cls_{stride}", place): [score], (f"obj_{stride}", place): [score]}


def picture(height: int, width: int, value: int = 200) -> UInt8Array:
    return np.full((height, width, 3), value, np.uint8)


def test_a_place_is_read_as_opencv_reads_it() -> None:
    """Stride 16, place 7 of 64 x 96: row 1, column 1 of 6; center at (1.5, 1.25) strides."""
    answers = silent(64, 96)
    answers["cls_16"][0, 7], answers["obj_16"][0, 7] = 0.81, 1.0
    answers["bbox_16"][0, 7] = 0.5, 0.25, np.log(2), np.log(3)
    answers["kps_16"][0, 7] = np.arange(10) / 8
    found = places(tuple(answers.values()), width_px=96, min_score=0.9)
    np.testing.assert_allclose(found.scores, [0.9])
    np.testing.assert_allclose(found.boxes, [[24 - 16, 20 - 24, 24 + 16, 20 + 24]], rtol=1e-6)
    np.testing.assert_allclose(found.landmarks[0, 0], [16, 16 + 2])
    np.testing.assert_allclose(found.landmarks[0, 4], [16 + 16, 16 + 18])
    assert not len(places(tuple(answers.values()), width_px=96, min_score=0.91).scores)


def test_each_stride_has_its_own_grid() -> None:
    answers = silent(64, 64)
    for stride, place in ((8, 9), (16, 5), (32, 3)):
        answers[f"cls_{stride}"][0, place] = answers[f"obj_{stride}"][0, place] = 1
    found = places(tuple(answers.values()), width_px=64, min_score=0.5)
    np.testing.assert_array_equal(found.boxes, [[4, 4, 12, 12], [8, 8, 24, 24], [16, 16, 48, 48]])


def test_a_score_is_the_geometric_mean_of_probabilities_that_are_cut_to_0_and_1() -> None:
    answers = silent(32, 32)
    for place, (cls, obj) in enumerate([(0.5, 0.5), (4.0, 0.25), (-1.0, -1.0), (np.nan, 1.0)]):
        answers["cls_8"][0, place], answers["obj_8"][0, place] = cls, obj
    found = places(tuple(answers.values()), width_px=32, min_score=0.4)
    np.testing.assert_allclose(found.scores, [0.5, 0.5])


def test_what_is_not_finite_is_no_face() -> None:
    net = KnownNet(
        face_at(8, 0)
        | {("bbox_8", 0): [0, 0, 200, 0]}
        | face_at(8, 3)
        | {("kps_8", 3): [np.nan] * 10}
    )
    assert Yunet(net, spec=SPEC).detect([picture(32, 32)]) == [()]


AS_IT_IS = YunetOptions(enlarged_side_px=0)


def test_of_faces_that_overlap_the_better_one_stays() -> None:
    wide = {("bbox_8", place): [0, 0, np.log(3), np.log(3)] for place in (0, 1, 3)}
    net = KnownNet(
        face_at(8, 0, score=0.8) | face_at(8, 1, score=0.9) | face_at(8, 3, score=0.7) | wide
    )
    detector = Yunet(net, spec=SPEC)
    (found,) = detector.detect([picture(32, 32)], options=AS_IT_IS)
    assert [face.score for face in found] == pytest.approx([0.9, 0.7])
    (found,) = detector.detect([picture(32, 32)], options=replace(AS_IT_IS, face_overlap=0.1))
    assert len(found) == 1
    (found,) = detector.detect([picture(32, 32)], options=replace(AS_IT_IS, face_overlap=0.9))
    assert len(found) == 3


def test_small_faces_are_left_out() -> None:
    detector = Yunet(KnownNet(face_at(8, 0)), spec=SPEC)
    assert not detector.detect([picture(400, 32)])[0]
    assert detector.detect([picture(400, 32)], options=YunetOptions(min_face_px=8))[0]


def test_a_picture_is_filled_up_to_multiples_of_32_with_black() -> None:
    net = KnownNet()
    Yunet(net, spec=SPEC).detect([picture(33, 640)])
    (shown,) = net.shown
    assert shown.shape == (1, 64, 640, 3)
    assert (shown[0, :33] == 200).all()
    assert not shown[0, 33:].any()


def test_the_net_is_shown_the_channels_that_its_card_says() -> None:
    red = np.zeros((32, 384, 3), np.uint8)
    red[..., 0] = 255
    for order, place in ((ColorOrder.RGB, 0), (ColorOrder.BGR, 2)):
        net = KnownNet()
        Yunet(net, spec=InputSpec(32, 32, order, 0.0, 1.0)).detect([red])
        assert (net.shown[0][..., place] == 255).all()
        assert net.shown[0].sum() == 255 * 32 * 384


def test_a_large_picture_is_searched_on_a_reduced_copy() -> None:
    """2000 x 1000 on 640 x 320: what is at x is at 3.125 x of the picture."""
    net = KnownNet(face_at(32, 0))
    (found,) = Yunet(net, spec=SPEC).detect([picture(1000, 2000)])
    assert net.shown[0].shape == (1, 320, 640, 3)
    np.testing.assert_allclose(found[0].box_xyxy, np.array([-16, -16, 16, 16]) * 3.125)
    full = YunetOptions(search_side_px=0)
    Yunet(net, spec=SPEC).detect([picture(1000, 2000)], options=full)
    assert net.shown[1].shape == (1, 1024, 2016, 3)


def test_a_small_picture_is_searched_on_an_enlarged_copy() -> None:
    """128 x 192 on 256 x 384; 100 x 50, at most twofold; and not where nobody wants it."""
    net = KnownNet(face_at(32, 0))
    detector = Yunet(net, spec=SPEC)
    (found,) = detector.detect([picture(128, 192)])
    assert net.shown[0].shape == (1, 256, 384, 3)
    assert (net.shown[0] == 200).all()
    np.testing.assert_allclose(found[0].box_xyxy, [-8, -8, 8, 8])
    detector.detect([picture(100, 50)])
    assert net.shown[1].shape == (1, 224, 128, 3)
    detector.detect([picture(128, 192)], options=YunetOptions(enlarged_side_px=0))
    assert net.shown[2].shape == (1, 128, 192, 3)
    detector.detect([picture(128, 192)], options=YunetOptions(search_side_px=288))
    assert net.shown[3].shape == (1, 192, 288, 3)


@pytest.mark.parametrize(
    ("shape", "reduction"),
    [((480, 640), 2.0), ((128, 160), 0.5), ((50, 40), 0.5), ((960, 60), 3.75)],
)
def test_a_net_of_one_size_is_shown_the_picture_in_its_upper_left_corner(
    shape: tuple[int, int], reduction: float
) -> None:
    net = KnownNet(face_at(32, 0), sides=(256, 320))
    (found,) = Yunet(net, spec=SPEC).detect([picture(*shape)])
    (shown,) = net.shown
    assert shown.shape == (1, 256, 320, 3)
    height, width = (round(side / reduction) for side in shape)
    assert (shown[0, :height, :width] == 200).all()
    assert not shown[0, height:].any()
    assert not shown[0, :, width:].any()
    np.testing.assert_allclose(
        found[0].box_xyxy, np.array([-16, -16, 16, 16]) * reduction, rtol=0.02
    )


def test_several_pictures_of_any_size_and_none() -> None:
    detector = Yunet(KnownNet(face_at(32, 0)), spec=SPEC)
    found = detector.detect([picture(1, 1), picture(40, 3000), np.zeros((0, 5, 3), np.uint8)])
    assert [len(faces) for faces in found] == [1, 1, 0]
    assert detector.detect([]) == []


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 900),
    width=st.integers(1, 900),
    side=st.sampled_from([0, 32, 320, 640]),
    sides=st.sampled_from([(-1, -1), (320, 320), (96, 128)]),
)
def test_what_the_net_is_shown_has_sides_it_can_take(
    height: int, width: int, side: int, sides: tuple[int, int]
) -> None:
    net = KnownNet(sides=sides)
    Yunet(net, spec=SPEC).detect(
        [picture(height, width)], options=YunetOptions(search_side_px=side)
    )
    shape = net.shown[0].shape[1:3]
    assert all(one % 32 == 0 for one in shape)
    assert sides in ((-1, -1), shape)


@pytest.mark.parametrize("wrong", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3), np.float32)])
def test_other_arrays_are_no_pictures(wrong: Any) -> None:
    with pytest.raises(ValueError, match="uint8 of shape"):
        Yunet(KnownNet(), spec=SPEC).detect([wrong])


@pytest.mark.parametrize("sides", [(-1, 320), (320, -1), (320, 330)])
def test_sides_that_do_not_fit_the_strides_are_refused(sides: tuple[int, int]) -> None:
    with pytest.raises(ModelMismatchError, match=r"a\.tflite is no detector in YuNet's form"):
        Yunet(KnownNet(sides=sides), spec=SPEC, name="a.tflite")


def test_outputs_of_another_size_than_the_input_are_refused() -> None:
    class Cut(KnownNet):
        @property
        def outputs(self) -> Sequence[TensorSpec]:
            return tuple(replace(one, shape=(1, 16, one.shape[2])) for one in super().outputs)

    with pytest.raises(ModelMismatchError, match=r"for each place, needed\. Received"):
        Yunet(Cut(sides=(64, 64)), spec=SPEC)


def test_other_outputs_are_refused() -> None:
    class Classifier(KnownNet):
        outputs = (TensorSpec("embedding", (1, 128), "float32"),)

    with pytest.raises(ModelMismatchError, match=r"Received: .* and \[\(1, 128\)\]$"):
        Yunet(Classifier(), spec=SPEC)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"min_face_px": -1.0}, "cannot be negative. Received: -1"),
        ({"min_score": 1.5}, "min_score must lie between 0 and 1. Received: 1.5"),
        ({"face_overlap": float("nan")}, "face_overlap must lie between 0 and 1. Received: nan"),
        ({"search_side_px": -1}, r"0 \(full size\) or positive\. Received: -1"),
    ],
)
def test_settings_that_cannot_be_meant(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        YunetOptions(**wrong)
