"""Moves faces from frame to frame by optical flow.

Points on each face are followed by pyramidal Lucas-Kanade, forward and back.  Points that do not
return to their start are dropped (Kalal, Mikolajczyk, Matas, "Forward-Backward Error", ICPR 2010).
The remaining points determine one similarity transform for each face.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.types import Face, Float32Array, UInt8Array

_FLOW_SIDE_PX = 640  # larger frames are reduced to this, which is enough and limits the cost
_GRID = 8  # points along each side of a face's grid
_INNER = 0.8  # share of the box that the grid spans, because corners are background
_WINDOW = (15, 15)
_LEVELS = 4  # the coarsest is 1/16: motion up to 60 px per frame is followed; with 3 levels 30 px
_RETURN_PX = 1.0  # largest distance from the start, in pixels of the reduced frame
_LEAST_POINTS = 0.4 * _GRID**2  # on a face that is being covered, fewer points agree
_SCALE_RANGE = (0.8, 1.25)  # between two frames


class Flow:
    """Computes optical flow between frames, and stores the previous frame, reduced and gray."""

    def __init__(self) -> None:
        self._gray: UInt8Array | None = None
        self._size = np.ones(2)

    def advance(self, pixels: UInt8Array, faces: Sequence[Face]) -> list[Face | None]:
        """Returns the faces of the previous frame, moved to their positions in this frame.

        `pixels` is (H, W, 3) RGB.  A face that is lost is None.  Frames may differ in size; they
        are assumed to show the same view.
        """
        previous, previous_size = self._gray, self._size
        self._size = np.array(pixels.shape[1::-1], np.float64)
        self._gray = _reduced_gray(pixels)
        if previous is None or not faces:
            return [None] * len(faces)
        if previous.shape != self._gray.shape:
            previous = np.asarray(cv2.resize(previous, self._gray.shape[::-1]), np.uint8)
        reduced_size = np.array(self._gray.shape[::-1])
        points = np.concatenate([_grid(face, reduced_size / previous_size) for face in faces])
        moved, returned = _follow(previous, self._gray, points)
        enlarge = self._size / reduced_size
        carried = []
        for face, before, after, kept in zip(
            faces, *(np.split(part, len(faces)) for part in (points, moved, returned)), strict=True
        ):
            motion = _motion(before[kept], after[kept])
            carried.append(
                None
                if motion is None
                else _moved(_scaled(face, reduced_size / previous_size), motion, enlarge)
            )
        return carried


def _reduced_gray(pixels: UInt8Array) -> UInt8Array:
    height, width = pixels.shape[:2]
    factor = min(_FLOW_SIDE_PX / max(height, width), 1.0)
    size = max(round(width * factor), 1), max(round(height * factor), 1)
    if factor < 1.0:
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)


def _grid(face: Face, scale: NDArray[np.float64]) -> Float32Array:
    """Returns (64, 2) points on the inner part of the box."""
    corners = face.box_xyxy.reshape(2, 2) * scale
    center, half = corners.mean(0), (corners[1] - corners[0]) / 2 * _INNER
    steps = np.linspace(-1.0, 1.0, _GRID)
    unit = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    return np.asarray(center + unit * half, np.float32)


def _follow(
    before: UInt8Array, after: UInt8Array, points: Float32Array
) -> tuple[Float32Array, NDArray[np.bool_]]:
    """Returns the new positions of (P, 2) points, and whether they return when followed back."""
    settings = {"winSize": _WINDOW, "maxLevel": _LEVELS}
    moved, found, _ = cv2.calcOpticalFlowPyrLK(before, after, points, None, **settings)  # type: ignore[call-overload]
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(after, before, moved, None, **settings)  # type: ignore[call-overload]
    returned = np.linalg.norm(back - points, axis=1) < _RETURN_PX
    kept = returned & (found.ravel() == 1) & (found_back.ravel() == 1)
    return np.asarray(moved, np.float32), np.asarray(kept, np.bool_)


def _motion(before: Float32Array, after: Float32Array) -> NDArray[np.float64] | None:
    """Returns the (2, 3) similarity transform that most points agree on; None if too few agree."""
    if len(before) < _LEAST_POINTS:
        return None
    matrix, agree = cv2.estimateAffinePartial2D(
        before, after, method=cv2.RANSAC, ransacReprojThreshold=1.5
    )
    if matrix is None or int(agree.sum()) < _LEAST_POINTS:
        return None
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if not _SCALE_RANGE[0] <= scale <= _SCALE_RANGE[1]:
        return None
    return np.asarray(matrix, np.float64)


def _scaled(face: Face, scale: NDArray[np.float64]) -> Face:
    return Face(
        np.asarray(face.box_xyxy * np.tile(scale, 2), np.float32),
        np.asarray(face.landmarks_xy * scale, np.float32),
        face.score,
    )


def _moved(face: Face, motion: NDArray[np.float64], enlarge: NDArray[np.float64]) -> Face:
    """Returns the face after the motion; its box stays upright."""
    corners = face.box_xyxy.reshape(2, 2).astype(np.float64)
    center = motion[:, :2] @ corners.mean(0) + motion[:, 2]
    half = (corners[1] - corners[0]) / 2 * np.hypot(motion[0, 0], motion[1, 0])
    landmarks = face.landmarks_xy @ motion[:, :2].T + motion[:, 2]
    box = np.concatenate([(center - half) * enlarge, (center + half) * enlarge])
    return Face(
        np.asarray(box, np.float32), np.asarray(landmarks * enlarge, np.float32), face.score
    )
