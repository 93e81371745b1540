"""Grouping made-up faces whose people are known, and the two scores by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facekit.enums import ClusterMethod
from facekit.template.cluster import cluster
from tests.gallery.made_up import face_of
from tests.template.cluster_scores import bcubed, pairwise

LABELS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=30)


@pytest.mark.parametrize("method", ClusterMethod)
def test_people_who_are_far_apart_are_found(method: ClusterMethod) -> None:
    truth = [person for person in range(8) for _ in range(person + 2)]
    vectors = np.stack([face_of(person, index) for index, person in enumerate(truth)])
    groups = cluster(vectors, method=method, threshold_similarity=0.4).tolist()
    assert pairwise(groups, truth).f == 1.0
    sizes = [groups.count(group) for group in range(max(groups) + 1)]
    assert sizes == sorted(sizes, reverse=True) == [9, 8, 7, 6, 5, 4, 3, 2]


@pytest.mark.parametrize("method", ClusterMethod)
def test_a_stranger_is_a_group_alone(method: ClusterMethod) -> None:
    people = [1, 1, 1, 1, 2, 2, 2, 2, 3]
    vectors = np.stack([face_of(person, index) for index, person in enumerate(people)])
    groups = cluster(vectors, method=method, threshold_similarity=0.4).tolist()
    assert groups == [0, 0, 0, 0, 1, 1, 1, 1, 2]


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_group(count: int) -> None:
    vectors = np.zeros((count, 8), np.float32)
    groups = cluster(vectors, method=ClusterMethod.AGGLOMERATIVE, threshold_similarity=0.4)
    assert groups.tolist() == [0] * count


def test_the_threshold_divides_at_the_mean_similarity() -> None:
    """Three faces in the plane at 0, 30 and 90 degrees: cosines 0.87, 0.5 and 0."""
    angles = np.radians([0, 30, 90])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    for threshold, expected in ((0.9, [0, 1, 2]), (0.3, [0, 0, 1]), (0.2, [0, 0, 0])):
        groups = cluster(
            vectors, method=ClusterMethod.AGGLOMERATIVE, threshold_similarity=threshold
        )
        assert groups.tolist() == expected


def test_scores_by_hand() -> None:
    """aab|b: 3 of 4 faces in one group; of its 3 pairs 1 is right, of the 2 true pairs 1 is."""
    groups, truth = [0, 0, 0, 1], ["a", "a", "b", "b"]
    pairs = pairwise(groups, truth)
    assert (pairs.precision, pairs.recall) == (1 / 3, 1 / 2)
    assert pairs.f == pytest.approx(0.4)
    cubed = bcubed(groups, truth)
    assert cubed.precision == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1) / 4)
    assert cubed.recall == pytest.approx((1 + 1 + 1 / 2 + 1 / 2) / 4)


def test_scores_of_extremes() -> None:
    truth = ["a", "a", "b"]
    assert pairwise([0, 1, 2], truth).recall == 0.0
    assert pairwise([0, 1, 2], truth).precision == 1.0
    assert bcubed([0, 0, 0], truth).recall == 1.0
    assert pairwise([0, 1], ["a", "b"]).f == 1.0


@given(LABELS)
def test_bcubed_equals_its_definition_face_by_face(labels: list[tuple[int, int]]) -> None:
    groups, truth = [group for group, _ in labels], [person for _, person in labels]
    precision = np.mean(
        [
            np.mean([truth[j] == truth[i] for j in range(len(labels)) if groups[j] == groups[i]])
            for i in range(len(labels))
        ]
    )
    assert bcubed(groups, truth).precision == pytest.approx(precision)
    assert bcubed(truth, groups).recall == pytest.approx(precision)


@given(LABELS)
def test_pairwise_equals_counting_pairs(labels: list[tuple[int, int]]) -> None:
    pairs = [(a, b) for i, a in enumerate(labels) for b in labels[:i]]
    together = [(a, b) for a, b in pairs if a[0] == b[0]]
    right = sum(a[1] == b[1] for a, b in together)
    got = pairwise([group for group, _ in labels], [person for _, person in labels])
    assert got.precision == (right / len(together) if together else 1.0)
