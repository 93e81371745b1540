"""From embeddings to the similarities of pairs: by hand, in two dimensions."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.enums import Flip
from facekit.errors import InputError
from facekit.evaluation.embeddings import PhotoEmbeddings
from facekit.evaluation.protocols.pairs import Pair, Photo
from facekit.evaluation.scoring import PairScorer

PHOTOS = [Photo(f"{name}.jpg", name) for name in "abc"]
PAIRS = [Pair(PHOTOS[0], PHOTOS[1], True, 1), Pair(PHOTOS[0], PHOTOS[2], False, 2)]


def made(*rows: list[list[float]], errors: tuple[str, ...] = ("", "", "")) -> PhotoEmbeddings:
    return PhotoEmbeddings(np.array(rows, np.float32), errors, computed=0)


def test_one_view_is_the_cosine() -> None:
    scorer = PairScorer(PHOTOS, made([[1, 0]], [[0.6, 0.8]], [[0, 1]]))
    assert scorer.scores(PAIRS) == pytest.approx([0.6, 0.0])


def test_concatenated_views_have_the_mean_of_both_cosines() -> None:
    two = made([[1, 0], [1, 0]], [[0.6, 0.8], [0, 1]], [[0, 1], [0, -1]])
    assert PairScorer(PHOTOS, two, flip=Flip.CONCAT).scores(PAIRS) == pytest.approx([0.3, 0.0])


def test_added_views_are_given_unit_length() -> None:
    two = made([[1, 0], [0, 1]], [[1, 0], [1, 0]], [[0, 1], [0, 1]])
    expected = [0.5**0.5, 0.5**0.5]
    assert PairScorer(PHOTOS, two, flip=Flip.SUM).scores(PAIRS) == pytest.approx(expected)


def test_the_mean_is_taken_off_and_unit_length_given_again() -> None:
    one = made([[1, 0]], [[0, 1]], [[-1, 0]])
    half = np.array([0, 0.5], np.float32)
    a, b = np.array([1, -0.5]), np.array([0, 0.5])
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert PairScorer(PHOTOS, one, mean=half).scores(PAIRS)[0] == pytest.approx(cosine)
    assert PairScorer(PHOTOS, one).scores(PAIRS, mean=half)[0] == pytest.approx(cosine)


def test_a_templates_mean_is_taken_off_after_its_views_are_joined() -> None:
    two = made([[1, 0], [1, 0]], [[0, 1], [1, 0]], [[0, 1], [0, 1]])
    mean = np.array([0, 0, 0.5, 0], np.float32)
    a = np.array([1, 0, 1, 0]) / 2**0.5 - mean
    b = np.array([0, 1, 1, 0]) / 2**0.5 - mean
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    scorer = PairScorer(PHOTOS, two, flip=Flip.CONCAT, template_mean=mean)
    assert scorer.scores(PAIRS)[0] == pytest.approx(cosine)


def test_a_photo_without_an_embedding_has_no_score_and_moves_no_other() -> None:
    failed = made([[1, 0]], [[0, 0]], [[0.8, 0.6]], errors=("", "NoFaceError: none", ""))
    scorer = PairScorer(PHOTOS, failed)
    assert np.isnan(scorer.scores(PAIRS)[0])
    assert scorer.scores(PAIRS)[1] == pytest.approx(0.8)
    vectors, rows = scorer.vectors_of(PHOTOS)
    assert rows == [0, 2]
    assert vectors == pytest.approx(np.array([[1, 0], [0.8, 0.6]]))


def test_the_mean_weighs_a_photo_as_often_as_its_pairs() -> None:
    scorer = PairScorer(PHOTOS, made([[1, 0]], [[0, 1]], [[0, 1]]))
    assert scorer.mean_of(PAIRS) == pytest.approx([0.5, 0.5])


def test_no_embedding_at_all_is_an_error_with_its_reason() -> None:
    with pytest.raises(InputError, match="NoFaceError: none"):
        PairScorer(PHOTOS, made([[0, 0]], [[0, 0]], [[0, 0]], errors=("NoFaceError: none",) * 3))
