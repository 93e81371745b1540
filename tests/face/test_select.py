from __future__ import annotations

import numpy as np
import pytest

from facekit.enums import FacePolicy
from facekit.errors import AmbiguousFaceError, NoFaceError
from facekit.face.select import select_faces
from facekit.types import Face


def face(x1: float, y1: float, x2: float, y2: float, *, score: float = 0.9) -> Face:
    return Face(np.array([x1, y1, x2, y2], np.float32), np.zeros((5, 2), np.float32), score)


SHAPE = (100, 200, 3)
CENTRAL = face(80, 30, 120, 70, score=0.95)  # 1600 px^2 about the center (100, 50)
LARGE = face(0, 0, 50, 50, score=0.9)  # 2500 px^2, its center (-75, -25) off: less 2 x 6250
SURE = face(150, 0, 160, 10, score=0.99)
FACES = (SURE, CENTRAL, LARGE)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (FacePolicy.LARGEST, (LARGE,)),
        (FacePolicy.CENTER, (CENTRAL,)),
        (FacePolicy.BEST, (SURE,)),
        (FacePolicy.ALL, FACES),
    ],
)
def test_each_policy_chooses_the_faces_it_means(
    policy: FacePolicy, expected: tuple[Face, ...]
) -> None:
    assert select_faces(FACES, policy, image_shape=SHAPE, name="a.jpg") == expected


def test_size_can_outweigh_the_center() -> None:
    # 10 px off the center costs 200 px^2.
    off_center = face(85, 25, 135, 75)
    chosen = select_faces((CENTRAL, off_center), FacePolicy.CENTER, image_shape=SHAPE, name="")
    assert chosen == (off_center,)


@pytest.mark.parametrize("policy", [FacePolicy.LARGEST, FacePolicy.CENTER, FacePolicy.BEST])
def test_of_equal_faces_the_first(policy: FacePolicy) -> None:
    twins = (face(0, 0, 10, 10), face(0, 0, 10, 10))
    assert select_faces(twins, policy, image_shape=SHAPE, name="")[0] is twins[0]


@pytest.mark.parametrize("policy", FacePolicy)
def test_no_face_names_the_picture(policy: FacePolicy) -> None:
    with pytest.raises(NoFaceError, match=r"No face found in holiday\.jpg.*--no-detect"):
        select_faces((), policy, image_shape=SHAPE, name="holiday.jpg")


def test_several_faces_where_one_is_allowed() -> None:
    with pytest.raises(AmbiguousFaceError, match=r"^crowd\.jpg has 3 faces and --face error"):
        select_faces(FACES, FacePolicy.ERROR, image_shape=SHAPE, name="crowd.jpg")


@pytest.mark.parametrize("policy", FacePolicy)
def test_a_single_face_is_meant(policy: FacePolicy) -> None:
    assert select_faces((LARGE,), policy, image_shape=SHAPE, name="") == (LARGE,)
