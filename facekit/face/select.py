"""Selects the faces of a photo that are used."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facekit.enums import FacePolicy
from facekit.errors import AmbiguousFaceError, NoFaceError
from facekit.types import Face


def select_faces(
    faces: Sequence[Face], policy: FacePolicy, *, image_shape: tuple[int, ...], name: str
) -> tuple[Face, ...]:
    """Returns the faces that `policy` selects, at least one; of equally good faces, the first.

    `image_shape`: (H, W, ...) of the photo; `name`: the photo's name in errors.
    Raises NoFaceError if there is no face, and AmbiguousFaceError if `policy` is ERROR and there
    are several faces.
    """
    if not faces:
        raise NoFaceError(
            f"No face found in {name}. Is one in it, upright and not smaller than --min-face? "
            "A photo that is a face crop already is used as it is with --no-detect."
        )
    if policy is FacePolicy.ALL:
        return tuple(faces)
    if policy is FacePolicy.ERROR:
        if len(faces) > 1:
            raise AmbiguousFaceError(
                f"{name} has {len(faces)} faces and --face error allows one. Crop the picture, or "
                "choose with --face largest, center, best or all."
            )
        return tuple(faces)
    if policy is FacePolicy.LARGEST:
        merits = [face.area_px for face in faces]
    elif policy is FacePolicy.CENTER:
        merits = [_central_size(face, image_shape) for face in faces]
    else:
        merits = [face.score for face in faces]
    return (faces[int(np.argmax(merits))],)


def _central_size(face: Face, image_shape: tuple[int, ...]) -> float:
    """Returns area - 2 * squared distance of the box's center from the photo's center, in px^2.

    The weight 2 is that of facenet's align_dataset_mtcnn.py.
    """
    center = (face.box_xyxy[:2] + face.box_xyxy[2:]) / 2
    offset = center - np.array([image_shape[1], image_shape[0]], np.float32) / 2
    return face.area_px - 2.0 * float(offset @ offset)
