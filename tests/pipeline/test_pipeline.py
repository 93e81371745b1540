"""The order of the stages, on real photos with the real models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facekit.enums import CropRule, FacePolicy, ResizeFilter
from facekit.errors import AmbiguousFaceError, ModelMismatchError, NoFaceError
from facekit.model.card import embedder_of
from facekit.model.store import find
from facekit.photo.decode import read_image
from facekit.photo.write import write_png
from facekit.pipeline.locate import LocateOptions
from facekit.pipeline.pipeline import Pipeline, PipelineOptions
from facekit.runtime.litert import LiteRtNet
from facekit.template.threshold import card_threshold
from facekit.types import CropSpec

DATA = Path(__file__).parents[1] / "data"
PHOTOS = [DATA / f"{name}.jpg" for name in ("obama", "obama2", "biden")]

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(find("facenet512-casia"))


def group(*photos: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The photos side by side, each cut to the same height."""
    pictures = [read_image(photo)[:800] for photo in photos]
    return np.concatenate(pictures, axis=1)


def test_a_batch_is_the_same_as_one_by_one(pipeline: Pipeline) -> None:
    together = pipeline.embed(PHOTOS)
    for photo, embedded in zip(PHOTOS, together, strict=True):
        (alone,) = pipeline.embed([photo])
        np.testing.assert_allclose(alone.embeddings, embedded.embeddings, atol=1e-6)
        assert alone.photo_sha256 == embedded.photo_sha256


def test_embeddings_are_of_unit_length_and_finite(pipeline: Pipeline) -> None:
    for embedded in pipeline.embed(PHOTOS):
        assert embedded.embeddings.shape == (1, 512)
        np.testing.assert_allclose(np.linalg.norm(embedded.embeddings, axis=1), 1, atol=1e-5)


def test_an_empty_batch_is_legal(pipeline: Pipeline) -> None:
    assert pipeline.embed([]) == []


def test_verification_is_symmetric_and_sure_of_itself(pipeline: Pipeline) -> None:
    cut = card_threshold(pipeline.model.card.calibration, pipeline.threshold_space)
    forth = pipeline.verify(PHOTOS[0], PHOTOS[2], threshold=cut)
    back = pipeline.verify(PHOTOS[2], PHOTOS[0], threshold=cut)
    assert forth.decision.similarity == pytest.approx(back.decision.similarity, abs=1e-6)
    itself = pipeline.verify(PHOTOS[0], PHOTOS[0], threshold=cut)
    assert itself.decision.similarity == pytest.approx(1, abs=1e-5)


def test_all_faces_of_a_group_are_compared_and_the_best_pair_decides(tmp_path: Path) -> None:
    both = tmp_path / "group.png"
    write_png(both, group(PHOTOS[2], PHOTOS[0]))
    options = PipelineOptions(LocateOptions(face_policy=FacePolicy.ALL))
    everyone = Pipeline(find("facenet512-casia"), options=options)
    cut = card_threshold(everyone.model.card.calibration, everyone.threshold_space)
    result = everyone.verify(both, PHOTOS[1], threshold=cut)
    assert result.decision.same
    assert result.comparisons == len(result.a.faces) * len(result.b.faces) >= 2
    face = result.a.faces[result.best_pair[0]]
    assert face is not None
    assert face.box_xyxy[0] > read_image(PHOTOS[2]).shape[1]  # the right half: Obama


def test_policy_error_refuses_a_group(tmp_path: Path) -> None:
    both = tmp_path / "group.png"
    write_png(both, group(PHOTOS[2], PHOTOS[0]))
    options = PipelineOptions(LocateOptions(face_policy=FacePolicy.ERROR))
    with pytest.raises(AmbiguousFaceError, match=r"group\.png"):
        Pipeline(find("facenet512-casia"), options=options).embed([both])


def test_a_photo_without_a_face_is_named(pipeline: Pipeline, tmp_path: Path) -> None:
    blank = tmp_path / "blank.png"
    write_png(blank, np.full((120, 90, 3), 200, np.uint8))
    with pytest.raises(NoFaceError, match=r"blank\.png"):
        pipeline.embed([blank])


@pytest.mark.parametrize("rule", [CropRule.SIMILARITY, CropRule.NONE])
def test_other_crop_rules_embed_too(rule: CropRule) -> None:
    crop = CropSpec(rule, 0, ResizeFilter.BILINEAR)
    options = PipelineOptions(crop=crop)
    embedded = Pipeline(find("facenet512-casia"), options=options).embed(PHOTOS)
    assert [one.embeddings.shape for one in embedded] == [(1, 512)] * 3


def test_a_card_that_does_not_fit_the_net_is_refused() -> None:
    model = find("facenet512-casia")
    net = LiteRtNet(model.path, threads=1)
    wrong = replace(model.card.input, height_px=112)
    with pytest.raises(ModelMismatchError, match="160, 160"):
        embedder_of(net, replace(model.card, input=wrong))


def test_a_detectors_net_is_not_an_embedder() -> None:
    model = find("mtcnn:rnet")
    with pytest.raises(ModelMismatchError, match="detection"):
        embedder_of(LiteRtNet(model.path, threads=1), model.card)
