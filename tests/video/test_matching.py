"""Tracks and detections, small cases by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from facekit.types import Float32Array
from facekit.video.tracking import best_pairs, clear_pairs


def boxes(*rows: tuple[float, float, float, float]) -> Float32Array:
    return np.array(rows, np.float32).reshape(-1, 4)


LEFT, RIGHT, BETWEEN = (0, 0, 100, 100), (200, 0, 300, 100), (40, 0, 140, 100)


def test_faces_that_overlap_one_track_each() -> None:
    tracks, faces = boxes(LEFT, RIGHT), boxes((210, 0, 310, 100), (5, 5, 105, 105))
    assert clear_pairs(tracks, np.array([True, True]), faces) == [(0, 1), (1, 0)]


def test_a_track_that_met_another_is_not_clear() -> None:
    tracks = boxes(LEFT, RIGHT)
    assert clear_pairs(tracks, np.array([True, False]), tracks) == [(0, 0)]


def test_two_faces_on_one_track_and_two_tracks_on_one_face_are_not_clear() -> None:
    settled = np.array([True])
    assert clear_pairs(boxes(LEFT), settled, boxes(LEFT, BETWEEN)) == []
    assert clear_pairs(boxes(LEFT, BETWEEN), np.array([True, True]), boxes(LEFT)) == []


def test_nobody_and_nothing() -> None:
    none = np.zeros(0, np.bool_)
    assert clear_pairs(boxes(), none, boxes(LEFT)) == []
    assert clear_pairs(boxes(LEFT), np.array([True]), boxes()) == []
    assert best_pairs(np.zeros((0, 3), np.float32), least=0.0) == []


def test_the_best_pair_is_taken_first() -> None:
    merits = np.array([[0.8, 0.9], [0.3, 0.7]], np.float32)
    assert best_pairs(merits, least=0.5) == [(0, 1)]
    assert best_pairs(merits, least=0.2) == [(0, 1), (1, 0)]


@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(0, 6), st.integers(0, 6)),
        elements=st.floats(-1, 1, width=32),
    )
)
def test_nothing_is_paired_twice_or_below_the_least(merits: Float32Array) -> None:
    pairs = best_pairs(merits, least=0.25)
    assert len({track for track, _ in pairs}) == len({face for _, face in pairs}) == len(pairs)
    values = [float(merits[pair]) for pair in pairs]
    assert values == sorted(values, reverse=True)
    assert min(values, default=1.0) >= 0.25
