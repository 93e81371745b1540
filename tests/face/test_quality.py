"""Which face of a track is embedded."""

from __future__ import annotations

import pytest

from facekit.face.quality import frontalness, quality
from facekit.types import Face
from tests.video.faces import face

SHAPE = (480, 640, 3)


@pytest.mark.parametrize(
    ("nose", "expected"),
    [(0.5, 1.0), (0.4, 0.5), (0.6, 0.5), (0.3, 0.0), (0.7, 0.0), (0.9, 0.0)],
)
def test_a_nose_nearer_to_one_eye_is_less_frontal(nose: float, expected: float) -> None:
    assert frontalness(face(100, 100, 200, 200, nose=nose)) == pytest.approx(expected, abs=1e-5)


def test_eyes_that_coincide_are_not_frontal() -> None:
    assert frontalness(face(100, 100, 100, 200)) == 0.0


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (face(0, 0, 160, 160), 1.0),
        (face(0, 0, 320, 320), 1.0),  # more pixels than the model takes in add nothing
        (face(0, 0, 80, 80), 0.25),
        (face(0, 0, 160, 160, score=0.5), 0.5),
        (face(-40, 0, 120, 160), 0.75),
        (face(560, 400, 720, 560), 0.25),
        (face(700, 0, 860, 160), 0.0),
        (face(0, 0, 80, 80, score=0.5, nose=0.4), 0.0625),
    ],
)
def test_quality_is_the_product_of_its_parts(seen: Face, expected: float) -> None:
    assert quality(seen, image_shape=SHAPE) == pytest.approx(expected, abs=1e-5)
