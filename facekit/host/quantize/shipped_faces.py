"""Calibration crops without photos: three public-domain faces, seen in many ways.

`faces.png` holds, side by side, the faces of tests/data (official White House portraits, works
of the US government): TILE_PX square each, the detected box stretched to its middle BOX_PX.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.errors import InputError
from facekit.host.quantize.calibration import Origin, list_sha256
from facekit.host.quantize.photos import SEED, CropSet
from facekit.models.card import Card
from facekit.types import CropRule, UInt8Array

TILE_PX = 224
BOX_PX = 128
DEFAULT_CROPS = 96
_FILE = Path(__file__).with_name("faces.png")


def shipped_crops(card: Card, *, count: int = DEFAULT_CROPS, seed: int = SEED) -> CropSet:
    """(count, H, W, 3) crops for the card's model; the same for the same count and seed.

    Each is one of the faces, moved, turned, mirrored, brighter or darker, flatter, greyer or
    softer than it was, as much as photos differ.  Raises InputError for a model that is fed
    anything but a box with a margin.
    """
    if card.crop is None or card.crop.rule is not CropRule.MARGIN:
        raise InputError(
            f"The faces that come with facekit are cropped by box and margin, and {card.name} "
            "wants another crop: pass photos with --calibration."
        )
    raw = _FILE.read_bytes()
    bgr = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None  # it is ours
    strip = np.asarray(bgr[..., ::-1], np.uint8)
    tiles = [strip[:, left : left + TILE_PX] for left in range(0, strip.shape[1], TILE_PX)]
    random = np.random.default_rng(seed)
    size = card.input.width_px, card.input.height_px
    box_share = 1 - card.crop.margin_px / card.input.width_px
    crops = np.stack(
        [_varied(tiles[place % len(tiles)], size, box_share, random) for place in range(count)]
    )
    origin = Origin(
        title=f"facekit's own {len(tiles)} public-domain faces, varied",
        crops=count,
        people=2,
        list_sha256=list_sha256([hashlib.sha256(raw).hexdigest()]),
        seed=seed,
    )
    return CropSet(crops, origin)


def _varied(
    tile: UInt8Array, size: tuple[int, int], box_share: float, random: np.random.Generator
) -> UInt8Array:
    """One crop of (width, height) pixels, whose middle `box_share` is about the face's box."""
    width, height = size
    zoom = box_share * width / BOX_PX * random.uniform(0.92, 1.08)
    turn = cv2.getRotationMatrix2D((TILE_PX / 2, TILE_PX / 2), random.normal(0, 6), zoom)
    turn[0, 2] += (width - TILE_PX) / 2 + random.normal(0, 0.02 * width)
    turn[1, 2] += (height - TILE_PX) / 2 + random.normal(0, 0.02 * height)
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
