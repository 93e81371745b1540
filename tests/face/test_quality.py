"""What is measured of a face, worked out by hand on photos that are the aligned crop itself."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facekit.enums import CropRule, ResizeFilter
from facekit.face.align import crop_faces, landmark_template
from facekit.face.measures import Measures, measures
from facekit.face.quality import FaceQuality, rate_faces
from facekit.face.turn import face_as_given, turned
from facekit.photo.decode import read_image
from facekit.types import CropSpec, Face, UInt8Array

DATA = Path(__file__).parents[1] / "data"
TEMPLATE = landmark_template(112, 112)
OBAMA = Face(
    np.array([383, 85, 615, 415], np.float32),
    np.array([[445, 215], [550, 213], [499, 275], [439, 320], [554, 316]], np.float32),
    0.99,
)


def face(
    *, landmarks: object = TEMPLATE, box: tuple[float, ...] = (20, 20, 92, 104), score: float = 1.0
) -> Face:
    return Face(np.array(box, np.float32), np.asarray(landmarks, np.float32), score)


def flat(level: int, *, side: int = 112) -> UInt8Array:
    return np.full((side, side, 3), level, np.uint8)


def measured(photo: UInt8Array, seen: Face | None = None) -> Measures:
    found = measures(photo, face() if seen is None else seen)
    assert found is not None
    return found


def rated(photo: UInt8Array, seen: Face | None = None) -> FaceQuality:
    (quality,) = rate_faces(photo, [face() if seen is None else seen])
    return quality


class TestLight:
    def test_one_gray_has_no_detail_noise_or_entropy_and_both_cheeks_are_alike(self) -> None:
        found = measured(flat(128))
        assert (found.mean, found.deviation, found.entropy_bits) == (128, 0, 0)
        assert (found.fine, found.middle, found.coarse, found.noise, found.blocks) == (0,) * 5
        assert (found.dark_share, found.light_share, found.cheeks_overlap) == (0, 0, 1)

    def test_a_face_that_is_half_black_and_half_white(self) -> None:
        photo = flat(0)
        photo[:, 56:] = 255  # the middle of the 68 columns that are measured
        found, quality = measured(photo), rated(photo)
        assert found.dark_share == found.light_share == pytest.approx(0.5, abs=0.01)
        assert found.entropy_bits == pytest.approx(1.0, abs=0.1)
        assert quality.dynamic_range == pytest.approx(12.5, abs=1)
        assert quality.illumination_uniformity < 35
        # 1 / (0.5 + 0.01), and nearly all must be dark before under-exposure counts.
        assert quality.over_exposure_prevention == pytest.approx(1.96, abs=0.1)
        assert quality.under_exposure_prevention == pytest.approx(99.8, abs=0.1)

    def test_black_is_under_exposed_and_white_over_exposed(self) -> None:
        # 120 (0.832 - 1 / (1 + exp((0.92 - 1) / 0.05))) = 120 (0.832 - 0.832) = 0
        assert rated(flat(25)).under_exposure_prevention == pytest.approx(0.0, abs=0.1)
        assert rated(flat(26)).under_exposure_prevention > 99
        assert rated(flat(247)).over_exposure_prevention == pytest.approx(1 / 1.01, abs=1e-6)
        assert rated(flat(246)).over_exposure_prevention == 100

    def test_every_gray_level_equally_often_is_the_whole_dynamic_range(self) -> None:
        levels = np.random.default_rng(0).permutation(np.arange(112 * 112) % 256)
        photo = np.repeat(levels.astype(np.uint8).reshape(112, 112, 1), 3, axis=2)
        assert rated(photo).dynamic_range == pytest.approx(100, abs=1)


class TestDetail:
    @pytest.mark.parametrize("deviation", [5, 10, 20])
    def test_white_noise_is_measured_as_what_it_is(self, deviation: int) -> None:
        noise = np.random.default_rng(1).normal(128, deviation, (112, 112, 1))
        photo = np.repeat(np.rint(noise).clip(0, 255).astype(np.uint8), 3, axis=2)
        assert measured(photo).noise == pytest.approx(deviation, rel=0.05)
        assert rated(photo).noise == pytest.approx(100 / (1 + (deviation / 8) ** 2), abs=4)

    def test_blocks_of_one_gray_each_are_seen_wherever_the_grid_begins(self) -> None:
        levels = np.random.default_rng(2).integers(60, 200, (40, 40)).astype(np.uint8)
        photo = np.repeat(np.kron(levels, np.ones((8, 8), np.uint8))[..., None], 3, axis=2)
        smooth = np.asarray(cv2.GaussianBlur(photo, (0, 0), 4), np.uint8)
        for shift in (0, 3, 7):
            shifted = np.ascontiguousarray(photo[shift:, shift:][:300, :300])
            seen = face(landmarks=TEMPLATE * 2 + 30)
            assert measured(shifted, seen).blocks > 5
            assert measured(smooth[shift:, shift:][:300, :300], seen).blocks < 0.2

    def test_blur_takes_sharpness_and_the_unified_score_and_noise_does_not_add_to_it(self) -> None:
        photo = read_image(DATA / "obama.jpg")
        blurred = [cv2.GaussianBlur(photo, (0, 0), sigma) for sigma in (8.0, 14.0, 24.0)]
        noisy = photo + np.random.default_rng(0).normal(0, 40, photo.shape)
        qualities = [rated(np.asarray(one, np.uint8), OBAMA) for one in (photo, *blurred)]
        sharpness = [quality.sharpness for quality in qualities]
        unified = [quality.unified_score for quality in qualities]
        assert sharpness == sorted(sharpness, reverse=True)
        assert unified == sorted(unified, reverse=True)
        assert unified[0] > 90 > 50 > unified[-1]
        spoiled = rated(noisy.clip(0, 255).astype(np.uint8), OBAMA)
        assert spoiled.noise < qualities[0].noise
        assert spoiled.unified_score < unified[0]


class TestGeometry:
    def test_the_reference_points_look_straight_ahead(self) -> None:
        found = measured(flat(128))
        assert found.yaw_degrees == pytest.approx(0, abs=0.5)
        assert found.pitch_degrees == pytest.approx(0, abs=0.5)
        assert found.misfit_px == pytest.approx(0, abs=1e-4)

    @pytest.mark.parametrize("degrees", [-40, 15, 30])
    def test_the_nose_moves_with_yaw_and_pitch(self, degrees: float) -> None:
        """By half the distance of the eyes times the tangent."""
        eyes = float(np.linalg.norm(TEMPLATE[1] - TEMPLATE[0]))
        shift = 0.5 * eyes * np.tan(np.radians(degrees))
        for axis, other in (("yaw", "pitch"), ("pitch", "yaw")):
            landmarks = TEMPLATE.copy()
            landmarks[2, 0 if axis == "yaw" else 1] += shift
            found = measured(flat(128), face(landmarks=landmarks))
            assert getattr(found, f"{axis}_degrees") == pytest.approx(degrees, abs=1)
            assert getattr(found, f"{other}_degrees") == pytest.approx(0, abs=1)
        cosine = np.cos(np.radians(degrees))
        assert rated(flat(128), face(landmarks=landmarks)).head_pose_pitch == pytest.approx(
            100 * cosine**2, abs=2
        )

    @settings(max_examples=30)
    @given(st.floats(-80, 80), st.floats(0.5, 3))
    def test_roll_is_the_angle_of_the_eyes_and_changes_no_other_angle(
        self, degrees: float, scale: float
    ) -> None:
        turn = np.radians(degrees)
        matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * scale
        landmarks = (TEMPLATE - 56) @ matrix.T + 200
        landmarks[2] += matrix @ [4, 3]
        found = measured(flat(128, side=400), face(landmarks=landmarks, box=(100, 100, 300, 300)))
        expected = measured(
            flat(128), face(landmarks=TEMPLATE + np.array([[0, 0]] * 2 + [[4, 3]] + [[0, 0]] * 2))
        )
        assert found.roll_degrees - expected.roll_degrees == pytest.approx(degrees, abs=0.1)
        assert found.yaw_degrees == pytest.approx(expected.yaw_degrees, abs=0.1)
        assert found.pitch_degrees == pytest.approx(expected.pitch_degrees, abs=0.1)
        assert found.misfit_px == pytest.approx(expected.misfit_px, abs=0.01)

    def test_the_distance_of_the_eyes_in_pixels(self) -> None:
        for distance, expected in ((70, 50.0), (100, 81.8), (40, 18.2)):
            scaled = TEMPLATE * distance / np.linalg.norm(TEMPLATE[1] - TEMPLATE[0])
            quality = rated(flat(128, side=400), face(landmarks=scaled))
            assert quality.inter_eye_distance == pytest.approx(expected, abs=0.1)

    @pytest.mark.parametrize(
        ("box", "expected"),
        [((0, 0, 112, 112), 100), ((-56, 0, 56, 112), 50), ((56, 56, 168, 168), 25),
         ((200, 0, 300, 100), 0), ((0, 0, 0, 100), 0)],
    )  # fmt: skip
    def test_the_share_of_the_box_inside_the_photo(
        self, box: tuple[float, ...], expected: float
    ) -> None:
        assert rated(flat(128), face(box=box)).crop_of_the_face_image == expected

    def test_eyes_that_coincide_with_all_else_give_nothing(self) -> None:
        quality = rated(flat(128), face(landmarks=np.full((5, 2), 50)))
        assert set(quality.to_dict().values()) == {0.0}


class TestPlace:
    def test_the_crop_is_that_of_the_embedding_networks(self) -> None:
        """What is measured equals what the crop of facekit/face/align.py has."""
        photo = read_image(DATA / "obama.jpg")
        spec = CropSpec(CropRule.SIMILARITY, 0.0, ResizeFilter.BILINEAR)
        (crop,) = crop_faces(photo, [OBAMA], spec, height_px=112, width_px=112)
        direct, again = measured(photo, OBAMA), measured(crop, face())
        for name in ("mean", "deviation", "fine", "middle", "coarse", "noise", "entropy_bits"):
            assert getattr(direct, name) == pytest.approx(getattr(again, name), rel=0.1), name

    def test_a_turned_photo_has_the_measures_of_the_upright_one(self) -> None:
        photo = read_image(DATA / "obama.jpg")
        expected = measured(photo, OBAMA)
        for degrees in (90, 180, 270):
            # The photo lies on its side; turning it by `degrees` clockwise sets it upright.
            lying = np.ascontiguousarray(turned(photo, (360 - degrees) % 360))
            found = measured(lying, face_as_given(OBAMA, photo.shape, degrees))
            for one in fields(Measures):
                value = getattr(expected, one.name)
                assert getattr(found, one.name) == pytest.approx(value, rel=0.03, abs=0.05), one

    def test_a_larger_copy_of_a_face_is_as_sharp(self) -> None:
        photo = read_image(DATA / "obama.jpg")
        large = np.asarray(
            cv2.resize(photo, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC), np.uint8
        )
        grown = replace(OBAMA, box_xyxy=OBAMA.box_xyxy * 3, landmarks_xy=OBAMA.landmarks_xy * 3)
        small, big = rated(photo, OBAMA), rated(large, grown)
        assert big.sharpness == pytest.approx(small.sharpness, abs=8)
        assert big.inter_eye_distance > small.inter_eye_distance

    @given(
        st.lists(st.floats(-500, 700, width=32), min_size=10, max_size=10),
        st.lists(st.floats(-500, 700, width=32), min_size=4, max_size=4),
        st.floats(0, 1),
    )
    @settings(max_examples=50)
    def test_every_number_is_0_to_100_wherever_the_face_is_said_to_be(
        self, points: list[float], box: list[float], score: float
    ) -> None:
        photo = np.random.default_rng(0).integers(0, 256, (60, 90, 3)).astype(np.uint8)
        seen = face(landmarks=np.reshape(points, (5, 2)), box=tuple(box), score=score)
        numbers = rated(photo, seen).to_dict()
        assert all(0 <= number <= 100 for number in numbers.values()), numbers
