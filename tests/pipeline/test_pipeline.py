"""The order of the stages, on real photos with the real models."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facekit.enums import CropRule, FacePolicy, Flip, PersonRule, ResizeFilter
from facekit.errors import (
    AmbiguousFaceError,
    ImageError,
    ModelMismatchError,
    NoFaceError,
    NoOperatingPointError,
)
from facekit.face.detector import DetectorOptions
from facekit.gallery.records import Template
from facekit.gallery.sqlite.gallery import SqliteGallery, create_sqlite
from facekit.model.card import embedder_of
from facekit.model.store import InstalledModel, find
from facekit.photo.decode import load_picture, read_image
from facekit.photo.write import write_png
from facekit.pipeline.locate import LocateOptions
from facekit.pipeline.pipeline import Pipeline, PipelineOptions
from facekit.pipeline.records import LocatedPicture
from facekit.runtime.litert import LiteRtNet
from facekit.template.calibration import Calibration
from facekit.template.file import write_embeddings
from facekit.template.table import EmbeddingRow, EmbeddingTable
from facekit.template.threshold import card_threshold
from facekit.types import CropSpec, Face

DATA = Path(__file__).parents[1] / "data"
PHOTOS = [DATA / f"{name}.jpg" for name in ("obama", "obama2", "biden")]

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(find("facenet512-casia"))


def group(*photos: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The photos side by side, each threshold to the same height."""
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
    threshold = card_threshold(pipeline.model.card.calibration, pipeline.threshold_space)
    forth = pipeline.verify(PHOTOS[0], PHOTOS[2], threshold=threshold)
    back = pipeline.verify(PHOTOS[2], PHOTOS[0], threshold=threshold)
    assert forth.decision.similarity == pytest.approx(back.decision.similarity, abs=1e-6)
    itself = pipeline.verify(PHOTOS[0], PHOTOS[0], threshold=threshold)
    assert itself.decision.similarity == pytest.approx(1, abs=1e-5)


def test_all_faces_of_a_group_are_compared_and_the_best_pair_decides(tmp_path: Path) -> None:
    both = tmp_path / "group.png"
    write_png(both, group(PHOTOS[2], PHOTOS[0]))
    options = PipelineOptions(LocateOptions(face_policy=FacePolicy.ALL))
    everyone = Pipeline(find("facenet512-casia"), options=options)
    threshold = card_threshold(everyone.model.card.calibration, everyone.threshold_space)
    result = everyone.verify(both, PHOTOS[1], threshold=threshold)
    assert result.decision.same
    assert result.comparison_count == len(result.a.faces) * len(result.b.faces) >= 2
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


def other_pipelines(folder: Path) -> Iterator[tuple[str, Pipeline]]:
    """Each makes templates of another space, by one field alone."""
    model = find("facenet512-casia")
    card = model.card
    margin = PipelineOptions(crop=CropSpec(CropRule.MARGIN, 16, ResizeFilter.BILINEAR))
    yield "crop rule", Pipeline(model, options=margin)
    yield "crop rule", Pipeline(model, options=PipelineOptions(detect=False))
    nets = []
    for name in ("pnet", "rnet", "onet"):
        net = find(f"mtcnn:{name}")
        nets.append(folder / net.path.name)
        shutil.copy(net.path, nets[-1])
        source = replace(net.card.source, sha256="12" * 32)
        nets[-1].with_suffix(".json").write_text(replace(net.card, source=source).to_json())
    detector = PipelineOptions(LocateOptions(nets=tuple(nets)))
    yield "detector", Pipeline(model, options=detector)
    for field, changed in (
        ("model file", replace(card, file_sha256="12" * 32)),
        ("mirror image", replace(card, flip=Flip.SUM)),
        ("embedding mean", replace(card, calibration=Calibration())),
    ):
        yield field, Pipeline(InstalledModel(changed, model.path))


def test_what_one_pipeline_has_stored_another_refuses_or_brings_over(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    """A file, a gallery and the card's calibration, against photos of every other space."""
    (embedded,) = pipeline.embed(PHOTOS[:1])
    mean = pipeline.model.card.calibration.embedding_mean
    file = tmp_path / "obama.npz"
    row = EmbeddingRow("obama.jpg", "ab" * 32, 0, None, None, embedded.embeddings[0])
    write_embeddings(file, EmbeddingTable(pipeline.space, mean, (row,)))
    calibration = replace(pipeline.model.card.calibration, space=pipeline.space)
    create_sqlite(tmp_path / "people.db")
    told = []
    with SqliteGallery(tmp_path / "people.db") as gallery:
        template = Template("obama.jpg", "ab" * 32, None, None, "", embedded.embeddings[0])
        gallery.add("Obama", [template], pipeline.space, mean=mean)
        for field, other in other_pipelines(tmp_path):
            told.append(field)
            with pytest.raises(ModelMismatchError, match=field):
                gallery.rank(embedded.embeddings, other.space, rule=PersonRule.BEST, top=1)
            if field == "embedding mean":
                (moved,), (anew,) = other.embed([file]), other.embed(PHOTOS[:1])
                np.testing.assert_allclose(moved.embeddings, anew.embeddings, atol=1e-6)
            else:
                with pytest.raises(ModelMismatchError, match=rf"obama\.npz.*{field}"):
                    other.embed([file])
            if other.options.detect:
                with pytest.raises(NoOperatingPointError, match=field):
                    card_threshold(calibration, other.threshold_space)
            else:  # ready crops are taken to follow the card's rule
                assert card_threshold(calibration, other.threshold_space).similarity > 0
    assert len(set(told)) == 5


def test_detector_options_do_not_change_the_space(pipeline: Pipeline) -> None:
    """They move templates no farther than a pixel's shift of the photo does."""
    options = PipelineOptions(LocateOptions(detector_options=DetectorOptions(min_face_px=60)))
    assert Pipeline(pipeline.model, options=options).space == pipeline.space


def test_the_whole_picture_as_the_crop_is_not_what_the_card_was_measured_with() -> None:
    crop = CropSpec(CropRule.NONE, 0, ResizeFilter.BILINEAR)
    whole = Pipeline(find("facenet512-casia"), options=PipelineOptions(crop=crop))
    with pytest.raises(NoOperatingPointError, match="crop rule"):
        card_threshold(whole.model.card.calibration, whole.threshold_space)


def test_a_face_that_cannot_be_cropped_is_told_with_its_photo() -> None:
    """A detector from outside may put all landmarks at one place."""
    face = Face(np.array([1, 1, 9, 9], np.float32), np.ones((5, 2), np.float32), 0.9)
    located = LocatedPicture(load_picture(PHOTOS[0]), (face,), (face,))
    with pytest.raises(ImageError, match=r"obama\.jpg: Landmarks that all coincide"):
        Pipeline(find("sface")).crop(located)
