"""Contact sheets: a picture for each group of faces, one for who is alone, and an overview.

    overview.jpg        a face of every group, the one nearest to the group's mean
    0.jpg, 1.jpg, ...   the faces of a group, with the names of their photos
    alone.jpg           faces that are like no other

If the faces do not fit on one sheet, further sheets are 0-2.jpg, 0-3.jpg and so on.  If a photo has
several faces, the grouped face has a colored box, and the other faces have thin gray boxes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.photo.decode import read_image
from facekit.photo.draw import OTHER_RGB, SELECTED_RGB, Rgb, drawable
from facekit.photo.limits import DEFAULT_LIMITS, ImageLimits
from facekit.photo.write import write_jpeg
from facekit.types import Float32Array, UInt8Array

_TILE_PX = 168
_CAPTION_PX = 30
_GAP_PX = 18
_EDGE_PX = 36
_TITLE_PX = 64
_NOTE_PX = 20
_LEAST_COLUMNS, _MOST_COLUMNS = 3, 8
_ON_A_SHEET = 96  # 8 x 12: 1500 x 2800 pixels
_FACE_SHARE = 0.6  # of a tile that the longer side of a face's box takes: hair and chin are seen
_PAPER_RGB = (250, 249, 246)
_TITLE_RGB = (33, 37, 41)
_CAPTION_RGB = (92, 99, 106)
_FRAME_RGB = (222, 220, 214)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_TITLE_SCALE, _CAPTION_SCALE = 0.85, 0.45


Box: TypeAlias = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels of a photo."""


@dataclass(frozen=True, slots=True)
class SheetFace:
    """A face in a photo."""

    photo: str
    """Path of the photo."""
    box_xyxy: Box | None
    """Pixels of the photo; None for the photo as a whole."""
    number: int | None = None
    """Index among the selected faces of its photo, from 0; None if only one is selected."""
    others: tuple[Box, ...] = ()
    """Boxes of the other faces that were found in the photo."""

    @property
    def label(self) -> str:
        """The photo's name without its folders; group.jpg#1 for a face of several."""
        name = Path(self.photo).name
        return name if self.number is None else f"{name}#{self.number}"


@dataclass(frozen=True, slots=True)
class Sheet:
    """The content of one contact sheet."""

    name: str
    """Name of the file, without its suffix."""
    title: str
    faces: tuple[SheetFace, ...]
    captions: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """Lines below the title, e.g. model and threshold."""


def plan_sheets(
    faces: Sequence[SheetFace],
    groups: NDArray[np.int64],
    vectors: Float32Array,
    *,
    notes: Sequence[str] = (),
) -> list[Sheet]:
    """Returns the sheets of (N,) group numbers from 0 and (N, D) unit vectors, the overview first.

    `notes`: lines below every title.
    """
    members = [np.flatnonzero(groups == group) for group in range(int(groups.max(initial=-1)) + 1)]
    several = [(group, rows) for group, rows in enumerate(members) if len(rows) > 1]
    alone = [int(rows[0]) for rows in members if len(rows) == 1]
    width = len(str(max(len(members) - 1, 0)))
    title = f"{_counted(len(several), 'group')} with {_counted(len(faces) - len(alone), 'face')}"
    nearest = [int(rows[_most_central(vectors[rows])]) for _, rows in several]
    captions = [f"{group:0{width}d}: {len(rows)} faces" for group, rows in several]
    sheets = [
        *_pages("overview", f"{title}, {len(alone)} alone", [faces[n] for n in nearest], captions)
    ]
    for group, rows in several:
        shown = [faces[int(row)] for row in rows]
        title = f"Group {group:0{width}d}: {len(rows)} faces"
        sheets += _pages(f"{group:0{width}d}", title, shown, _names(shown))
    if alone:
        shown = [faces[row] for row in alone]
        sheets += _pages(
            "alone", f"{_counted(len(alone), 'face')} like no other", shown, _names(shown)
        )
    return [replace(sheet, notes=tuple(notes)) for sheet in sheets]


def write_sheet(folder: Path, sheet: Sheet, *, limits: ImageLimits = DEFAULT_LIMITS) -> Path:
    """Writes the sheet as a JPEG file; makes the folder.  Raises ImageError or StorageError."""
    path = folder / f"{sheet.name}.jpg"
    write_jpeg(path, drawn(sheet, limits=limits))
    return path


def drawn(sheet: Sheet, *, limits: ImageLimits = DEFAULT_LIMITS) -> UInt8Array:
    """Draws a sheet as (H, W, 3) RGB; reads every photo again.  Raises ImageError."""
    count = len(sheet.faces)
    columns = min(max(math.ceil(math.sqrt(1.5 * count)), _LEAST_COLUMNS), _MOST_COLUMNS)
    rows = max(1, math.ceil(count / columns))
    step_x, step_y = _TILE_PX + _GAP_PX, _TILE_PX + _CAPTION_PX + _GAP_PX
    width = 2 * _EDGE_PX + columns * step_x - _GAP_PX
    head = _EDGE_PX + _TITLE_PX + len(sheet.notes) * _NOTE_PX
    height = head + rows * step_y
    paper: UInt8Array = np.full((height, width, 3), _PAPER_RGB, np.uint8)
    title = _fitted(sheet.title, width - 2 * _EDGE_PX, _TITLE_SCALE, 2)
    origin = (_EDGE_PX, _EDGE_PX + 22)
    cv2.putText(paper, title, origin, _FONT, _TITLE_SCALE, _TITLE_RGB, 2, cv2.LINE_AA)
    for line, note in enumerate(sheet.notes):
        text = _fitted(note, width - 2 * _EDGE_PX, _CAPTION_SCALE, 1)
        origin = (_EDGE_PX, _EDGE_PX + 30 + (line + 1) * _NOTE_PX)
        cv2.putText(paper, text, origin, _FONT, _CAPTION_SCALE, _CAPTION_RGB, 1, cv2.LINE_AA)
    tiles = _tiles(sheet.faces, limits)
    for number, (tile, caption) in enumerate(zip(tiles, sheet.captions, strict=True)):
        left = _EDGE_PX + number % columns * step_x
        top = head + number // columns * step_y
        paper[top : top + _TILE_PX, left : left + _TILE_PX] = tile
        corner = (left + _TILE_PX - 1, top + _TILE_PX - 1)
        cv2.rectangle(paper, (left, top), corner, _FRAME_RGB, 1)
        text = _fitted(caption, _TILE_PX, _CAPTION_SCALE, 1)
        origin = (left, top + _TILE_PX + 20)
        cv2.putText(paper, text, origin, _FONT, _CAPTION_SCALE, _CAPTION_RGB, 1, cv2.LINE_AA)
    return paper


def _tiles(faces: Sequence[SheetFace], limits: ImageLimits) -> Iterator[UInt8Array]:
    """(_TILE_PX, _TILE_PX, 3) each; the faces of one photo that follow each other read it once."""
    photo, pixels = None, None
    for face in faces:
        if pixels is None or face.photo != photo:
            photo, pixels = face.photo, read_image(face.photo, limits=limits)
        x1, y1, x2, y2 = square_about(face.box_xyxy, pixels.shape[1], pixels.shape[0])
        square = pixels[y1:y2, x1:x2]
        shrinks = len(square) > _TILE_PX
        how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        tile = np.asarray(cv2.resize(square, (_TILE_PX, _TILE_PX), interpolation=how), np.uint8)
        if face.others:
            corner, scale = np.array([x1, y1, x1, y1]), _TILE_PX / len(square)
            for box in face.others:
                _draw_box(tile, (np.array(box) - corner) * scale, OTHER_RGB, 1)
            _draw_box(tile, (np.array(face.box_xyxy) - corner) * scale, SELECTED_RGB, 2)
        yield tile


def _draw_box(tile: UInt8Array, box_xyxy: NDArray[np.float64], color: Rgb, thickness: int) -> None:
    x1, y1, x2, y2 = (round(side) for side in box_xyxy.tolist())
    cv2.rectangle(tile, (x1, y1), (x2 - 1, y2 - 1), color, thickness)


def square_about(box_xyxy: Box | None, width: int, height: int) -> tuple[int, int, int, int]:
    """Returns a square about a face, inside the photo and not empty: x1, y1, x2, y2 in px."""
    x1, y1, x2, y2 = (0.0, 0.0, width, height) if box_xyxy is None else box_xyxy
    side = max(x2 - x1, y2 - y1) / (1.0 if box_xyxy is None else _FACE_SHARE)
    whole = int(min(max(round(side), 1), width, height))
    left = int(min(max(round((x1 + x2 - whole) / 2), 0), width - whole))
    top = int(min(max(round((y1 + y2 - whole) / 2), 0), height - whole))
    return left, top, left + whole, top + whole


def _fitted(text: str, width_px: int, scale: float, weight: int) -> str:
    """Returns the text, without its middle if it is too long: names differ at their ends."""
    text = drawable("".join(sign if sign.isprintable() else "?" for sign in text))
    kept = len(text)
    shown = text
    while cv2.getTextSize(shown, _FONT, scale, weight)[0][0] > width_px and kept > 2:
        kept -= 1
        head = kept // 3
        shown = f"{text[:head]}...{text[len(text) - (kept - head) :]}"
    return shown


def _pages(
    name: str, title: str, faces: Sequence[SheetFace], captions: Sequence[str]
) -> Iterator[Sheet]:
    """Yields one sheet, or several for too many faces; yields an empty one without faces."""
    pages = max(1, math.ceil(len(faces) / _ON_A_SHEET))
    for page in range(pages):
        part = slice(page * _ON_A_SHEET, (page + 1) * _ON_A_SHEET)
        yield Sheet(
            name if page == 0 else f"{name}-{page + 1}",
            title if pages == 1 else f"{title} ({page + 1} of {pages})",
            tuple(faces[part]),
            tuple(captions[part]),
        )


def _names(faces: Sequence[SheetFace]) -> list[str]:
    return [face.label for face in faces]


def _most_central(vectors: Float32Array) -> int:
    return int((vectors @ vectors.sum(axis=0)).argmax())


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
