"""The cascade on the real nets: against the mtcnn package, and on pictures without faces."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facekit.face.detector import Detector
from facekit.face.geometry import overlaps
from facekit.face.mtcnn.options import MtcnnOptions
from facekit.photo.decode import load_picture
from facekit.pipeline.locate import LocateOptions, Locator
from facekit.types import Face, Float32Array, UInt8Array

pytestmark = pytest.mark.model

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "detect.json").read_bytes())
PHOTOS = sorted(GOLDEN["faces"])
FULL_SIZE = MtcnnOptions(search_side_px=0)

# P-Net gives several places here a probability of 1 less one or two steps of float32: which of
# them is the best, and where O-Net then starts from, is a matter of rounding in either library.
RANKED_BY_ROUNDING = {"obama2.jpg"}


@cache
def cascade(threads: int = 1) -> Detector:
    return Locator(options=LocateOptions(threads=threads)).detector


def detect(image: UInt8Array, options: MtcnnOptions | None = None) -> tuple[Face, ...]:
    return cascade().detect([image], options=options)[0]


def largest(faces: tuple[Face, ...]) -> Face:
    return max(faces, key=lambda face: face.area_px)


def iou(a: Float32Array, b: Float32Array) -> float:
    return float(overlaps(a[None], b[None])[0, 0])


def golden_face(plain: dict[str, Any]) -> Face:
    box, landmarks = (np.array(plain[name], np.float32) for name in ("box_xyxy", "landmarks_xy"))
    return Face(box, landmarks, plain["score"])


@pytest.mark.parametrize("name", PHOTOS)
def test_faces_are_those_of_the_mtcnn_package(name: str, data: Path) -> None:
    expected = [golden_face(plain) for plain in GOLDEN["faces"][name]]
    found = detect(load_picture(data / name).pixels, FULL_SIZE)
    assert len(found) == len(expected)
    ranked_alike = name not in RANKED_BY_ROUNDING
    for ours, theirs in zip(found, expected, strict=True):
        assert iou(ours.box_xyxy, theirs.box_xyxy) >= (0.98 if ranked_alike else 0.94)
        apart = np.linalg.norm(ours.landmarks_xy - theirs.landmarks_xy, axis=1)
        assert apart.max() < (1.0 if ranked_alike else 0.11 * theirs.eye_distance_px)
        assert ours.score == pytest.approx(theirs.score, abs=0.01)


@pytest.mark.parametrize("name", PHOTOS)
def test_the_reduced_copy_has_the_same_face(name: str, data: Path) -> None:
    image = load_picture(data / name).pixels
    expected = golden_face(GOLDEN["faces"][name][0])
    twelve_megapixels = np.sqrt(12e6 / image[..., 0].size)
    enlarged = cv2.resize(image, None, fx=twelve_megapixels, fy=twelve_megapixels)
    for picture in (image, np.asarray(enlarged, np.uint8)):
        ratio = np.float32(picture.shape[1] / image.shape[1])
        face = largest(detect(picture))
        # The nets answer to another pixel grid with another box: some 3 % of its side.
        assert iou(face.box_xyxy / ratio, expected.box_xyxy) >= 0.88
        apart = np.linalg.norm(face.landmarks_xy / ratio - expected.landmarks_xy, axis=1)
        assert apart.max() < 0.12 * expected.eye_distance_px


def test_left_is_the_viewers_left(data: Path) -> None:
    left_eye, right_eye, nose, mouth_left, mouth_right = largest(
        detect(load_picture(data / "obama.jpg").pixels)
    ).landmarks_xy
    assert left_eye[0] < nose[0] < right_eye[0]
    assert mouth_left[0] < nose[0] < mouth_right[0]
    assert left_eye[1] < nose[1] < mouth_left[1]


def test_a_batch_finds_what_each_picture_alone_does(data: Path) -> None:
    images = [load_picture(data / name).pixels for name in PHOTOS]
    images.insert(1, np.zeros((1, 1, 3), np.uint8))
    together = cascade().detect(images)
    for image, faces in zip(images, together, strict=True):
        alone = detect(image)
        assert len(faces) == len(alone)
        for a, b in zip(faces, alone, strict=True):
            np.testing.assert_array_equal(a.box_xyxy, b.box_xyxy)
            np.testing.assert_array_equal(a.landmarks_xy, b.landmarks_xy)
            assert a.score == b.score


def test_faces_come_by_falling_score(data: Path) -> None:
    image = load_picture(data / "obama.jpg").pixels
    options = MtcnnOptions(stage_thresholds=(0.3, 0.3, 0.1))
    scores = [face.score for face in detect(image, options)]
    assert len(scores) > 1
    assert scores == sorted(scores, reverse=True)


def test_threads_do_not_change_the_faces(data: Path) -> None:
    image = load_picture(data / "biden.jpg").pixels
    (one,) = detect(image)
    (two,) = cascade(threads=2).detect([image])[0]
    np.testing.assert_allclose(one.box_xyxy, two.box_xyxy, atol=0.05)
    assert one.score == pytest.approx(two.score, abs=1e-4)


def test_a_gray_photo_has_the_face_of_the_colored_one(data: Path) -> None:
    image = load_picture(data / "biden.jpg").pixels
    gray = np.repeat(image.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    assert iou(largest(detect(gray)).box_xyxy, largest(detect(image)).box_xyxy) > 0.8


def test_a_face_cut_by_the_edge_reaches_beyond_it(data: Path) -> None:
    image = load_picture(data / "biden.jpg").pixels
    x1, _, x2, _ = detect(image)[0].box_xyxy
    cut = np.ascontiguousarray(image[:, int(x1 + 0.15 * (x2 - x1)) :])
    assert largest(detect(cut)).box_xyxy[0] < 0


@pytest.mark.parametrize(
    "shape",
    [(1, 1), (1, 5000), (8, 8), (11, 400), (12, 12), (19, 19), (20, 20), (21, 9000), (250, 250)],
)
@pytest.mark.parametrize("value", [0, 128, 255])
def test_blank_pictures_of_all_sizes_have_no_face(shape: tuple[int, int], value: int) -> None:
    assert detect(np.full((*shape, 3), value, np.uint8)) == ()
    assert detect(np.full((*shape[::-1], 3), value, np.uint8)) == ()


@pytest.mark.parametrize("seed", range(5))
def test_noise_holds_no_face(seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    assert detect(noise) == ()


def test_a_picture_without_pixels_has_no_face() -> None:
    assert detect(np.zeros((0, 10, 3), np.uint8)) == ()


def test_faces_smaller_than_asked_for_are_not_found(data: Path) -> None:
    image = load_picture(data / "biden.jpg").pixels
    width = largest(detect(image, FULL_SIZE)).width_px
    # P-Net sees a face that half fills its window, and less well a smaller one.
    options = MtcnnOptions(search_side_px=0, min_face_px=4 * width)
    assert detect(image, options) == ()


@pytest.mark.lfw
@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_parity_with_the_package_on_lfw(peers: Any) -> None:
    theirs = peers.mtcnn_package()
    same_count, ious, landmarks_px = 0, [], []
    for path in peers.lfw_photos(200):
        image = load_picture(path).pixels
        ours, other = detect(image), theirs(image)
        same_count += len(ours) == len(other)
        if ours and other:
            a, b = largest(ours), largest(other)
            ious.append(iou(a.box_xyxy, b.box_xyxy))
            landmarks_px.extend(np.linalg.norm(a.landmarks_xy - b.landmarks_xy, axis=1))
    assert same_count >= 198
    assert np.mean(np.array(ious) >= 0.98) >= 0.98
    assert np.median(landmarks_px) < 0.01
