"""Rotate.AUTO: faces of turned photos are found and known; upright photos stay as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import facekit
from facekit.enums import Rotate
from facekit.photo.decode import read_image
from facekit.pipeline.locate import LocateOptions, Locator
from facekit.tasks.open_pipeline import PipelineRequest

DATA = Path(__file__).parents[1] / "data"
PHOTOS = sorted(DATA.glob("*.jpg"))

pytestmark = pytest.mark.model


@pytest.mark.parametrize("detector", ["mtcnn", "yunet"])
def test_upright_photos_are_answered_as_without(detector: str) -> None:
    off, auto = (
        Locator(options=LocateOptions(detector=detector, rotate=rotate)).locate(PHOTOS)
        for rotate in Rotate
    )
    assert [one.to_dict() for one in auto] == [one.to_dict() for one in off]


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("detector", ["mtcnn", "yunet"])
def test_a_turned_photo_has_its_face_where_it_is(detector: str, degrees: int) -> None:
    """The photo is turned counterclockwise, so that it must be turned clockwise to be upright."""
    locator = Locator(options=LocateOptions(detector=detector, rotate=Rotate.AUTO))
    photo = read_image(PHOTOS[0])
    ((face,),) = (one.selected for one in locator.locate([photo]))
    given = np.ascontiguousarray(np.rot90(photo, degrees // 90))
    ((found,),) = (one.selected for one in locator.locate([given]))
    assert found.rotation_degrees == degrees
    assert found.to_dict()["rotation_degrees"] == degrees
    height, width = photo.shape[:2]
    x, y = face.landmarks_xy[2]  # the nose
    nose = {90: (y, width - x), 180: (width - x, height - y), 270: (height - y, x)}[degrees]
    np.testing.assert_allclose(found.landmarks_xy[2], nose, atol=1)


def test_an_upside_down_photo_is_of_the_same_person() -> None:
    a, b = (read_image(DATA / name) for name in ("obama.jpg", "obama2.jpg"))
    upside_down = np.ascontiguousarray(np.rot90(b, 2))
    request = PipelineRequest(rotate=Rotate.AUTO, build_missing=False)
    upright = facekit.verify(a, b, request=request)
    result = facekit.verify(a, upside_down, request=request)
    assert result
    assert abs(result.decision.similarity - upright.decision.similarity) < 0.02
    faces = result.to_dict()["faces"]
    assert [faces[key]["rotation_degrees"] for key in ("img1", "img2")] == [0, 180]
