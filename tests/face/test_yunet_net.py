"""YuNet on its real net: against OpenCV's own detector, and as a user's own model."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.errors import ModelMismatchError, UsageError
from facekit.face.detector import Detector, DetectorOptions
from facekit.face.yunet import YunetOptions
from facekit.graph.read.onnx_graph import read_onnx_graph
from facekit.graph.write.litert import to_litert
from facekit.model.card import Task, read_card
from facekit.photo.decode import read_image
from facekit.pipeline.locate import LocateOptions, Locator
from facekit.runtime.litert import LiteRtNet
from facekit.template.calibration import Calibration
from facekit.types import Face, UInt8Array
from tests.networks.independent_nets import RuntimeNet, expanded
from tests.networks.tiny_embedder import tiny_embedder

AS_FOUND = YunetOptions(min_face_px=0, search_side_px=0, enlarged_side_px=0)


@pytest.fixture(scope="module")
def yunet(yunet_file: Path) -> Detector:
    return Locator(options=LocateOptions(detector=str(yunet_file))).detector


@pytest.fixture(scope="module")
def float32_onnx(yunet_source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return expanded(yunet_source, tmp_path_factory.mktemp("expanded") / "yunet.onnx")


@pytest.fixture(scope="module")
def group(data: Path) -> UInt8Array:
    """Portraits of several sizes side by side, cut to odd sides."""
    canvas = np.full((401, 1003, 3), 90, np.uint8)
    left = 0
    for name, height in (("obama", 401), ("biden", 301), ("obama2", 203), ("obama", 97)):
        photo = read_image(data / f"{name}.jpg")
        width = round(photo.shape[1] * height / photo.shape[0])
        canvas[:height, left : left + width] = cv2.resize(photo, (width, height))
        left += width
    return canvas


def opencv_faces(onnx: Path, image: UInt8Array, options: YunetOptions) -> list[Face]:
    size = (image.shape[1], image.shape[0])
    detector = cv2.FaceDetectorYN.create(
        str(onnx), "", size, options.min_score, options.face_overlap, 5000
    )
    _, found = detector.detect(np.ascontiguousarray(image[..., ::-1]))
    rows = np.zeros((0, 15), np.float32) if found is None else np.asarray(found, np.float32)
    return [
        Face(np.concatenate([row[:2], row[:2] + row[2:4]]), row[4:14].reshape(5, 2), float(row[14]))
        for row in rows
    ]


@pytest.mark.parametrize("score", [0.6, 0.3])
def test_faces_are_those_that_opencv_finds(
    yunet: Detector, float32_onnx: Path, group: UInt8Array, score: float
) -> None:
    options = replace(AS_FOUND, min_score=score)
    (ours,) = yunet.detect([group], options=options)
    theirs = opencv_faces(float32_onnx, group, options)
    assert len(ours) == len(theirs) >= 4
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.box_xyxy, other.box_xyxy, atol=0.01)
        np.testing.assert_allclose(mine.landmarks_xy, other.landmarks_xy, atol=0.01)
        assert mine.score == pytest.approx(other.score, abs=1e-4)


@pytest.mark.parametrize("shape", [(32, 32), (64, 160), (256, 96)])
def test_the_net_answers_as_onnx_runtime_does(
    yunet_source: Path, yunet_file: Path, float32_onnx: Path, shape: tuple[int, int]
) -> None:
    picture = np.random.default_rng(3).integers(0, 256, (1, *shape, 3)).astype(np.float32)
    ours, theirs = LiteRtNet(yunet_file).run(picture), RuntimeNet(float32_onnx).outputs(picture)
    assert [one.shape for one in ours] == [one.shape for one in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, atol=2e-5)


def test_landmarks_are_named_as_the_viewer_sees_them(yunet: Detector, data: Path) -> None:
    (found,) = yunet.detect([read_image(data / "obama.jpg")])
    left_eye, right_eye, nose, mouth_left, mouth_right = found[0].landmarks_xy
    assert left_eye[0] < nose[0] < right_eye[0]
    assert mouth_left[0] < mouth_right[0]
    assert left_eye[1] < nose[1] < mouth_left[1]


def test_noise_and_black_have_no_face(yunet: Detector) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3)).astype(np.uint8)
    assert yunet.detect([noise, np.zeros((500, 20, 3), np.uint8)]) == [(), ()]


@pytest.fixture(scope="module")
def own_detector(
    yunet_source: Path, yunet_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A user's own net in YuNet's form, of one size, under another name."""
    path = tmp_path_factory.mktemp("own") / "mine_float32.tflite"
    graph = read_onnx_graph(yunet_source, name="mine")
    path.write_bytes(to_litert(graph))
    card = read_card(yunet_file.with_suffix(".json"))
    content = path.read_bytes()
    card = replace(
        card,
        name="mine",
        file_name=path.name,
        file_sha256=hashlib.sha256(content).hexdigest(),
        file_size_bytes=len(content),
    )
    path.with_suffix(".json").write_text(card.to_json())
    return path


def test_a_net_of_one_size_finds_the_same_faces(
    yunet: Detector, own_detector: Path, data: Path
) -> None:
    """640 x 640: a photo that is larger is reduced into it, as it is for the net of any size."""
    locator = Locator(options=LocateOptions(detector=str(own_detector)))
    assert locator.identity.name == "mine"
    photos = [read_image(data / f"{name}.jpg") for name in ("obama", "obama2", "biden")]
    for mine, others in zip(locator.detect(photos), yunet.detect(photos), strict=True):
        assert len(mine) == len(others) == 1
        np.testing.assert_allclose(mine[0].box_xyxy, others[0].box_xyxy, atol=0.5)
        np.testing.assert_allclose(mine[0].landmarks_xy, others[0].landmarks_xy, atol=0.5)


def test_what_is_no_detector_is_named(data: Path, tmp_path: Path) -> None:
    embedder = tiny_embedder(data, tmp_path / "embedder")
    locator = Locator(options=LocateOptions(detector=str(embedder.path)))
    with pytest.raises(ModelMismatchError, match=r"tiny \(float32\) is for embedding"):
        locator.detect([])
    card = replace(embedder.card, task=Task.DETECTION, crop=None, embedding_size=0)
    embedder.path.with_suffix(".json").write_text(
        replace(card, calibration=Calibration()).to_json()
    )
    locator = Locator(options=LocateOptions(detector=str(embedder.path)))
    with pytest.raises(ModelMismatchError, match=r"tiny_float32\.tflite is no detector in YuNet"):
        locator.detect([])


def test_settings_of_another_detector_are_refused_before_anything_is_loaded() -> None:
    options = DetectorOptions(scale_factor=0.5)
    with pytest.raises(UsageError, match="yunet has no setting scale_factor"):
        Locator(options=LocateOptions(detector="yunet", detector_options=options))
