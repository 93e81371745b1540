"""Distances derive from one score, so that a metric can never flip a decision."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from facekit.enums import Metric
from facekit.template.match import (
    centered,
    cosine_similarity,
    decide,
    similarity_matrix,
    unit_length,
)
from facekit.template.metrics import distance, similarity_of
from facekit.types import Float32Array

SIMILARITIES = st.floats(-1, 1, allow_nan=False)


def vectors(count: int, size: int = 8) -> st.SearchStrategy[Float32Array]:
    cells = st.floats(-10, 10, width=32, allow_subnormal=False)
    arrays = hnp.arrays(np.float32, (count, size), elements=cells)
    return arrays.filter(lambda array: bool((np.linalg.norm(array, axis=1) > 1e-3).all()))


def test_distances_of_orthogonal_vectors_by_hand() -> None:
    assert distance(0.0, Metric.COSINE) == 1.0
    assert distance(0.0, Metric.SQL2) == 2.0
    assert distance(0.0, Metric.L2) == pytest.approx(math.sqrt(2))
    assert distance(0.0, Metric.ANGULAR) == 0.5


def test_l2_is_the_euclidean_distance_of_the_unit_vectors() -> None:
    a, b = unit_length(np.random.default_rng(1).normal(size=(2, 512)).astype(np.float32))
    similarity = float(cosine_similarity(a[None], b[None])[0])
    assert distance(similarity, Metric.L2) == pytest.approx(np.linalg.norm(a - b), abs=1e-6)


@given(SIMILARITIES, st.sampled_from(Metric))
def test_similarity_of_undoes_distance(similarity: float, metric: Metric) -> None:
    assert similarity_of(distance(similarity, metric), metric) == pytest.approx(
        similarity, abs=1e-7
    )


@given(SIMILARITIES, SIMILARITIES, st.sampled_from(Metric))
def test_every_metric_orders_pairs_alike(one: float, other: float, metric: Metric) -> None:
    if one > other:
        assert distance(one, metric) <= distance(other, metric)


@given(vectors(5))
def test_matrix_is_symmetric_with_ones_on_the_diagonal(array: Float32Array) -> None:
    unit = unit_length(array)
    matrix = similarity_matrix(unit, unit)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-6)
    np.testing.assert_allclose(np.diag(matrix), 1, atol=1e-5)
    assert matrix.min() >= -1
    assert matrix.max() <= 1


@given(vectors(4), vectors(4))
def test_rowwise_similarity_is_the_matrix_diagonal(a: Float32Array, b: Float32Array) -> None:
    a, b = unit_length(a), unit_length(b)
    np.testing.assert_allclose(cosine_similarity(a, b), np.diag(similarity_matrix(a, b)), atol=1e-6)


def test_centering_by_hand() -> None:
    mean = np.array([1, 0], np.float32)
    moved = centered(np.array([[3, 4]], np.float32), mean)  # unit (.6, .8), less (1, 0)
    np.testing.assert_allclose(moved, [[-0.4 / math.sqrt(0.8), 0.8 / math.sqrt(0.8)]], atol=1e-6)


def test_centering_with_no_mean_gives_unit_length() -> None:
    np.testing.assert_allclose(centered(np.array([[3, 4]], np.float32), None), [[0.6, 0.8]])


def test_threshold_itself_counts_as_same() -> None:
    assert decide(0.5, threshold_similarity=0.5).same
    assert not decide(math.nextafter(0.5, 0), threshold_similarity=0.5).same


def test_empty_batches_are_legal() -> None:
    none = np.zeros((0, 512), np.float32)
    assert unit_length(none).shape == (0, 512)
    assert similarity_matrix(none, none).shape == (0, 0)


@pytest.mark.parametrize("row", [[0, 0], [np.nan, 1], [np.inf, 1]])
def test_a_vector_without_direction_is_refused(row: list[float]) -> None:
    with pytest.raises(ValueError, match="finite and not zero"):
        unit_length(np.array([row], np.float32))


def test_vectors_that_are_not_of_unit_length_are_refused() -> None:
    with pytest.raises(ValueError, match="off by"):
        similarity_matrix(np.full((1, 4), 9, np.float32), np.full((1, 4), 0.5, np.float32))


@pytest.mark.parametrize(("value", "metric"), [(-0.1, Metric.L2), (1.1, Metric.ANGULAR)])
def test_a_distance_outside_its_range_is_refused(value: float, metric: Metric) -> None:
    with pytest.raises(ValueError, match="lies in"):
        similarity_of(value, metric)
