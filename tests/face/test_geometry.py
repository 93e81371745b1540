from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facekit.face.geometry import Overlap, areas, by_score, overlaps, squares, suppressed
from facekit.types import Float32Array


def boxes(*rows: tuple[float, float, float, float]) -> Float32Array:
    return np.array(rows, np.float32).reshape(-1, 4)


def floats(*values: float) -> Float32Array:
    return np.array(values, np.float32)


@st.composite
def scored_boxes(draw: st.DrawFn) -> tuple[Float32Array, Float32Array]:
    """Up to 300 boxes on whole pixels with coarse scores, so that ties and copies are common."""
    count = draw(st.integers(0, 300))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    corners = rng.integers(-20, 80, (count, 2))
    size = rng.integers(0, 30, (count, 2))
    found = np.concatenate([corners, corners + size], axis=1).astype(np.float32)
    return found, rng.integers(0, 20, count).astype(np.float32) / np.float32(20)


def test_areas_by_hand() -> None:
    given_boxes = boxes((0, 0, 2, 3), (-1, -1, 1, 1), (5, 5, 5, 9), (5, 5, 4, 4))
    np.testing.assert_array_equal(areas(given_boxes), [6, 4, 0, 0])


def test_overlaps_by_hand() -> None:
    # A 2x2 square, one shifted by a pixel in x, one inside of it, one that only touches it.
    a = boxes((0, 0, 2, 2))
    b = boxes((1, 0, 3, 2), (0, 0, 1, 1), (2, 0, 4, 2), (0, 0, 2, 2))
    np.testing.assert_allclose(overlaps(a, b), [[2 / 6, 1 / 4, 0, 1]])
    np.testing.assert_allclose(overlaps(a, b, Overlap.SMALLER), [[2 / 4, 1, 0, 1]])


def test_boxes_without_area_overlap_nothing() -> None:
    flat = boxes((1, 1, 1, 5), (3, 3, 1, 1))
    for measure in Overlap:
        np.testing.assert_array_equal(overlaps(flat, flat, measure), np.zeros((2, 2)))


@given(scored_boxes())
def test_overlaps_are_shares_and_symmetric(case: tuple[Float32Array, Float32Array]) -> None:
    found, _ = case
    for measure in Overlap:
        matrix = overlaps(found, found, measure)
        assert matrix.dtype == np.float32
        assert ((matrix >= 0) & (matrix <= 1)).all()
        np.testing.assert_array_equal(matrix, matrix.T)
        np.testing.assert_array_equal(np.diag(matrix), areas(found) > 0)


def test_by_score_puts_the_later_of_equals_first() -> None:
    np.testing.assert_array_equal(by_score(floats(0.5, 1, 0.5, 1)), [3, 1, 2, 0])


def test_suppression_by_hand() -> None:
    # b covers half of a; c is far away and the best of all.
    found = boxes((0, 0, 10, 10), (0, 0, 10, 5), (50, 50, 60, 60))
    scores = floats(0.8, 0.9, 1.0)
    np.testing.assert_array_equal(suppressed(found, scores, threshold=0.4), [2, 1])
    np.testing.assert_array_equal(suppressed(found, scores, threshold=0.5), [2, 1, 0])
    np.testing.assert_array_equal(
        suppressed(found, scores, threshold=0.9, measure=Overlap.SMALLER), [2, 1]
    )


def test_a_suppressed_box_still_suppresses() -> None:
    # Each covers the next by 6/10 / (14/10) = 0.43, the first the third by 2/18 = 0.11.
    chain = boxes((0, 0, 10, 10), (4, 0, 14, 10), (8, 0, 18, 10))
    scores = floats(0.9, 0.8, 0.7)
    np.testing.assert_array_equal(suppressed(chain, scores, threshold=0.4), [0])


@given(case=scored_boxes(), threshold=st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]))
@settings(deadline=None)
def test_suppression_is_the_definition(
    case: tuple[Float32Array, Float32Array], threshold: float
) -> None:
    found, scores = case
    for measure in Overlap:
        order = by_score(scores)
        matrix = overlaps(found[order], found[order], measure)
        expected = order[~np.tril(matrix > threshold, k=-1).any(axis=1)]
        kept = suppressed(found, scores, threshold=threshold, measure=measure)
        np.testing.assert_array_equal(kept, expected)


@given(case=scored_boxes(), threshold=st.floats(0, 1))
@settings(deadline=None)
def test_what_stays_stays(case: tuple[Float32Array, Float32Array], threshold: float) -> None:
    found, scores = case
    kept = suppressed(found, scores, threshold=threshold)
    assert (np.diff(scores[kept]) <= 0).all()
    assert len(found) == 0 or by_score(scores)[0] in kept
    again = suppressed(found[kept], scores[kept], threshold=threshold)
    assert len(again) == len(kept)


def test_squares_by_hand() -> None:
    wide_and_high = boxes((0, 0, 10, 4), (0, 0, 4, 10), (1, 1, 3, 3))
    np.testing.assert_array_equal(
        squares(wide_and_high), [[0, -3, 10, 7], [-3, 0, 7, 10], [1, 1, 3, 3]]
    )


@given(scored_boxes())
def test_squares_keep_center_and_longer_side(case: tuple[Float32Array, Float32Array]) -> None:
    found, _ = case
    square = squares(found)
    size = square[:, 2:] - square[:, :2]
    longest = (found[:, 2:] - found[:, :2]).max(axis=1, initial=0)
    np.testing.assert_allclose(size, np.stack([longest, longest], axis=1), atol=1e-4)
    np.testing.assert_allclose(
        square[:, :2] + square[:, 2:], found[:, :2] + found[:, 2:], atol=1e-3
    )


@pytest.mark.parametrize("measure", Overlap)
def test_no_boxes_are_legal_everywhere(measure: Overlap) -> None:
    none = boxes()
    assert overlaps(none, none, measure).shape == (0, 0)
    assert suppressed(none, floats(), threshold=0.5, measure=measure).shape == (0,)
    assert squares(none).shape == (0, 4)
    assert areas(none).shape == (0,)
