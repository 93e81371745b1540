"""Whole pictures with faces of all sizes, for a detector: from photos, or from the faces that ship.

A detector that is calibrated on photos alone in which faces are much alike in size, as LFW's are,
fails on other sizes: YuNet's boxes then overlap float32's by 0.85 instead of 0.96.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from facekit.conversion.crops import (
    LEAST_CROPS,
    SEED,
    CropSet,
    Origin,
    chosen_photos,
    list_sha256,
)
from facekit.conversion.shipped_faces import DEFAULT_CROPS, faces_origin, unstretched_faces
from facekit.errors import ImageError, InputError
from facekit.model.card import Card
from facekit.photo.decode import ImageLimits, load_picture
from facekit.types import UInt8Array

_LEAST, _MOST = 0.12, 2.2
"""a photo's longer side, in sides of the picture: LFW's faces then have 16 to 300 of 320 pixels"""


def placed(
    photo: UInt8Array, width_px: int, height_px: int, random: np.random.Generator
) -> UInt8Array:
    """(height_px, width_px, 3): the photo smaller or larger, somewhere in a picture.

    Around it is black, as where a photo is filled up, or its own mirror image, again and again.
    """
    height, width = photo.shape[:2]
    side = max(height_px, width_px)
    scale = np.exp(random.uniform(np.log(_LEAST), np.log(_MOST))) * side / max(height, width)
    x, y = random.uniform(0.1, 0.9, 2) * (width_px, height_px)
    moved = np.array([[scale, 0, x - scale * width / 2], [0, scale, y - scale * height / 2]])
    return np.asarray(
        cv2.warpAffine(
            photo,
            moved,
            (width_px, height_px),
            flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT if random.random() < 0.5 else cv2.BORDER_CONSTANT,
        ),
        np.uint8,
    )


def photo_pictures(
    source: Path, card: Card, *, count: int, seed: int = SEED, limits: ImageLimits
) -> CropSet:
    """A picture of each of at most `count` photos, which are chosen as `photo_crops` does.

    Raises InputError where fewer than LEAST_CROPS can be read, ImageError for a folder without
    photos.
    """
    photos = chosen_photos(source, count, seed=seed)
    read, failures = [], []
    for photo in photos:
        try:
            read.append((photo, load_picture(photo, limits=limits).pixels))
        except ImageError as error:
            failures.append(str(error))
    if len(read) < LEAST_CROPS:
        why = f" First failure: {failures[0]}" if failures else ""
        raise InputError(
            f"Calibration needs at least {LEAST_CROPS} photos. {source} has {len(read)} that can "
            f"be read.{why}"
        )
    origin = Origin(
        title=f"{source.resolve().name}: photos made smaller and larger, and moved",
        crops=len(read),
        people=len({photo.parent for photo, _ in read}),
        list_sha256=list_sha256([hashlib.sha256(one.read_bytes()).hexdigest() for one, _ in read]),
        seed=seed,
        photos=tuple(f"{photo.parent.name}/{photo.name}" for photo, _ in read),
    )
    return CropSet(_all(card, (pixels for _, pixels in read), seed), origin, tuple(failures))


def shipped_pictures(card: Card, *, count: int = DEFAULT_CROPS, seed: int = SEED) -> CropSet:
    """(count, H, W, 3) pictures for the card's detector; the same for the same count and seed."""
    faces = unstretched_faces()
    chosen = (faces[number % len(faces)] for number in range(count))
    return CropSet(_all(card, chosen, seed), faces_origin(count, seed))


def _all(card: Card, photos: Iterable[UInt8Array], seed: int) -> UInt8Array:
    random = np.random.default_rng(seed)
    size = card.input.width_px, card.input.height_px
    return np.stack([placed(photo, *size, random) for photo in photos])
