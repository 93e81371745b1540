"""What --plot draws, by the pixels: no model, faces and crops by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facekit.enums import CropRule, MeasuredBy, Metric, ResizeFilter, Runtime
from facekit.photo.decode import read_image
from facekit.pipeline.records import EmbeddedPicture, FaceOrigin, Verification
from facekit.runtime.delegates import DeviceUse
from facekit.tasks.verification_plot import (
    DIFFERENT_COLOR,
    OTHER_COLOR,
    SAME_COLOR,
    plot_verification,
    verification_figure,
)
from facekit.template.match import decide
from facekit.template.threshold import ScoreMeaning, Threshold
from facekit.types import CropSpec, Face, UInt8Array
from tests.video.faces import face

pytest.importorskip("matplotlib", reason="needs the plot extra")

BLUE = (40, 60, 160)
LEFT, RIGHT, SMALL = face(40, 60, 120, 160), face(240, 80, 310, 170), face(330, 20, 370, 70)


def photo(name: str, *faces: Face, others: tuple[Face, ...] = ()) -> EmbeddedPicture:
    """400 x 250 pixels of one blue; the crop of face n is of the gray 60 + 40 n."""
    count = len(faces)
    crops: UInt8Array = np.zeros((count, 16, 16, 3), np.uint8)
    crops += np.arange(60, 60 + 40 * count, 40, dtype=np.uint8)[:, None, None, None]
    return EmbeddedPicture(
        name=name,
        photo_sha256="",
        face_count=count + len(others),
        faces=faces,
        qualities=(None,) * count,
        crops=crops,
        embeddings=np.eye(count, 4, dtype=np.float32),
        origins=tuple(FaceOrigin(name, "", number) for number in range(count)),
        pixels=np.full((250, 400, 3), BLUE, np.uint8),
        others=others,
    )


def verification(
    a: EmbeddedPicture, b: EmbeddedPicture, *, pair: tuple[int, int] = (0, 0), score: float = 0.7
) -> Verification:
    return Verification(
        a=a,
        b=b,
        best_pair=pair,
        comparison_count=len(a.embeddings) * len(b.embeddings),
        decision=decide(score, threshold_similarity=0.45),
        threshold=Threshold(0.45, None),
        metric=Metric.COSINE,
        meaning=ScoreMeaning(fmr_at_most=1e-3, probability=None, measured_by=MeasuredBy.FACEKIT),
        score_to_probability=None,
        model="toy:float32",
        model_sha256="0" * 64,
        crop=CropSpec(CropRule.MARGIN, 32, ResizeFilter.BILINEAR),
        detector="mtcnn",
        device=DeviceUse(Runtime.LITERT, "cpu"),
        timings_ms={},
    )


class Drawn:
    """A verification's figure as pixels, asked by the axes' own coordinates."""

    def __init__(self, result: Verification) -> None:
        self.figure = verification_figure(result)
        self.figure.canvas.draw()  # places the axes
        self.pixels = np.asarray(self.figure.canvas.buffer_rgba())[..., :3].astype(int)  # type: ignore[attr-defined]  # of the Agg canvas
        self.axes = {axes.get_label(): axes for axes in self.figure.axes}

    def around(self, axes: str, x: float, y: float, reach: int = 4) -> UInt8Array:
        """(2 reach + 1, 2 reach + 1, 3) pixels about a point of a photo, crop or scale."""
        across, up = self.axes[axes].transData.transform((x, y))
        row, column = len(self.pixels) - 1 - round(up), round(across)
        return np.asarray(
            self.pixels[row - reach : row + reach + 1, column - reach : column + reach + 1]
        )

    def line_px(self, axes: str, box: Face, color: str) -> int:
        """Pixels of a color across the middle of a box's left edge: the line's thickness."""
        x, y = float(box.box_xyxy[0]) - 0.5, float(box.box_xyxy[[1, 3]].mean())
        row = self.around(axes, x, y)[4]
        return int((np.abs(row - rgb(color)).max(axis=1) < 40).sum())

    def words(self) -> str:
        """Everything that is written."""
        titles = [axes.get_title() for axes in self.figure.axes]
        labels = [axes.get_xlabel() for axes in self.figure.axes]
        texts = [text.get_text() for axes in self.figure.axes for text in axes.texts]
        return "\n".join([*titles, *labels, *texts, *(t.get_text() for t in self.figure.texts)])


def rgb(color: str) -> UInt8Array:
    return np.array([int(color[start : start + 2], 16) for start in (1, 3, 5)])


@pytest.mark.parametrize(("score", "color"), [(0.7, SAME_COLOR), (0.2, DIFFERENT_COLOR)])
def test_the_compared_face_is_thick_in_the_decisions_color_and_the_loser_thin_and_gray(
    score: float, color: str
) -> None:
    drawn = Drawn(verification(photo("a", LEFT), photo("b", LEFT, others=(RIGHT,)), score=score))
    assert drawn.line_px("photo a", LEFT, color) >= 3
    assert drawn.line_px("photo b", LEFT, color) >= 3
    assert drawn.line_px("photo b", RIGHT, color) == 0
    assert 1 <= drawn.line_px("photo b", RIGHT, OTHER_COLOR) <= 2
    assert drawn.line_px("photo a", RIGHT, OTHER_COLOR) == 0  # nobody is there


def test_of_several_faces_the_pair_that_decides_is_colored_and_the_others_lost() -> None:
    drawn = Drawn(verification(photo("a", LEFT, RIGHT), photo("b", SMALL), pair=(1, 0)))
    assert drawn.line_px("photo a", RIGHT, SAME_COLOR) >= 3
    assert drawn.line_px("photo a", LEFT, SAME_COLOR) == 0
    assert 1 <= drawn.line_px("photo a", LEFT, OTHER_COLOR) <= 2
    assert drawn.line_px("photo b", SMALL, SAME_COLOR) >= 3
    assert "2 faces found, number 1 compared" in drawn.words()


def test_the_photos_and_the_crops_of_the_two_that_are_compared_are_shown() -> None:
    drawn = Drawn(verification(photo("a", LEFT, RIGHT), photo("b", SMALL), pair=(1, 0)))
    for axes in ("photo a", "photo b"):
        assert np.abs(drawn.around(axes, 180, 220) - np.array(BLUE)).max() <= 2
    assert np.abs(drawn.around("crop a", 8, 8) - 100).max() <= 2  # face 1's, not face 0's
    assert np.abs(drawn.around("crop b", 8, 8) - 60).max() <= 2


def test_numbers_stand_at_the_corners_of_their_boxes() -> None:
    """White on the box's color: there are none where one face of a photo is selected."""
    drawn = Drawn(verification(photo("a", LEFT, RIGHT), photo("b", SMALL), pair=(1, 0)))
    numbers = {text.get_text(): text for text in drawn.axes["photo a"].texts}
    assert set(numbers) == {"0", "1"}
    for name, box, color in (("0", LEFT, OTHER_COLOR), ("1", RIGHT, SAME_COLOR)):
        assert numbers[name].xy == tuple(box.box_xyxy[:2].tolist())  # type: ignore[attr-defined]  # of the Agg canvas
        x1, y1, _, _ = box.box_xyxy.tolist()
        above = drawn.around("photo a", x1 + 6, y1 - 9, reach=8).reshape(-1, 3)
        assert (np.abs(above - rgb(color)).max(axis=1) < 30).mean() > 0.2
        assert (above.min(axis=1) > 200).any()
    assert not drawn.axes["photo b"].texts


def test_the_decision_is_said_on_both_scales_with_their_signs() -> None:
    words = Drawn(verification(photo("a.jpg", LEFT), photo("b.jpg", SMALL))).words()
    lines = [" ".join(line.split()) for line in words.splitlines()]
    assert "similarity 0.7000 >= 0.4500" in lines
    assert "cosine distance 0.3000 <= 0.5500" in lines
    assert "false match rate at most 0.1 %" in lines
    assert "model toy:float32" in lines
    assert "crop margin, 32 px, bilinear" in lines
    assert {"a.jpg", "b.jpg", "1 face found", "same person"} <= set(lines)


def test_the_scale_shows_the_score_beside_the_threshold() -> None:
    drawn = Drawn(verification(photo("a", LEFT), photo("b", SMALL), score=0.2))
    assert np.abs(drawn.around("scale", 0.2, 0, reach=2) - rgb(DIFFERENT_COLOR)).max() < 3
    same, different = drawn.around("scale", 0.9, 0.5)[4, 4], drawn.around("scale", 0, 0.5)[4, 4]
    assert same[1] > same[0]  # greenish
    assert different[0] > different[1]  # reddish


def test_of_an_embedding_file_row_photo_and_face_are_named() -> None:
    known = replace(
        photo("known.npz", LEFT),
        faces=(None, None),
        qualities=(None, None),
        face_count=None,
        pixels=None,
        crops=np.zeros((0, 16, 16, 3), np.uint8),
        embeddings=np.eye(2, 4, dtype=np.float32),
        origins=(FaceOrigin("p/one.jpg", "", 0, 2), FaceOrigin("p/two.jpg", "", 3, 5)),
    )
    result = verification(known, photo("b", SMALL), pair=(1, 0))
    words = Drawn(result).words()
    assert "known.npz, row 5" in words
    assert "face 3 of\ntwo.jpg" in words
    assert "best of 2 pairs of faces" in words
    assert result.to_dict()["matched"]["img1"] == {"photo": "p/two.jpg", "face": 3, "row": 5}


def test_what_is_written_is_what_was_drawn(tmp_path: Path) -> None:
    """A blank file would pass none of the other tests' pixels, and this one compares it whole."""
    result = verification(photo("a", LEFT), photo("b", LEFT, others=(RIGHT,)))
    plot_verification(result, tmp_path / "plot.png")
    written = read_image(tmp_path / "plot.png").astype(int)
    drawn = Drawn(result).pixels
    assert written.shape == drawn.shape
    assert np.abs(written - drawn).max() <= 1
