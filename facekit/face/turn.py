"""Turns photos and faces by quarters, for faces that are not upright."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import cv2
import numpy as np

from facekit.types import Face, Float32Array, UInt8Array

_CODES = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def turned(pixels: UInt8Array, degrees: int) -> UInt8Array:
    """Turns a photo (H, W, 3) clockwise by 0, 90, 180 or 270 degrees."""
    return cast("UInt8Array", cv2.rotate(pixels, _CODES[degrees])) if degrees else pixels


def upright_face(face: Face, photo_shape: tuple[int, ...]) -> Face:
    """Returns the face on the photo turned by the face's own rotation; `photo_shape` is (H, W, ...)
    of the photo before."""
    return _moved(face, photo_shape, face.rotation_degrees, rotation_degrees=0)


def face_as_given(face: Face, turned_shape: tuple[int, ...], degrees: int) -> Face:
    """Returns a face that was found on a photo turned clockwise by `degrees`, on the photo before.

    `turned_shape` is (H, W, ...) of the turned photo.
    """
    return _moved(face, turned_shape, -degrees % 360, rotation_degrees=degrees)


def _moved(face: Face, shape: tuple[int, ...], degrees: int, *, rotation_degrees: int) -> Face:
    corners = _points(face.box_xyxy.reshape(2, 2), shape, degrees)
    return replace(
        face,
        box_xyxy=np.concatenate([corners.min(0), corners.max(0)]),
        landmarks_xy=_points(face.landmarks_xy, shape, degrees),
        rotation_degrees=rotation_degrees,
    )


def _points(points_xy: Float32Array, shape: tuple[int, ...], degrees: int) -> Float32Array:
    """Turns points (N, 2) with their photo."""
    height, width = shape[:2]
    x, y = points_xy.T
    places = {0: (x, y), 90: (height - y, x), 180: (width - x, height - y), 270: (y, width - x)}
    return np.stack(places[degrees], axis=1).astype(np.float32)
