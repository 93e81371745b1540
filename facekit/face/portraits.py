"""The three public-domain faces that are shipped with facekit, as photos and as crops.

`faces.png` contains, side by side, the faces of tests/data (official White House portraits, works
of the US government).  Each tile is TILE_PX square; the detected box is stretched to the square of
BOX_PX pixels in its center.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.enums import CropRule
from facekit.face.align import landmark_template, similarity_transform
from facekit.types import CropSpec, Float32Array, InputSpec, UInt8Array

TILE_PX = 224
BOX_PX = 128
FILE = Path(__file__).with_name("faces.png")
MIN_GAP = 0.05
"""Minimum difference between the cosine similarity of the two faces of one person, and the larger
similarity of two people.  facenet512-casia and SFace reach 0.47 and more; untrained networks reach
0.05 only by chance."""
NAMES = ("obama", "obama2", "biden")
"""Names of the photos, in the order of the tiles: the first two show one person."""


@dataclass(frozen=True, slots=True)
class BoxedFace:
    """A face as facekit's detector finds it in its photo: the size of the box, and the landmarks.

    The landmarks are left eye, right eye, nose, left and right mouth corner, as (x, y) in pixels
    from the box's upper left corner.
    """

    width_px: int
    height_px: int
    landmarks_xy: tuple[tuple[int, int], ...]


FACES = (
    BoxedFace(232, 330, ((62, 130), (166, 128), (115, 190), (55, 235), (170, 232))),  # obama.jpg
    BoxedFace(268, 404, ((50, 140), (170, 151), (86, 218), (44, 293), (149, 295))),  # obama2.jpg
    BoxedFace(276, 393, ((100, 151), (219, 177), (162, 234), (84, 289), (192, 310))),  # biden.jpg
)
"""The faces in the order of the tiles.

`facekit detect --json obama.jpg obama2.jpg biden.jpg` measured these values.
"""


def unstretched_faces() -> list[UInt8Array]:
    """Returns the faces with surroundings, each (H, W, 3) RGB uint8, at a third of the size."""
    scale = TILE_PX / BOX_PX / 3
    return [
        np.asarray(
            cv2.resize(tile, (round(face.width_px * scale), round(face.height_px * scale))),
            np.uint8,
        )
        for tile, face in zip(face_tiles(), FACES, strict=True)
    ]


def face_boxes() -> Float32Array:
    """Returns (3, 4) boxes: where the face of each of `unstretched_faces` is, in its pixels.

    They are MTCNN's boxes in the whole photos.
    """
    corners = np.array([TILE_PX - BOX_PX] * 2 + [TILE_PX + BOX_PX] * 2) / 2 / TILE_PX
    sizes = [photo.shape[1::-1] * 2 for photo in unstretched_faces()]
    return np.asarray(corners * sizes, np.float32)


def shipped_portraits(spec: InputSpec, crop: CropSpec) -> UInt8Array:
    """Returns unchanged crops of the three faces, (3, H, W, 3) RGB uint8.

    The first two crops show one person, and the third crop shows another person.  For
    CropRule.NONE, returns the faces with their surroundings.
    """
    size = spec.width_px, spec.height_px
    if crop.rule is CropRule.NONE:
        return np.stack([cv2.resize(tile, size) for tile in face_tiles()]).astype(np.uint8)
    transforms = (crop_transform(face, crop, *size) for face in FACES)
    crops = [
        cv2.warpAffine(tile, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for tile, matrix in zip(face_tiles(), transforms, strict=True)
    ]
    return np.stack(crops).astype(np.uint8)


def face_tiles() -> list[UInt8Array]:
    """Returns the tiles, each (TILE_PX, TILE_PX, 3) RGB uint8."""
    bgr = cv2.imdecode(np.frombuffer(FILE.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None  # the file is shipped with facekit
    strip = np.asarray(bgr[..., ::-1], np.uint8)
    return [strip[:, left : left + TILE_PX] for left in range(0, strip.shape[1], TILE_PX)]


def crop_transform(
    face: BoxedFace, crop: CropSpec, width_px: int, height_px: int
) -> NDArray[np.float64]:
    """Returns the (2, 3) affine transform from pixels of the tile to pixels of the crop."""
    inset = (TILE_PX - BOX_PX) / 2
    if crop.rule is CropRule.SIMILARITY:
        unstretched = np.array([face.width_px, face.height_px]) / BOX_PX
        matrix = similarity_transform(
            np.array(face.landmarks_xy, np.float64) + inset * unstretched,
            landmark_template(height_px, width_px, margin_px=crop.margin_px),
        )
        matrix[:, :2] *= unstretched
        return matrix
    size = np.array([width_px, height_px])
    scale = (size - crop.margin_px) / BOX_PX
    return np.column_stack((np.diag(scale), (size - TILE_PX * scale) / 2))
