from __future__ import annotations

from typing import Any

import pytest

from facekit.errors import UsageError
from facekit.face.mtcnn.options import MtcnnOptions


def test_defaults_are_the_authors() -> None:
    options = MtcnnOptions()
    assert options.min_face_px == 20
    assert options.stage_thresholds == (0.6, 0.7, 0.7)
    assert options.scale_factor == 0.709


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"min_face_px": 11.9}, r"at least 12 px wide.*Received: 11\.9"),
        ({"min_face_px": float("nan")}, r"at least 12 px wide.*Received: nan"),
        ({"scale_factor": 1.0}, r"between 0 and 1, both excluded\. Received: 1"),
        ({"scale_factor": 0.0}, r"between 0 and 1"),
        ({"stage_thresholds": (0.6, 0.7)}, r"Three face thresholds.*Received: 0\.6, 0\.7$"),
        ({"stage_thresholds": (0.6, 0.7, 1.2)}, r"each between 0 and 1\. Received: 0\.6, 0\.7, 1"),
        ({"search_side_px": -1}, r"0 \(full size\) or positive\. Received: -1"),
        ({"face_overlap": 1.5}, r"face_overlap must lie between 0 and 1\. Received: 1\.5"),
    ],
)
def test_what_cannot_be_meant(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        MtcnnOptions(**wrong)
