"""The three stages with nets that answer what the test says, worked by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from facekit.face.mtcnn.cascade import Mtcnn
from facekit.face.mtcnn.options import MtcnnOptions
from facekit.face.mtcnn.stages import (
    Candidates,
    cells,
    decide_faces,
    placed,
    propose,
    refine,
    regressed,
)
from facekit.runtime.net import TensorSpec
from facekit.types import Float32Array

BLANK = np.zeros((40, 40, 3), np.float32)
# Five points in box sides: x of each, then y of each.
POINTS = (0.3, 0.7, 0.5, 0.4, 0.6, 0.35, 0.35, 0.55, 0.8, 0.8)


class FakeNet:
    """Answers with `answer(batch)` and remembers every batch."""

    inputs: Sequence[TensorSpec] = ()
    outputs: Sequence[TensorSpec] = ()

    def __init__(self, answer: Callable[[Float32Array], tuple[Float32Array, ...]]) -> None:
        self._answer = answer
        self.batches: list[Float32Array] = []

    def run(self, batch: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        self.batches.append(batch)
        return self._answer(batch)


def pnet_seeing(places: dict[int, list[tuple[int, int]]]) -> FakeNet:
    """A P-Net that is sure (0.9) at the cells (row, column) of the level with this width in
    pixels, moves no corner, and sees nothing elsewhere."""

    def answer(batch: Float32Array) -> tuple[Float32Array, ...]:
        _, height, width, _ = batch.shape
        rows, columns = (-(-(side - 2) // 2) - 4 for side in (height, width))
        offsets = np.zeros((1, rows, columns, 4), np.float32)
        probability = np.zeros((1, rows, columns, 2), np.float32)
        for row, column in places.get(width, []):
            probability[0, row, column, 1] = 0.9
        return offsets, probability

    return FakeNet(answer)


def judge(scores: Sequence[float], *, offsets: Sequence[float] = (0, 0, 0, 0)) -> FakeNet:
    """An R-Net that gives the windows these scores, in their order, and all these offsets."""

    def answer(batch: Float32Array) -> tuple[Float32Array, ...]:
        assert len(batch) == len(scores)
        sure = np.array(scores, np.float32)
        moved = np.tile(np.array(offsets, np.float32), (len(batch), 1))
        return moved, np.stack([1 - sure, sure], axis=1)

    return FakeNet(answer)


def final_judge(scores: Sequence[float], *, points: Sequence[float]) -> FakeNet:
    """An O-Net that gives the windows these scores, moves no corner, and all these landmarks."""

    def answer(batch: Float32Array) -> tuple[Float32Array, ...]:
        offsets, probability = judge(scores).run(batch)
        return offsets, np.tile(np.array(points, np.float32), (len(batch), 1)), probability

    return FakeNet(answer)


def boxes(*rows: tuple[float, float, float, float]) -> Float32Array:
    return np.array(rows, np.float32).reshape(-1, 4)


def candidates(*rows: tuple[float, float, float, float], score: float = 0.9) -> Candidates:
    return Candidates(boxes(*rows), np.full(len(rows), score, np.float32))


def test_a_cell_is_its_window_scaled_up() -> None:
    offsets = np.zeros((4, 5, 4), np.float32)
    probability = np.zeros((4, 5, 2), np.float32)
    probability[2, 3, 1] = 0.8
    offsets[2, 3] = [0.1, 0, 0, -0.2]
    found = cells(offsets, probability, scale=0.5, threshold=0.6)
    # The window's pixels are 7..18 by 5..16; its sides are 11 px from first to last.
    np.testing.assert_allclose(
        found.boxes, [[(7 + 1.1) * 2, 5 * 2, 18 * 2, (16 - 2.2) * 2]], rtol=1e-6
    )
    np.testing.assert_allclose(found.scores, [0.8])


def test_a_score_must_exceed_the_threshold() -> None:
    probability = np.full((1, 1, 2), 0.5, np.float32)
    offsets = np.zeros((1, 1, 4), np.float32)
    assert len(cells(offsets, probability, scale=1, threshold=0.5)) == 0
    assert len(cells(offsets, probability, scale=1, threshold=0.4999)) == 1


def test_proposals_of_two_levels() -> None:
    # 40 px at 0.6 is a level of 24 px, at 0.4254 one of 17 px; neither's window covers the other's.
    pnet = pnet_seeing({24: [(0, 0)], 17: [(2, 2)]})
    found = propose(BLANK, pnet, MtcnnOptions())
    assert [batch.shape for batch in pnet.batches] == [
        (1, 24, 24, 3),
        (1, 17, 17, 3),
        (1, 12, 12, 3),
    ]
    expected = [[1 / 0.6, 1 / 0.6, 20, 20], [5 / 0.4254, 5 / 0.4254, 16 / 0.4254, 16 / 0.4254]]
    np.testing.assert_allclose(sorted(found.boxes.tolist()), expected, rtol=1e-5)


def test_neighbors_of_one_level_are_suppressed() -> None:
    # Windows 1..12, 3..14 and 7..18: the first two share 9 of 13 columns, the last two 7 of 15.
    pnet = pnet_seeing({24: [(0, 0), (0, 1), (0, 3)]})
    assert len(propose(BLANK, pnet, MtcnnOptions())) == 2
    assert len(propose(BLANK, pnet, MtcnnOptions(level_overlap=0.7))) == 3
    assert len(propose(BLANK, pnet, MtcnnOptions(level_overlap=0.4))) == 1


def test_nothing_proposed_for_a_picture_that_is_too_small() -> None:
    pnet = pnet_seeing({})
    assert len(propose(BLANK[:19], pnet, MtcnnOptions())) == 0
    assert pnet.batches == []


def test_corners_move_by_sides_counted_in_pixels() -> None:
    moved = regressed(boxes((10, 20, 19, 39)), boxes((0.1, 0.1, -0.1, 0.5)))
    np.testing.assert_allclose(moved, [[11, 22, 18, 49]], rtol=1e-6)  # sides 10 and 20


def test_refinement_judges_moves_and_squares() -> None:
    rnet = judge([0.95, 0.6], offsets=(0, 0.1, 0, 0))
    kept = refine(BLANK, candidates((0, 0, 19, 19), (20, 20, 39, 39)), rnet, MtcnnOptions())
    assert rnet.batches[0].shape == (2, 24, 24, 3)
    np.testing.assert_allclose(kept.scores, [0.95])
    # The top moves down by 2 px of 20: 19 wide, 17 high, so a pixel is added above and below.
    np.testing.assert_allclose(kept.boxes, [[0, 1, 19, 20]], atol=1e-5)


def test_faces_have_landmarks_in_their_box() -> None:
    np.testing.assert_allclose(
        placed(boxes((10, 20, 29, 59)), np.array([POINTS], np.float32))[0],
        [[15, 33], [23, 33], [19, 41], [17, 51], [21, 51]],  # sides 20 and 40, less one pixel
        rtol=1e-6,
    )


def test_faces_are_sorted_and_a_box_within_a_box_goes() -> None:
    onet = final_judge([0.8, 0.99, 0.75, 0.7], points=POINTS)
    found = decide_faces(
        BLANK,
        candidates((0, 0, 10, 10), (20, 20, 39, 39), (22, 22, 30, 30), (0, 30, 9, 39)),
        onet,
        MtcnnOptions(),
    )
    assert [round(face.score, 2) for face in found] == [0.99, 0.8]
    np.testing.assert_array_equal(found[0].box_xyxy, [20, 20, 39, 39])
    assert found[0].landmarks_xy.shape == (5, 2)


def test_a_probability_that_rounding_put_over_one() -> None:
    onet = final_judge([1.0000001], points=POINTS)
    (face,) = decide_faces(BLANK, candidates((0, 0, 10, 10)), onet, MtcnnOptions())
    assert face.score == 1.0


def test_candidates_need_a_score_each() -> None:
    with pytest.raises(ValueError, match=r"Boxes \(N, 4\) and scores \(N,\) needed"):
        Candidates(boxes((0, 0, 1, 1)), np.zeros(2, np.float32))


def all_sure() -> Mtcnn:
    """A cascade that proposes one cell of every picture's first level, and is sure of it."""
    pnet = pnet_seeing({24: [(0, 0)], 432: [(0, 0)]})
    return Mtcnn(pnet, judge([0.9]), final_judge([0.9], points=POINTS))


def test_the_cascade_scales_faces_back_from_the_reduced_copy() -> None:
    sure = all_sure()
    (small,), (large,) = sure.detect(
        [np.zeros((40, 40, 3), np.uint8), np.zeros((2160, 2880, 3), np.uint8)]
    )
    at_copy = np.array([1 / 0.6, 1 / 0.6, 20, 20], np.float32)
    np.testing.assert_allclose(small.box_xyxy, at_copy, rtol=1e-5)
    np.testing.assert_allclose(large.box_xyxy, 4 * at_copy, rtol=1e-5)
    np.testing.assert_allclose(large.landmarks_xy, 4 * small.landmarks_xy, rtol=1e-5)


def test_pixels_are_scaled_as_the_nets_were_trained() -> None:
    pnet = pnet_seeing({})
    rnet, onet = judge([]), final_judge([], points=POINTS)
    image = np.full((40, 40, 3), (0, 255, 127), np.uint8)
    assert Mtcnn(pnet, rnet, onet).detect([image]) == [()]
    np.testing.assert_allclose(
        pnet.batches[0][0, 5, 5], [-127.5 / 128, 127.5 / 128, -0.5 / 128], rtol=1e-5
    )


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((40, 40), np.uint8),
        np.zeros((40, 40, 4), np.uint8),
        np.zeros((40, 40, 3), np.float32),
    ],
)
def test_what_is_no_picture(image: Float32Array) -> None:
    with pytest.raises(ValueError, match=r"uint8 of shape \(H, W, 3\)\. Received"):
        all_sure().detect([image])  # type: ignore[list-item]


def test_no_pictures_give_no_answers() -> None:
    assert all_sure().detect([]) == []
