"""facekit from Python, on real photos."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from click.testing import CliRunner

import facekit
from facekit import FacePolicy, Metric
from facekit.cli import cli

PHOTOS = ("obama", "obama2", "biden")


@pytest.fixture
def photos(data: Path) -> list[Path]:
    return [data / f"{name}.jpg" for name in PHOTOS]


def shell(*arguments: object) -> Any:
    """What the command writes with --json, less what only the shell adds."""
    result = CliRunner().invoke(cli, [*map(str, arguments), "--json"])
    payload = json.loads(result.stdout)
    payload.pop("schema_version")
    return payload


@pytest.mark.model
class TestVerify:
    def test_the_answer_is_true_for_one_person_and_false_for_two(self, photos: list[Path]) -> None:
        obama, obama2, biden = photos
        assert facekit.verify(obama, obama2)
        assert not facekit.verify(obama, biden)

    def test_the_record_is_the_commands_json(self, photos: list[Path]) -> None:
        result = facekit.verify(photos[0], photos[1], fmr=1e-2).to_dict()
        told = shell("verify", photos[0], photos[1], "--fmr", "1e-2")
        for timed in ("time", "timings_ms"):
            result.pop(timed)
            told.pop(timed)
        assert json.loads(json.dumps(result)) == told

    def test_the_threshold_is_in_the_metric(self, photos: list[Path]) -> None:
        result = facekit.verify(photos[0], photos[1], threshold=1.0, metric="l2")
        assert result.metric is Metric.L2
        assert result.decision.threshold_similarity == pytest.approx(0.5)  # 1 - 1.0 ** 2 / 2

    def test_a_pipeline_takes_the_same_numbers(self, photos: list[Path]) -> None:
        pipeline = facekit.load(threads=1)
        for options in ({}, {"fmr": 1e-2}, {"threshold": 0.3}, {"threshold": 0.9, "metric": "l2"}):
            given = cast("Any", options)
            one = facekit.verify(photos[0], photos[2], **given)
            if "metric" in options:
                given = {**given, "metric": Metric(options["metric"])}
            other = pipeline.verify(photos[0], photos[2], **given)
            assert (one.decision, one.threshold) == (other.decision, other.threshold)

    def test_repr_says_the_answer_and_no_pixels(self, photos: list[Path]) -> None:
        text = repr(facekit.verify(photos[0], photos[2]))
        assert text.startswith("Verification(different, similarity ")
        assert len(text) < 300

    def test_pairs_are_decided_as_single_pairs_are(self, photos: list[Path]) -> None:
        pairs = [(photos[0], other) for other in (photos[1], photos[2], Path("nothing.jpg"))]
        same, different, failed = facekit.verify_pairs(pairs)
        assert same.verification
        assert different.verification is not None
        assert not different.verification
        assert isinstance(failed.error, facekit.ImageError)


@pytest.mark.model
class TestDetectAndEmbed:
    def test_a_record_a_picture(self, photos: list[Path]) -> None:
        located = facekit.detect(photos)
        assert [one.picture.name for one in located] == list(map(str, photos))
        for one in located:
            assert one.selected == one.faces
            assert one.faces[0].score > 0.9
        assert facekit.detect([]) == []

    def test_the_records_are_the_commands_json(self, photos: list[Path]) -> None:
        told = shell("detect", *photos)["photos"]
        files = {"crops": None, "drawing": None}  # which Python's verb does not write
        assert [one.to_dict() | files for one in facekit.detect(photos)] == told

    def test_faces_are_selected_by_the_policys_word_or_member(self, photos: list[Path]) -> None:
        for face in ("largest", FacePolicy.LARGEST):
            (located,) = facekit.detect(photos[:1], face=face)
            assert len(located.selected) == 1

    def test_vectors_are_of_unit_length(self, photos: list[Path]) -> None:
        embedded = facekit.embed(photos)
        assert [one.embeddings.shape for one in embedded] == [(1, 512)] * 3
        norms = [float(np.linalg.norm(one.embeddings)) for one in embedded]
        assert norms == pytest.approx([1, 1, 1], abs=1e-5)
        assert facekit.embed([]) == []

    def test_every_form_of_a_picture_has_the_same_vector(self, photos: list[Path]) -> None:
        image = pytest.importorskip("PIL.Image")
        path = photos[0]
        (located,) = facekit.detect([path])
        with path.open("rb") as file:
            forms: list[Any] = [path, str(path), path.read_bytes(), file, located.picture.pixels]
            embedded = facekit.embed(forms)
        for one in embedded[1:]:
            np.testing.assert_array_equal(one.embeddings, embedded[0].embeddings)
        (of_pillow,) = facekit.embed([image.open(path)])  # another JPEG decoder
        assert float((of_pillow.embeddings @ embedded[0].embeddings.T)[0, 0]) > 0.99

    def test_a_file_of_embeddings_takes_a_pictures_place(
        self, photos: list[Path], tmp_path: Path
    ) -> None:
        written = facekit.embed_to_file(photos[:1], tmp_path / "obama.npz")
        assert (written.photo_count, written.embedding_count) == (1, 1)
        assert facekit.verify(written.output, photos[1])

    def test_ready_crops_need_no_detector(self, photos: list[Path]) -> None:
        (embedded,) = facekit.load(detect=False).embed([photos[0]])
        assert embedded.face_count is None
        assert embedded.embeddings.shape == (1, 512)

    def test_similarities_of_all_to_all(self, photos: list[Path]) -> None:
        matrix = facekit.compare(photos)
        assert matrix.similarity.shape == (3, 3)
        np.testing.assert_allclose(np.diag(matrix.similarity), 1, atol=1e-5)
        assert matrix.similarity[0, 1] > 0.5 > matrix.similarity[0, 2]
        assert matrix.to_dict() == shell("compare", *photos)

    def test_groups_of_one_person_each(self, photos: list[Path]) -> None:
        groups = facekit.cluster(photos, threshold=0.6).to_dict()["faces"]
        by_photo = {Path(face["photo"]).stem: face["group"] for face in groups}
        assert by_photo["obama"] == by_photo["obama2"] != by_photo["biden"]


@pytest.mark.model
class TestGallery:
    def test_from_enrolling_to_removing(self, photos: list[Path], tmp_path: Path) -> None:
        gallery = facekit.Gallery(tmp_path / "people.db")
        gallery.enroll("Obama", [photos[0]])
        gallery.enroll("Barack", [photos[1]])
        assert [person.name for person in gallery.people().people] == ["Barack", "Obama"]
        gallery.merge("Obama", "Barack")
        (found,) = gallery.identify([photos[1]], threshold=0.5).photos
        assert [face.name for face in found.faces] == ["Obama"]
        (unknown,) = gallery.identify([photos[2]], threshold=0.5).photos
        assert [face.name for face in unknown.faces] == [None]
        gallery.unmerge("Obama", "Barack")
        gallery.rename("Barack", "Barack Obama")
        assert gallery.show("Barack Obama").person is not None
        assert not gallery.check().faults
        gallery.remove("Obama")
        assert gallery.stats().info.people_count == 1
        assert "people.db" in repr(gallery)

    def test_a_bad_photo_is_a_failure_of_the_record(
        self, photos: list[Path], tmp_path: Path
    ) -> None:
        bad = tmp_path / "bad.jpg"
        bad.write_bytes(b"\xff\xd8\xff no")
        enrolled = facekit.Gallery(tmp_path / "people.db").enroll("Obama", [photos[0], bad])
        assert [failure.name for failure in enrolled.failures] == [str(bad)]
        assert enrolled.people[0].added_count == 1


class TestMistakes:
    @pytest.mark.parametrize(
        "one_picture", ["a.jpg", b"\xff\xd8", Path("a.jpg"), np.zeros((8, 8, 3), np.uint8)]
    )
    def test_one_picture_where_a_list_is_needed(self, one_picture: Any) -> None:
        for function in (facekit.detect, facekit.embed):
            with pytest.raises(facekit.UsageError, match="A list of pictures is needed"):
                function(one_picture)

    @pytest.mark.parametrize(
        ("call", "words"),
        [
            (lambda: facekit.verify("a", "b", face="biggest"), "'largest', 'center'"),
            (lambda: facekit.verify("a", "b", metric="euclid"), "'cosine', 'l2'"),
            (lambda: facekit.detect(["a"], face="first"), "'largest', 'center'"),
            (lambda: facekit.cluster(["a"], method="kmeans"), "'agglomerative', 'hdbscan'"),
            (lambda: facekit.export("m", cast("Any", "keras2")), "'onnx', 'saved-model'"),
            (lambda: facekit.benchmark(stages=cast("Any", ["warm"])), "'load', 'detect'"),
            (
                lambda: facekit.quantize("m", output=Path("o"), range_rule=cast("Any", "x")),
                "'minmax'",
            ),
            (lambda: facekit.Gallery("x.db").identify(["a"], by="worst"), "'best', 'mean'"),
            (lambda: facekit.Gallery("x.db").create(vector_type="f8"), "'float32', 'float16'"),
            (lambda: facekit.evaluate(profile="nist"), "'facenet', 'nxp'"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_a_wrong_word_lists_the_right_ones(self, call: Any, words: str) -> None:
        with pytest.raises(facekit.UsageError, match=words):
            call()

    def test_threshold_and_fmr_exclude_each_other(self) -> None:
        with pytest.raises(facekit.UsageError, match="pass one of them"):
            facekit.verify("a.jpg", "b.jpg", threshold=0.6, fmr=1e-3)

    def test_an_unknown_model_names_the_known_ones(self) -> None:
        with pytest.raises(facekit.ModelMissingError, match="facenet512-casia"):
            facekit.load("facenet1024")

    def test_a_missing_model_is_not_fetched(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FACEKIT_HOME", str(tmp_path))
        with pytest.raises(facekit.ModelMissingError, match="facekit models"):
            facekit.verify("a.jpg", "b.jpg")
        assert not list(tmp_path.iterdir())

    @pytest.mark.model
    def test_a_bad_picture_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "empty.jpg"
        path.touch()
        with pytest.raises(facekit.ImageError, match=r"empty\.jpg"):
            facekit.detect([path])
