"""facekit from Python, on real photos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import facekit
from facekit import FacePolicy, Metric

pytestmark = pytest.mark.model


def test_verify_tells_same_from_different(data: Path) -> None:
    obama, obama2, biden = (data / f"{name}.jpg" for name in ("obama", "obama2", "biden"))
    assert facekit.verify(obama, obama2, threshold=0.6).decision.same
    assert not facekit.verify(obama, biden, threshold=0.6).decision.same


def test_the_threshold_is_in_the_metric(data: Path) -> None:
    result = facekit.verify(
        data / "obama.jpg", data / "obama2.jpg", threshold=1.0, metric=Metric.L2
    )
    assert result.decision.threshold_similarity == pytest.approx(0.5)  # 1 - 1.0 ** 2 / 2


def test_threshold_and_fmr_exclude_each_other(data: Path) -> None:
    with pytest.raises(facekit.UsageError, match="pass one of them"):
        facekit.verify(data / "obama.jpg", data / "biden.jpg", threshold=0.6, fmr=1e-3)


def test_detect_gives_a_record_a_picture(data: Path) -> None:
    paths = [data / "obama.jpg", data / "biden.jpg"]
    located = facekit.detect(paths)
    assert [one.picture.name for one in located] == list(map(str, paths))
    for one in located:
        assert one.selected == one.faces
        assert one.faces[0].score > 0.9
    assert facekit.detect([]) == []


def test_detect_selects_by_policy(data: Path) -> None:
    (located,) = facekit.detect([data / "obama.jpg"], face=FacePolicy.LARGEST)
    assert len(located.selected) == 1


def test_embed_gives_unit_vectors(data: Path) -> None:
    embedded = facekit.embed([data / "obama.jpg", data / "biden.jpg"])
    assert [one.embeddings.shape for one in embedded] == [(1, 512), (1, 512)]
    norms = [float(np.linalg.norm(one.embeddings)) for one in embedded]
    assert norms == pytest.approx([1, 1], abs=1e-5)
    assert facekit.embed([]) == []


def test_bytes_and_pixels_are_pictures_too(data: Path) -> None:
    path = data / "obama.jpg"
    (located,) = facekit.detect([path])
    embedded = facekit.embed([path, path.read_bytes(), located.picture.pixels])
    for one in embedded[1:]:
        np.testing.assert_array_equal(one.embeddings, embedded[0].embeddings)


@pytest.mark.parametrize(
    "one_picture", ["a.jpg", b"\xff\xd8", Path("a.jpg"), np.zeros((8, 8, 3), np.uint8)]
)
def test_one_picture_where_a_list_is_needed(one_picture: Any) -> None:
    for function in (facekit.detect, facekit.embed):
        with pytest.raises(facekit.UsageError, match="A list of pictures is needed"):
            function(one_picture)


def test_load_keeps_the_networks(data: Path) -> None:
    pipeline = facekit.load(threads=1)
    pipeline.embed([data / "obama.jpg"])
    embedder = pipeline.embedder
    pipeline.embed([data / "biden.jpg"])
    assert pipeline.embedder is embedder


def test_load_takes_ready_crops(data: Path) -> None:
    (embedded,) = facekit.load(detect=False).embed([data / "obama.jpg"])
    assert embedded.faces_found is None
    assert embedded.embeddings.shape == (1, 512)


def test_an_unknown_model_names_the_known_ones() -> None:
    with pytest.raises(facekit.ModelMissingError, match="facenet512-casia"):
        facekit.load("facenet1024")


def test_a_bad_picture_is_named(tmp_path: Path) -> None:
    path = tmp_path / "empty.jpg"
    path.touch()
    with pytest.raises(facekit.ImageError, match=r"empty\.jpg"):
        facekit.detect([path])
