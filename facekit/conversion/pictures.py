"""Creates calibration pictures with faces of all sizes for a detector.

The faces are those of photos, or the faces shipped with facekit.

If all faces in the calibration photos have a similar size, as in LFW, the quantized detector fails
on other sizes: YuNet's boxes then overlap float32's by 0.85 instead of 0.96 (mean IoU).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from facekit.conversion.crops import (
    MIN_CROPS,
    SEED,
    CropSet,
    Origin,
    choose_photos,
    folder_count,
    list_sha256,
    photo_names,
)
from facekit.conversion.shipped_faces import DEFAULT_CROPS, faces_origin
from facekit.errors import ImageError, InputError
from facekit.face.portraits import unstretched_faces
from facekit.model.card import Card
from facekit.photo.decode import load_picture
from facekit.photo.limits import ImageLimits
from facekit.photo.reading import read_bytes
from facekit.types import UInt8Array

_MIN_SCALE, _MAX_SCALE = 0.12, 2.2
"""Limits of the larger dimension of the photo, relative to the larger dimension of the picture.
With these limits LFW's faces have 16 to 300 of 320 pixels."""


def place_photo(
    photo: UInt8Array, width_px: int, height_px: int, random: np.random.Generator
) -> UInt8Array:
    """Returns a picture (height_px, width_px, 3) uint8 with the photo, randomly scaled and moved.

    The rest of the picture is black, like the padding of a photo, or filled with mirror images of
    the photo.
    """
    height, width = photo.shape[:2]
    longer_side = max(height_px, width_px)
    scale = (
        np.exp(random.uniform(np.log(_MIN_SCALE), np.log(_MAX_SCALE)))
        * longer_side
        / max(height, width)
    )
    x, y = random.uniform(0.1, 0.9, 2) * (width_px, height_px)
    transform = np.array([[scale, 0, x - scale * width / 2], [0, scale, y - scale * height / 2]])
    return np.asarray(
        cv2.warpAffine(
            photo,
            transform,
            (width_px, height_px),
            flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT if random.random() < 0.5 else cv2.BORDER_CONSTANT,
        ),
        np.uint8,
    )


def photo_pictures(
    source: Path, card: Card, *, count: int, seed: int = SEED, limits: ImageLimits
) -> CropSet:
    """Returns one picture for each of at most `count` photos, selected as in `photo_crops`.

    Raises InputError if fewer than MIN_CROPS photos can be read, and the errors of `choose_photos`.
    """
    photos = choose_photos(source, count, seed=seed)
    read, failures = [], []
    for photo in photos:
        try:
            read.append((photo, load_picture(photo, limits=limits).pixels))
        except ImageError as error:
            failures.append(str(error))
    if len(read) < MIN_CROPS:
        reason = f" First failure: {failures[0]}" if failures else ""
        raise InputError(
            f"Calibration needs at least {MIN_CROPS} photos. {source} has {len(read)} that can "
            f"be read.{reason}"
        )
    used = [photo for photo, _ in read]
    origin = Origin(
        title=f"{source.resolve().name}: photos made smaller and larger, and moved",
        crops=len(read),
        people=folder_count(used),
        list_sha256=list_sha256([hashlib.sha256(read_bytes(photo)).hexdigest() for photo in used]),
        seed=seed,
        photos=photo_names(used),
    )
    return CropSet(_place_all(card, (pixels for _, pixels in read), seed), origin, tuple(failures))


def shipped_pictures(card: Card, *, count: int = DEFAULT_CROPS, seed: int = SEED) -> CropSet:
    """Returns (count, H, W, 3) pictures for the card's detector, equal for equal count and seed."""
    faces = unstretched_faces()
    chosen = (faces[index % len(faces)] for index in range(count))
    return CropSet(_place_all(card, chosen, seed), faces_origin(count, seed))


def _place_all(card: Card, photos: Iterable[UInt8Array], seed: int) -> UInt8Array:
    random = np.random.default_rng(seed)
    size = card.input.width_px, card.input.height_px
    return np.stack([place_photo(photo, *size, random) for photo in photos])
