"""Contact sheets: which face stands on which, where, and that the pictures show it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facekit.errors import ImageError
from facekit.photo import sheets
from facekit.photo.decode import read_image
from facekit.photo.draw import OTHER_RGB, SELECTED_RGB
from facekit.photo.sheets import SheetFace, drawn, plan_sheets, square_about, write_sheet
from facekit.photo.write import write_png
from facekit.types import Float32Array, UInt8Array

BOX = (10.0, 20.0, 40.0, 60.0)


def faces(*photos: str) -> list[SheetFace]:
    return [SheetFace(photo, BOX) for photo in photos]


def vectors(*angles: float) -> Float32Array:
    return np.array([[np.cos(angle), np.sin(angle)] for angle in angles], np.float32)


def test_a_sheet_for_each_group_one_for_who_is_alone_and_an_overview() -> None:
    shown = faces("a/1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg", "6.jpg")
    groups = np.array([0, 1, 0, 2, 0, 1], np.int64)
    plan = plan_sheets(shown, groups, vectors(0.0, 1.0, 0.3, 2.0, 0.4, 1.1))
    assert [sheet.name for sheet in plan] == ["overview", "0", "1", "alone"]
    overview, first, second, alone = plan
    assert overview.title == "2 groups with 5 faces, 1 alone"
    assert overview.captions == ("0: 3 faces", "1: 2 faces")
    assert overview.faces[0].photo == "3.jpg"  # 0.3 is nearest to the mean of 0, 0.3 and 0.4
    assert first.captions == ("1.jpg", "3.jpg", "5.jpg")
    assert second.captions == ("2.jpg", "6.jpg")
    assert alone.title == "1 face like no other"
    assert [face.photo for face in alone.faces] == ["4.jpg"]


def test_nobody_makes_an_empty_overview() -> None:
    (overview,) = plan_sheets([], np.zeros(0, np.int64), np.zeros((0, 4), np.float32))
    assert overview.title == "0 groups with 0 faces, 0 alone"
    assert drawn(overview).shape[2] == 3


def test_what_does_not_fit_goes_on_another_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "_ON_A_SHEET", 4)
    plan = plan_sheets(faces(*"abcdefghi"), np.zeros(9, np.int64), vectors(*[0.0] * 9))
    assert [(sheet.name, len(sheet.faces)) for sheet in plan[1:]] == [
        ("0", 4),
        ("0-2", 4),
        ("0-3", 1),
    ]
    assert plan[1].title == "Group 0: 9 faces (1 of 3)"


def test_the_tiles_show_the_faces_in_order(tmp_path: Path) -> None:
    """Each photo is of one color about its face and black elsewhere."""
    colors = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30)]
    for number, color in enumerate(colors):
        pixels = np.zeros((300, 400, 3), np.uint8)
        cv2.rectangle(pixels, (50, 50), (250, 250), color, cv2.FILLED)
        write_png(tmp_path / f"{number}.png", pixels)
    shown = [SheetFace(str(tmp_path / f"{n}.png"), (110.0, 100.0, 190.0, 200.0)) for n in range(4)]
    _, sheet = plan_sheets(shown, np.zeros(4, np.int64), vectors(0, 0, 0, 0))
    path = write_sheet(tmp_path / "new" / "folder", sheet)
    picture = read_image(path)
    step = sheets._TILE_PX + sheets._GAP_PX
    down = sheets._TILE_PX + sheets._CAPTION_PX + sheets._GAP_PX
    for index, color in enumerate(colors):
        x = sheets._EDGE_PX + index % 3 * step + sheets._TILE_PX // 2
        y = sheets._EDGE_PX + sheets._TITLE_PX + index // 3 * down + sheets._TILE_PX // 2
        assert picture[y, x] == pytest.approx(np.array(color), abs=12)
        # The caption below is dark on paper.
        below = picture[y + sheets._TILE_PX // 2 + 4 :][: sheets._CAPTION_PX, x - 80 : x]
        assert below.min() < 140
    assert (picture[2, 2] > 240).all()


class TestMarks:
    """A gray photo of two faces, 100 px each, the second right of the first."""

    FIRST, SECOND = (60.0, 80.0, 160.0, 180.0), (200.0, 80.0, 300.0, 180.0)

    @pytest.fixture
    def photo(self, tmp_path: Path) -> str:
        path = tmp_path / "two.png"
        write_png(path, np.full((260, 400, 3), 128, np.uint8))
        return str(path)

    def tile(self, face: SheetFace) -> UInt8Array:
        (sheet,) = plan_sheets([face], np.zeros(1, np.int64), vectors(0))[1:]
        left, top = sheets._EDGE_PX, sheets._EDGE_PX + sheets._TITLE_PX
        return drawn(sheet)[top + 1 : top + sheets._TILE_PX - 1, left + 1 :][
            :, : sheets._TILE_PX - 2
        ]

    def columns_of(self, tile: UInt8Array, rgb: tuple[int, int, int]) -> list[int]:
        return [int(x) for x in np.unique(np.nonzero((tile == np.array(rgb)).all(axis=2))[1])]

    def test_of_several_faces_the_one_that_is_meant_is_colored(self, photo: str) -> None:
        """The tile is 167 px of the photo wide: a face takes its middle 60 %."""
        tile = self.tile(SheetFace(photo, self.FIRST, 0, (self.SECOND,)))
        colored = self.columns_of(tile, SELECTED_RGB)
        share = sheets._TILE_PX * sheets._FACE_SHARE
        assert colored[-1] - colored[0] == pytest.approx(share, abs=4)
        assert (colored[0] + colored[-1]) / 2 == pytest.approx(sheets._TILE_PX / 2, abs=3)
        assert not self.columns_of(tile, OTHER_RGB)  # the second is 7 px beyond the tile

    def test_the_others_are_thin_and_gray(self, photo: str) -> None:
        near = (150.0, 80.0, 250.0, 180.0)
        tile = self.tile(SheetFace(photo, self.FIRST, 0, (near,)))
        row = tile[20:150, 150:]  # right of the face that is meant
        assert 1 <= int((row == np.array(OTHER_RGB)).all(axis=2)[:, -1].sum()) <= 4
        assert not (row == np.array(SELECTED_RGB)).all(axis=2).any()

    def test_one_face_alone_needs_no_mark(self, photo: str) -> None:
        assert (self.tile(SheetFace(photo, self.FIRST)) == 128).all()

    def test_the_caption_has_the_number_and_the_title_what_the_groups_rest_on(
        self, photo: str
    ) -> None:
        shown = [SheetFace(photo, self.FIRST, 0, (self.SECOND,)), SheetFace(photo, self.SECOND, 1)]
        plan = plan_sheets(
            shown, np.zeros(2, np.int64), vectors(0, 0), notes=("similarity >= 0.4", "crop margin")
        )
        assert plan[1].captions == ("two.png#0", "two.png#1")
        assert {sheet.notes for sheet in plan} == {("similarity >= 0.4", "crop margin")}
        with_notes, without = drawn(plan[1]), drawn(replace(plan[1], notes=()))
        added = len(with_notes) - len(without)
        assert added == 2 * sheets._NOTE_PX
        head = sheets._EDGE_PX + sheets._TITLE_PX
        for line in range(2):
            ink = with_notes[head - 24 + line * sheets._NOTE_PX :][: sheets._NOTE_PX]
            assert ink.min() < 140
        assert (with_notes[head + added :] == without[head:]).all()


def test_long_names_of_any_script_fit_and_keep_their_end() -> None:
    text = sheets._fitted("Žluťoučký kůň " * 20 + "0042.jpg", 168, 0.45, 1)
    assert text.endswith("0042.jpg")
    assert "..." in text
    assert cv2.getTextSize(text, sheets._FONT, 0.45, 1)[0][0] <= 168
    assert sheets._fitted("a\nb", 168, 0.45, 1) == "a?b"


def test_a_photo_that_is_gone_is_an_error(tmp_path: Path) -> None:
    plan = plan_sheets(faces(str(tmp_path / "gone.jpg")), np.zeros(1, np.int64), vectors(0))
    with pytest.raises(ImageError, match=r"gone\.jpg"):
        write_sheet(tmp_path, plan[-1])
    assert not list(tmp_path.iterdir())


@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    x=st.floats(-50, 350),
    y=st.floats(-50, 350),
    w=st.floats(0, 400),
    h=st.floats(0, 400),
)
def test_a_square_is_square_not_empty_and_within(
    width: int, height: int, x: float, y: float, w: float, h: float
) -> None:
    x1, y1, x2, y2 = square_about((x, y, x + w, y + h), width, height)
    assert x2 - x1 == y2 - y1 >= 1
    assert 0 <= x1 <= x2 <= width
    assert 0 <= y1 <= y2 <= height


def test_the_whole_photo_gives_its_middle() -> None:
    assert square_about(None, 300, 100) == (100, 0, 200, 100)
