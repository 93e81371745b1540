"""Creates calibration crops without photos: many variations of the faces of portraits.py."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.conversion.crops import SEED, CropSet, Origin, list_sha256
from facekit.enums import CropRule
from facekit.errors import InputError
from facekit.face.portraits import FACES, FILE, crop_transform, face_tiles
from facekit.model.card import Card
from facekit.types import UInt8Array

DEFAULT_CROPS = 96


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
    tiles = face_tiles()
    random = np.random.default_rng(seed)
    size = card.input.width_px, card.input.height_px
    transforms = [crop_transform(face, card.crop, *size) for face in FACES]
    crops = np.stack(
        [
            _augment(tiles[index % len(tiles)], transforms[index % len(tiles)], size, random)
            for index in range(count)
        ]
    )
    return CropSet(crops, faces_origin(count, seed))


def faces_origin(count: int, seed: int) -> Origin:
    """Returns the origin of `count` crops or pictures created from the faces."""
    return Origin(
        title=f"facekit's own {len(FACES)} public-domain faces, varied",
        crops=count,
        people=2,
        list_sha256=list_sha256([hashlib.sha256(FILE.read_bytes()).hexdigest()]),
        seed=seed,
    )


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
