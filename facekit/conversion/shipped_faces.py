"""Creates calibration crops without photos: many variations of three public-domain faces.

`faces.png` contains, side by side, the faces of tests/data (official White House portraits, works
of the US government).  Each tile is TILE_PX square; the detected box is stretched to the square of
BOX_PX pixels in its center.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.conversion.crops import SEED, CropSet, Origin, list_sha256
from facekit.enums import CropRule
from facekit.errors import InputError
from facekit.face.align import landmark_template, similarity_transform
from facekit.model.card import Card
from facekit.types import CropSpec, InputSpec, UInt8Array

TILE_PX = 224
BOX_PX = 128
DEFAULT_CROPS = 96
_FILE = Path(__file__).with_name("faces.png")


@dataclass(frozen=True, slots=True)
class _BoxedFace:
    """A face as facekit's detector finds it in its photo: the size of the box, and the landmarks.

    The landmarks are left eye, right eye, nose, left and right mouth corner, as (x, y) in pixels
    from the box's upper left corner.
    """

    width_px: int
    height_px: int
    landmarks_xy: tuple[tuple[int, int], ...]


_FACES = (
    _BoxedFace(232, 330, ((62, 130), (166, 128), (115, 190), (55, 235), (170, 232))),  # obama.jpg
    _BoxedFace(268, 404, ((50, 140), (170, 151), (86, 218), (44, 293), (149, 295))),  # obama2.jpg
    _BoxedFace(276, 393, ((100, 151), (219, 177), (162, 234), (84, 289), (192, 310))),  # biden.jpg
)
"""The faces in the order of the tiles.

`facekit detect --json obama.jpg obama2.jpg biden.jpg` measured these values.
"""


def shipped_crops(card: Card, *, count: int = DEFAULT_CROPS, seed: int = SEED) -> CropSet:
    """Returns (count, H, W, 3) crops for the card's model, equal for equal count and seed.

    Each crop shows one of the faces with random changes of position, rotation, orientation,
    brightness, contrast, color and sharpness, within the variation of photos.  Raises InputError if
    the model expects whole photos.
    """
    if card.crop is None or card.crop.rule is CropRule.NONE:
        raise InputError(
            f"The faces that come with facekit are cropped by box or landmarks, and {card.name} "
            "wants whole photos: pass some with --calibration."
        )
    tiles = _tiles()
    random = np.random.default_rng(seed)
    size = card.input.width_px, card.input.height_px
    transforms = [_crop_transform(face, card.crop, *size) for face in _FACES]
    crops = np.stack(
        [
            _augment(tiles[index % len(tiles)], transforms[index % len(tiles)], size, random)
            for index in range(count)
        ]
    )
    return CropSet(crops, faces_origin(count, seed))


def unstretched_faces() -> list[UInt8Array]:
    """Returns the faces with surroundings, each (H, W, 3) RGB uint8, at a third of the size."""
    scale = TILE_PX / BOX_PX / 3
    return [
        np.asarray(
            cv2.resize(tile, (round(face.width_px * scale), round(face.height_px * scale))),
            np.uint8,
        )
        for tile, face in zip(_tiles(), _FACES, strict=True)
    ]


def faces_origin(count: int, seed: int) -> Origin:
    """Returns the origin of `count` crops or pictures created from the faces."""
    return Origin(
        title=f"facekit's own {len(_FACES)} public-domain faces, varied",
        crops=count,
        people=2,
        list_sha256=list_sha256([hashlib.sha256(_FILE.read_bytes()).hexdigest()]),
        seed=seed,
    )


def shipped_portraits(spec: InputSpec, crop: CropSpec) -> UInt8Array:
    """Returns unchanged crops of the three faces, (3, H, W, 3) RGB uint8.

    The first two crops show one person, and the third crop shows another person.  For
    CropRule.NONE, returns the faces with their surroundings.
    """
    size = spec.width_px, spec.height_px
    if crop.rule is CropRule.NONE:
        return np.stack([cv2.resize(tile, size) for tile in _tiles()]).astype(np.uint8)
    transforms = (_crop_transform(face, crop, *size) for face in _FACES)
    crops = [
        cv2.warpAffine(tile, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for tile, matrix in zip(_tiles(), transforms, strict=True)
    ]
    return np.stack(crops).astype(np.uint8)


def _tiles() -> list[UInt8Array]:
    """Returns the tiles, each (TILE_PX, TILE_PX, 3) RGB uint8."""
    bgr = cv2.imdecode(np.frombuffer(_FILE.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None  # the file is shipped with facekit
    strip = np.asarray(bgr[..., ::-1], np.uint8)
    return [strip[:, left : left + TILE_PX] for left in range(0, strip.shape[1], TILE_PX)]


def _crop_transform(
    face: _BoxedFace, crop: CropSpec, width_px: int, height_px: int
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


def _augment(
    tile: UInt8Array,
    transform: NDArray[np.float64],
    size: tuple[int, int],
    random: np.random.Generator,
) -> UInt8Array:
    """Returns a random variation of the crop that the affine `transform` cuts from `tile`.

    `size` is (width, height) in pixels.
    """
    width, height = size
    zoom = random.uniform(0.92, 1.08)
    change = cv2.getRotationMatrix2D((width / 2, height / 2), random.normal(0, 6), zoom)
    change[0, 2] += random.normal(0, 0.02 * width)
    change[1, 2] += random.normal(0, 0.02 * height)
    varied_transform = change @ np.vstack((transform, (0, 0, 1)))
    crop = cv2.warpAffine(
        tile, varied_transform, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    values: NDArray[np.float64] = crop.astype(np.float64)
    if random.random() < 0.5:
        values = values[:, ::-1]
    if random.random() < 0.15:
        values = np.repeat(values.mean(-1, keepdims=True), 3, -1)
    else:
        values = values * random.uniform(0.85, 1.15, 3)  # a change of the white balance
    if random.random() < 0.3:
        values = np.asarray(cv2.GaussianBlur(values, (0, 0), random.uniform(0.5, 2.0)), np.float64)
    values = 255 * (np.clip(values, 0, 255) / 255) ** np.exp(random.normal(0, 0.35))
    mean = values.mean()
    values = (values - mean) * random.uniform(0.6, 1.4) + mean + random.normal(0, 20)
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
