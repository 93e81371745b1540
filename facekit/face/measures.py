"""Measures a face: its pose by the landmarks, and light, detail and noise on the aligned crop.

All pixel measures are taken on one small crop, aligned by the landmarks as embedding networks have
it, so that they say what a network sees of the face, whatever the size of the photo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.face.align import landmark_template, similarity_transform
from facekit.face.turn import turned, upright_face
from facekit.types import Face, Float32Array, UInt8Array

_SIDE_PX = 112
_TEMPLATE_XY = landmark_template(_SIDE_PX, _SIDE_PX)
_TEMPLATE_SPREAD = float(((_TEMPLATE_XY - _TEMPLATE_XY.mean(0)) ** 2).sum())
_LENGTH = 1.155
"""From the eyes to the mouth, in distances of the eyes, of the reference points."""
_NOSE_PLACE = 0.495
"""Of the reference points: from the eyes to the nose, as a share of the way to the mouth."""
_LEAST_DEVIATION = 2.0
"""In gray levels; added to what contrasts are divided by, so that noise in one gray is none."""
_REACH_PX = 85
"""From the landmarks' center to the crop's corners, in pixels of the crop."""
_INNER = (slice(30, 108), slice(24, 88))
"""Rows and columns of the crop between brows, chin and cheeks, without background."""
_EYES = ((slice(45, 59), slice(28, 48)), (slice(45, 59), slice(64, 84)))
_NOSE, _MOUTH = (slice(63, 81), slice(47, 65)), (slice(84, 100), slice(40, 72))
"""Rows and columns about the crop's reference points."""
_NOSE_DEPTH = 0.5
"""How far the tip of the nose lies before the plane of eyes and mouth, in distances of the eyes:
about 32 mm of 63 mm.  It turns a shift of the nose into an angle."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What is measured of one face: the native measures from which the components follow."""

    eye_distance_px: float
    yaw_degrees: float
    pitch_degrees: float
    roll_degrees: float
    misfit_px: float
    """RMS distance of the aligned landmarks from the crop's reference points."""
    fine: float
    """Standard deviation, in gray levels, of the detail between 0 and 1 px of blur."""
    middle: float
    """Of the detail between 1 and 2 px."""
    coarse: float
    """Of the detail between 2 and 4 px."""
    steepest: float
    """RMS difference of neighboring pixels, in gray levels, along the steepest direction."""
    flattest: float
    """Across that direction: motion takes the detail of one direction alone."""
    noise: float
    """Standard deviation of the noise, in gray levels (Immerkaer 1996, eq. 7)."""
    blocks: float
    """How much larger steps are at every eighth pixel than elsewhere; 0 for no difference."""
    dark_share: float
    """Share of the pixels with gray levels 0 to 25."""
    light_share: float
    """Share of the pixels with gray levels 247 to 255."""
    mean: float
    """Of the gray levels, 0..255; `deviation` is their standard deviation."""
    deviation: float
    entropy_bits: float
    cheeks_overlap: float
    """Intersection of the two normalized histograms of both halves, 0..1."""
    asymmetry: float
    """Mean difference of both halves, mirrored and by blocks of 8 pixels, in `deviation`s."""
    flat_share: float
    """Share of the face's parts of 13 x 8 pixels with hardly any detail, as a cover has."""
    eye_contrast: float
    """Standard deviation about the eye that has less, in `deviation`s; so of nose and mouth."""
    nose_contrast: float
    mouth_contrast: float
    inside_share: float
    """Share of the box inside the photo."""
    score: float
    """The detector's."""

    @property
    def sharpness(self) -> float:
        """The finest detail, without the noise in it, over the next coarser detail."""
        return math.sqrt(max(self.fine**2 - self.noise**2, 0.0)) / (self.middle + 0.5)


def measures(photo: UInt8Array, face: Face) -> Measures | None:
    """Returns what is measured of a face of the photo, (H, W, 3) RGB uint8.

    Returns None for a face whose landmarks all coincide.
    """
    near, there = _cut_out(photo, face)
    try:
        matrix = similarity_transform(there.landmarks_xy, _TEMPLATE_XY)
    except ValueError:
        return None
    gray = _aligned(near, matrix)
    inner = gray[_INNER]
    histogram = np.bincount(inner.ravel(), minlength=256) / inner.size
    filled = histogram[histogram > 0]
    mean, deviation = cv2.meanStdDev(inner)
    yaw, pitch, roll, misfit = _pose(there, matrix)
    levels = gray.astype(np.float32)
    fine, middle, coarse = _detail(levels)
    steepest, flattest = _steps(levels[_INNER])
    scale = float(deviation[0, 0]) + _LEAST_DEVIATION
    return Measures(
        eye_distance_px=face.eye_distance_px,
        yaw_degrees=yaw,
        pitch_degrees=pitch,
        roll_degrees=roll,
        misfit_px=misfit,
        fine=fine,
        middle=middle,
        coarse=coarse,
        steepest=steepest,
        flattest=flattest,
        noise=_noise(inner),
        blocks=_blocks(near),
        dark_share=float(histogram[:26].sum()),
        light_share=float(histogram[247:].sum()),
        mean=float(mean[0, 0]),
        deviation=float(deviation[0, 0]),
        entropy_bits=float(-(filled * np.log2(filled)).sum()),
        cheeks_overlap=_cheeks_overlap(inner),
        asymmetry=_asymmetry(levels[_INNER], scale),
        flat_share=_flat_share(levels[_INNER]),
        eye_contrast=min(_deviation(levels[eye]) for eye in _EYES) / scale,
        nose_contrast=_deviation(levels[_NOSE]) / scale,
        mouth_contrast=_deviation(levels[_MOUTH]) / scale,
        inside_share=_share_inside(face, photo.shape),
        score=face.score,
    )


def _cut_out(photo: UInt8Array, face: Face) -> tuple[UInt8Array, Face]:
    """Returns the upright gray part (H, W) of a photo that the aligned crop reaches, and the face
    on it.

    With it a face of a large photo takes no longer than one of a small photo.
    """
    center = face.landmarks_xy.mean(0)
    spread = float(((face.landmarks_xy - center) ** 2).sum())
    reach = _REACH_PX * (spread / _TEMPLATE_SPREAD) ** 0.5 + 1
    (left, top), (right, bottom) = ((center + sign * reach).astype(int).tolist()
                                    for sign in (-1, 1))  # fmt: skip
    rows, columns = photo.shape[:2]
    left, top = min(max(left, 0), columns - 1), min(max(top, 0), rows - 1)
    near = photo[top : max(bottom, top + 1), left : max(right, left + 1)]
    offset = np.array([left, top], np.float32)
    there = replace(
        face,
        box_xyxy=face.box_xyxy - np.tile(offset, 2),
        landmarks_xy=face.landmarks_xy - offset,
    )
    gray = np.asarray(cv2.cvtColor(near, cv2.COLOR_RGB2GRAY), np.uint8)
    if face.rotation_degrees:
        return turned(gray, face.rotation_degrees), upright_face(there, near.shape)
    return gray, there


def _aligned(near: UInt8Array, matrix: NDArray[np.float64]) -> UInt8Array:
    """Returns the aligned crop (_SIDE_PX, _SIDE_PX); pixels outside the photo are black.

    A large face is first reduced by a whole factor, as facekit/face/align.py does it; of a very
    large one only every so-many-th pixel is averaged.
    """
    matrix = matrix.copy()
    factor = int(1 / max(float(np.hypot(matrix[0, 0], matrix[1, 0])), 1e-6))
    step = max(factor // 2, 1)
    if factor >= 2:
        size = max(near.shape[1] // factor, 1), max(near.shape[0] // factor, 1)
        matrix[:, :2] *= near.shape[1] / size[0], near.shape[0] / size[1]
        near = np.asarray(
            cv2.resize(near[::step, ::step], size, interpolation=cv2.INTER_AREA), np.uint8
        )
    matrix[:, 2] += matrix[:, :2].sum(1) / 2 - 0.5  # OpenCV's origin is the first pixel's center
    return np.asarray(cv2.warpAffine(near, matrix, (_SIDE_PX, _SIDE_PX)), np.uint8)


def _pose(face: Face, matrix: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Returns yaw, pitch and roll in degrees, and the misfit of the landmarks in pixels.

    `matrix` lays the landmarks upon the crop's reference points.  A nose that lies `_NOSE_DEPTH`
    before the face moves by that depth times the tangent of the angle.
    """
    aligned = face.landmarks_xy @ matrix[:, :2].T + matrix[:, 2]
    misfit = float(((aligned - _TEMPLATE_XY) ** 2).sum(1).mean()) ** 0.5
    (lx, ly), (rx, ry), (nx, ny), (ax, ay), (bx, by) = aligned.tolist()
    eyes_x, eyes_y = (lx + rx) / 2, (ly + ry) / 2
    down_x, down_y = (ax + bx) / 2 - eyes_x, (ay + by) / 2 - eyes_y
    length = max(math.hypot(down_x, down_y), 1e-6)
    down_x, down_y = down_x / length, down_y / length
    nose_x, nose_y = nx - eyes_x, ny - eyes_y
    # Turning the head shortens one of the two distances, and seldom both.
    depth = _NOSE_DEPTH * max(math.hypot(rx - lx, ry - ly), length / _LENGTH)
    yaw = math.atan((nose_x * down_y - nose_y * down_x) / depth)
    pitch = math.atan((nose_x * down_x + nose_y * down_y - _NOSE_PLACE * length) / depth)
    left, right = face.landmarks_xy[:2].tolist()
    roll = math.atan2(right[1] - left[1], right[0] - left[0])
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll), misfit


def _detail(levels: Float32Array) -> list[float]:
    """Returns `fine`, `middle` and `coarse` of the crop."""
    blurred = [levels]
    for sigma in (1.0, 1.732, 3.464):  # together 1, 2 and 4 px: variances add up
        blurred.append(np.asarray(cv2.GaussianBlur(blurred[-1], (0, 0), sigma), np.float32))
    return [_deviation(one[_INNER] - other[_INNER]) for one, other in pairwise(blurred)]


def _deviation(levels: Float32Array) -> float:
    """Returns the standard deviation; OpenCV takes a quarter of NumPy's time for so few pixels."""
    return float(cv2.meanStdDev(levels)[1][0, 0])


def _steps(inner: Float32Array) -> tuple[float, float]:
    """Returns `steepest` and `flattest`: roots of the eigenvalues of the structure tensor."""
    across, down = inner[:-1, 1:] - inner[:-1, :-1], inner[1:, :-1] - inner[:-1, :-1]
    xx, xy, yy = ((one * other).mean() for one, other in
                  ((across, across), (across, down), (down, down)))  # fmt: skip
    half, spread = float(xx + yy) / 2, math.hypot(float(xx - yy) / 2, float(xy))
    return math.sqrt(half + spread), math.sqrt(max(half - spread, 0.0))


def _asymmetry(inner: Float32Array, scale: float) -> float:
    blocks = inner[2:74].reshape(9, 8, 8, 8).mean((1, 3))
    return float(np.abs(blocks - blocks[:, ::-1]).mean()) / scale


def _flat_share(inner: Float32Array) -> float:
    detail = inner.reshape(6, 13, 8, 8).std((1, 3))
    return float((detail < 0.15 * np.median(detail) + 0.5).mean())


_SECOND_DIFFERENCES = np.outer([1, -2, 1], [1, -2, 1]).astype(np.float32)


def _noise(inner: UInt8Array) -> float:
    """Estimates the noise from what straight edges do not explain: sqrt(pi / 2) / 6 x mean |N|."""
    left_over = cv2.filter2D(inner, cv2.CV_32F, _SECOND_DIFFERENCES)[1:-1, 1:-1]
    return float(np.sqrt(np.pi / 2) / 6 * np.abs(left_over).mean())


def _blocks(near: UInt8Array) -> float:
    """Compares second differences at every eighth pixel with those elsewhere, in pixels as given.

    The grid's place is not known, because a photo may have been cut or turned: of the eight places,
    the one with the largest differences counts.
    """
    middle = tuple(slice(start := max((side - 256) // 2, 0), start + 256) for side in near.shape)
    levels = near[middle].astype(np.int16)
    if min(levels.shape) < 32:
        return 0.0
    found = []
    for axis in (0, 1):
        lines = np.abs(np.diff(levels, n=2, axis=axis)).mean(axis=1 - axis)
        lines = lines[: len(lines) // 8 * 8].reshape(-1, 8).mean(0)
        # A step between two pixels shows in two second differences beside each other.
        pairs = lines + np.roll(lines, -1)
        rest = (lines.sum() - pairs) / 6
        found.append(float((pairs / 2 / (rest + 0.5)).max()))
    return max(min(found) - 1.0, 0.0)


def _cheeks_overlap(inner: UInt8Array) -> float:
    half = inner.shape[1] // 2
    left, right = (
        np.bincount(side.ravel() >> 3, minlength=32) for side in (inner[:, :half], inner[:, -half:])
    )
    return float(np.minimum(left, right).sum() / left.sum())


def _share_inside(face: Face, shape: tuple[int, ...]) -> float:
    x1, y1, x2, y2 = face.box_xyxy.tolist()
    width = min(x2, shape[1]) - max(x1, 0.0)
    height = min(y2, shape[0]) - max(y1, 0.0)
    if not face.area_px:
        return 0.0
    return float(min(max(width, 0.0) * max(height, 0.0) / face.area_px, 1.0))
