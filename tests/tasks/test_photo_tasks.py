"""verify, verify_pairs, detect, embed and compare as functions: records in, records out."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from facekit.cli.render.verification import pair_lines
from facekit.enums import FacePolicy, Metric
from facekit.errors import (
    ImageError,
    ModelMismatchError,
    NoOperatingPointError,
    PairListError,
    StorageError,
    UsageError,
)
from facekit.photo.decode import read_image
from facekit.pipeline.photos import PhotoFailure
from facekit.reporter import Reporter
from facekit.tasks.compare import compare
from facekit.tasks.detect import DetectedPhoto, detect
from facekit.tasks.embed import embed
from facekit.tasks.open_pipeline import CropChange, PipelineRequest
from facekit.tasks.verify import verify
from facekit.tasks.verify_pairs import PhotoPair, read_pairs, verify_pairs
from facekit.template.file import read_embeddings
from facekit.template.threshold import ThresholdChoice

pytestmark = pytest.mark.model

REQUEST = PipelineRequest(threads=1)


class Noted(Reporter):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def photos(data: Path) -> list[str]:
    return [str(data / f"{name}.jpg") for name in ("obama", "obama2", "biden")]


@pytest.fixture
def broken(tmp_path: Path) -> str:
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"\xff\xd8 cut short")
    return str(path)


class TestThresholdChoice:
    def test_two_thresholds_at_once_are_refused(self) -> None:
        with pytest.raises(UsageError, match="pass one of them"):
            ThresholdChoice(0.5, fmr=1e-3)

    def test_zero_is_a_threshold(self) -> None:
        with pytest.raises(UsageError, match="pass one of them"):
            ThresholdChoice(0.0, fmr=1e-3)

    def test_the_cards_threshold_does_not_hold_for_another_crop(self, photos: list[str]) -> None:
        request = PipelineRequest(threads=1, crop=CropChange(margin_px=10))
        with pytest.raises(NoOperatingPointError, match="crop rule"):
            verify(*photos[:2], request=request)


class TestVerify:
    def test_same_and_different(self, photos: list[str]) -> None:
        assert verify(photos[0], photos[1], request=REQUEST)
        assert not verify(photos[0], photos[2], request=REQUEST)

    def test_the_threshold_is_in_its_metric(self, photos: list[str]) -> None:
        choice = ThresholdChoice(1.0, Metric.L2)
        result = verify(photos[0], photos[1], request=REQUEST, threshold=choice)
        assert result.threshold.similarity == pytest.approx(0.5)
        assert result.to_dict()["threshold"] == pytest.approx(1.0)

    def test_a_plot_is_written(self, photos: list[str], tmp_path: Path) -> None:
        verify(photos[0], photos[2], request=REQUEST, plot=tmp_path / "plot.png")
        plot = read_image(tmp_path / "plot.png")
        red = np.abs(plot.astype(int) - (0xB0, 0x3A, 0x2E)).max(axis=2) < 8
        assert red.sum() > 1_000  # both boxes and the decision; see test_verification_plot

    @pytest.mark.parametrize("model", ["mtcnn", "mtcnn:onet"])
    def test_a_detector_is_no_embedding_model(self, photos: list[str], model: str) -> None:
        with pytest.raises(ModelMismatchError, match=r"mtcnn \(.net\) is for detection"):
            verify(*photos[:2], request=PipelineRequest(model))


class TestVerifyPairs:
    def test_a_photo_that_fails_fails_its_pairs_alone(self, photos: list[str], broken: str) -> None:
        pairs = [PhotoPair(photos[0], other) for other in (photos[1], broken, photos[2])]
        same, failed, different = verify_pairs(pairs, request=REQUEST)
        assert same.verification
        assert different.verification is not None
        assert not different.verification
        assert isinstance(failed.error, ImageError)
        listed = {"a": photos[0], "b": broken, "columns": {}}
        assert failed.to_dict() == {**listed, **failed.error.to_dict()}
        assert different.to_dict()["verified"] is False
        assert failed.threshold_distance == pytest.approx(same.threshold_distance)

    def test_photos_beside_the_list_are_meant_first(
        self, photos: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "lists").mkdir()
        (tmp_path / "lists" / "a.jpg").symlink_to(photos[0])
        (tmp_path / "a.jpg").symlink_to(photos[2])
        (tmp_path / "b.jpg").symlink_to(photos[1])
        (tmp_path / "lists" / "list.csv").write_text("a,b\na.jpg,b.jpg\n")
        monkeypatch.chdir(tmp_path)
        (result,) = verify_pairs(read_pairs(Path("lists/list.csv")), request=REQUEST)
        assert result.verification
        assert (result.verification.a.name, result.pair.a) == ("a.jpg", "a.jpg")

    def test_rows_say_what_json_says(self, photos: list[str], broken: str) -> None:
        pairs = [PhotoPair(photos[0], other) for other in (photos[1], broken, photos[2])]
        results = list(verify_pairs(pairs, request=REQUEST))
        rows = list(csv.DictReader(io.StringIO("".join(pair_lines(results, as_json=False)))))
        records = [json.loads(line) for line in pair_lines(results, as_json=True)]
        for row, record in zip(rows, records, strict=True):
            assert (row["a"], row["b"]) == (record["a"], record["b"])
            assert bool(row["error"]) == ("error" in record)
            if "error" not in record:
                assert row["verified"] == str(record["verified"]).lower()
                assert float(row["distance"]) == pytest.approx(record["distance"], abs=1e-6)
                for name in ("threshold", "threshold_similarity"):
                    assert float(row[name]) == pytest.approx(record[name], abs=1e-6)
        assert rows[1]["threshold"] == rows[0]["threshold"]

    def test_a_list_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(PairListError, match=r"none\.csv cannot be read: No such file"):
            read_pairs(tmp_path / "none.csv")


class TestDetect:
    def test_each_photo_is_a_record_or_a_failure_that_is_told(
        self, photos: list[str], broken: str
    ) -> None:
        reporter = Noted()
        detection = detect([photos[0], broken, photos[2]], reporter=reporter)
        assert detection.detector == "mtcnn"
        first, failed, last = detection.results
        assert isinstance(first, DetectedPhoto)
        assert isinstance(last, DetectedPhoto)
        assert isinstance(failed, PhotoFailure)
        assert reporter.lines == [str(failed.error)]
        assert first.to_dict()["face_count"] == 1
        assert (first.to_dict()["crops"], first.to_dict()["drawing"]) == (None, None), (
            "not asked for"
        )
        assert failed.to_dict()["error"]["exit_code"] == 4

    def test_crops_and_drawings(self, photos: list[str], tmp_path: Path) -> None:
        crops, drawings = tmp_path / "crops", tmp_path / "drawings"
        request = PipelineRequest(face=FacePolicy.LARGEST, threads=1)
        (found,) = detect([photos[2]], request=request, crops=crops, drawings=drawings).results
        assert isinstance(found, DetectedPhoto)
        assert found.crops == (crops / "biden_0.png",)
        assert read_image(found.crops[0]).shape == (160, 160, 3)
        assert found.drawing == drawings / "biden.png"
        drawn = read_image(found.drawing)
        assert drawn.shape == found.located.picture.pixels.shape
        assert (drawn != found.located.picture.pixels).any()
        assert found.to_dict()["crops"] == [str(found.crops[0])]

    def test_a_folder_that_cannot_be_written_ends_it(
        self, photos: list[str], tmp_path: Path
    ) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(StorageError):
            list(detect(photos, drawings=tmp_path / "file" / "x").results)

    def test_photos_come_one_by_one(self, photos: list[str]) -> None:
        results = detect([photos[0], "missing.jpg"]).results
        assert isinstance(next(results), DetectedPhoto)
        assert isinstance(next(results), PhotoFailure)


class TestEmbed:
    def test_the_file_has_a_row_a_photo_and_the_record_says_so(
        self, photos: list[str], broken: str, tmp_path: Path
    ) -> None:
        reporter = Noted()
        output = tmp_path / "known.npz"
        written = embed([photos[0], broken], output, request=REQUEST, reporter=reporter)
        table = read_embeddings(output)
        assert [row.photo for row in table.rows] == [photos[0], broken]
        assert (written.photo_count, written.embedding_count, len(written.failures)) == (2, 1, 1)
        assert reporter.lines == [str(written.failures[0].error)]
        payload = written.to_dict()
        (failed,) = payload["failed"]
        assert failed["photo"] == broken
        error = failed["error"]
        assert table.rows[1].error == f"{error['type']}: {error['message']}"
        assert payload["model"] == table.space.model == "facenet512-casia:float32"
        assert payload["model_sha256"] == table.space.model_sha256

    def test_another_suffix_is_refused_before_any_work(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"\.npz"):
            embed(["missing.jpg"], tmp_path / "x.pkl")


class TestCompare:
    def test_the_matrix_is_symmetric_and_knows_who_is_who(self, photos: list[str]) -> None:
        matrix = compare(photos, request=REQUEST)
        assert matrix.labels == tuple(photos)
        np.testing.assert_allclose(matrix.similarity, matrix.similarity.T, atol=1e-6)
        assert matrix.similarity[0, 1] > 0.6 > 0.3 > matrix.similarity[0, 2]
        assert matrix.to_dict()["similarity"][0][1] == matrix.similarity[0, 1]
        assert repr(matrix) == "SimilarityMatrix(3 faces, model='facenet512-casia:float32')"

    def test_several_faces_of_a_photo_are_numbered(self, photos: list[str], tmp_path: Path) -> None:
        from facekit.photo.write import write_png

        sides = [read_image(photo)[:700] for photo in (photos[0], photos[2])]
        both = tmp_path / "both.png"
        write_png(both, np.concatenate(sides, axis=1))
        matrix = compare([str(both)], request=PipelineRequest(face=FacePolicy.ALL, threads=1))
        assert len(matrix.labels) >= 2
        assert matrix.labels[:2] == (f"{both}#0", f"{both}#1")

    def test_a_photo_that_fails_is_left_out_and_named(self, photos: list[str], broken: str) -> None:
        reporter = Noted()
        matrix = compare([broken, photos[0]], request=REQUEST, reporter=reporter)
        assert matrix.labels == (photos[0],)
        assert [failure.name for failure in matrix.failures] == [broken]
        assert reporter.lines == [str(matrix.failures[0].error)]
        nothing = compare([broken], request=REQUEST)
        assert nothing.similarity.shape == (0, 0)
