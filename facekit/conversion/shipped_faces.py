"""Calibration crops without photos: three public-domain faces, seen in many ways.

`faces.png` holds, side by side, the faces of tests/data (official White House portraits, works
of the US government): TILE_PX square each, the detected box stretched to its middle BOX_PX.
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
    """A face as facekit's detector finds it in its photo: size of the box, and in it the points.

    Left eye, right eye, nose, mouth left, mouth right, in pixels from the box's upper left.
    """

    width_px: int
    height_px: int
    landmarks_xy: tuple[tuple[int, int], ...]


_FACES = (
    _BoxedFace(232, 330, ((62, 130), (166, 128), (115, 190), (55, 235), (170, 232))),  # obama.jpg
    _BoxedFace(268, 404, ((50, 140), (170, 151), (86, 218), (44, 293), (149, 295))),  # obama2.jpg
    _BoxedFace(276, 393, ((100, 151), (219, 177), (162, 234), (84, 289), (192, 310))),  # biden.jpg
)
"""in the order of the tiles: facekit detect --json obama.jpg obama2.jpg biden.jpg"""


def shipped_crops(card: Card, *, count: int = DEFAULT_CROPS, seed: int = SEED) -> CropSet:
    """(count, H, W, 3) crops for the card's model; the same for the same count and seed.

    Each is one of the faces, moved, turned, mirrored, brighter or darker, flatter, grayer or
    softer than it was, as much as photos differ.  Raises InputError for a model that is fed
    whole photos.
    """
    if card.crop is None or card.crop.rule is CropRule.NONE:
        raise InputError(
            f"The faces that come with facekit are cropped by box or landmarks, and {card.name} "
            "wants whole photos: pass some with --calibration."
        )
    tiles = _tiles()
    random = np.random.default_rng(seed)
    size = card.input.width_px, card.input.height_px
    placed = [_placed(face, card.crop, *size) for face in _FACES]
    crops = np.stack(
        [
            _varied(tiles[number % len(tiles)], placed[number % len(tiles)], size, random)
            for number in range(count)
        ]
    )
    return CropSet(crops, faces_origin(count, seed))


def unstretched_faces() -> list[UInt8Array]:
    """The faces with what is around them, (H, W, 3), a third as large as in their photos."""
    scale = TILE_PX / BOX_PX / 3
    return [
        np.asarray(
            cv2.resize(tile, (round(face.width_px * scale), round(face.height_px * scale))),
            np.uint8,
        )
        for tile, face in zip(_tiles(), _FACES, strict=True)
    ]


def faces_origin(count: int, seed: int) -> Origin:
    """Of `count` crops or pictures that are made of the faces."""
    return Origin(
        title=f"facekit's own {len(_FACES)} public-domain faces, varied",
        crops=count,
        people=2,
        list_sha256=list_sha256([hashlib.sha256(_FILE.read_bytes()).hexdigest()]),
        seed=seed,
    )


def portraits(spec: InputSpec, crop: CropSpec) -> UInt8Array:
    """(3, H, W, 3) crops of the faces as they are: two photos of one person, then one of another.

    CropRule.NONE gives a face with what is around it.
    """
    size = spec.width_px, spec.height_px
    if crop.rule is CropRule.NONE:
        return np.stack([cv2.resize(tile, size) for tile in _tiles()]).astype(np.uint8)
    placed = (_placed(face, crop, *size) for face in _FACES)
    crops = [
        cv2.warpAffine(tile, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for tile, matrix in zip(_tiles(), placed, strict=True)
    ]
    return np.stack(crops).astype(np.uint8)


def _tiles() -> list[UInt8Array]:
    """(TILE_PX, TILE_PX, 3) RGB each."""
    bgr = cv2.imdecode(np.frombuffer(_FILE.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None  # it is ours
    strip = np.asarray(bgr[..., ::-1], np.uint8)
    return [strip[:, left : left + TILE_PX] for left in range(0, strip.shape[1], TILE_PX)]


def _placed(face: _BoxedFace, crop: CropSpec, width_px: int, height_px: int) -> NDArray[np.float64]:
    """(2, 3): from the tile's pixels to where the crop rule puts them."""
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


def _varied(
    tile: UInt8Array,
    placed: NDArray[np.float64],
    size: tuple[int, int],
    random: np.random.Generator,
) -> UInt8Array:
    """One crop of (width, height) pixels, near to where `placed` puts the tile."""
    width, height = size
    zoom = random.uniform(0.92, 1.08)
    change = cv2.getRotationMatrix2D((width / 2, height / 2), random.normal(0, 6), zoom)
    change[0, 2] += random.normal(0, 0.02 * width)
    change[1, 2] += random.normal(0, 0.02 * height)
    turn = change @ np.vstack((placed, (0, 0, 1)))
    crop = cv2.warpAffine(tile, turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    values: NDArray[np.float64] = crop.astype(np.float64)
    if random.random() < 0.5:
        values = values[:, ::-1]
    if random.random() < 0.15:
        values = np.repeat(values.mean(-1, keepdims=True), 3, -1)
    else:
        values = values * random.uniform(0.85, 1.15, 3)  # another white balance
    if random.random() < 0.3:
        values = np.asarray(cv2.GaussianBlur(values, (0, 0), random.uniform(0.5, 2.0)), np.float64)
    values = 255 * (np.clip(values, 0, 255) / 255) ** np.exp(random.normal(0, 0.35))
    middle = values.mean()
    values = (values - middle) * random.uniform(0.6, 1.4) + middle + random.normal(0, 20)
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
