"""Crops faces to the model's input size, by the rule in the model's card."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.enums import CropRule, ResizeFilter
from facekit.face.turn import turned, upright_face
from facekit.types import CropSpec, Face, UInt8Array

_CV2_FILTER = {
    ResizeFilter.NEAREST: cv2.INTER_NEAREST,
    ResizeFilter.BILINEAR: cv2.INTER_LINEAR,
    ResizeFilter.AREA: cv2.INTER_AREA,
    ResizeFilter.CUBIC: cv2.INTER_CUBIC,
    ResizeFilter.LANCZOS: cv2.INTER_LANCZOS4,
}

# SphereFace's five reference points, x and y in a crop 112 high and 96 wide (wy1iu/sphereface,
# face_align_demo.m).  insightface's ArcFace crops of 112 x 112 have the same points 8 px further
# right, so that both sets of points have the same position about the crop's center.
_TEMPLATE_HEIGHT_PX, _TEMPLATE_WIDTH_PX = 112, 96
_TEMPLATE_XY = np.array(
    [
        [30.2946, 51.6963],
        [65.5318, 51.5014],
        [48.0252, 71.7366],
        [33.5493, 92.3655],
        [62.7299, 92.2041],
    ]
)


def crop_faces(
    image: UInt8Array, faces: Sequence[Face], spec: CropSpec, *, height_px: int, width_px: int
) -> UInt8Array:
    """Crops the faces of one photo, each turned upright by its rotation.

    `image`: (H, W, 3) RGB uint8.  Returns (N, height_px, width_px, 3) RGB uint8, N = len(faces).
    Raises ValueError for CropRule.NONE, which needs no faces (see `whole_picture`), and for
    landmarks that all coincide.
    """
    crops = np.empty((len(faces), height_px, width_px, 3), np.uint8)
    for index, found in enumerate(faces):
        face, pixels = upright_face(found, image.shape), turned(image, found.rotation_degrees)
        if spec.rule is CropRule.MARGIN:
            crops[index] = _margin_crop(pixels, face, spec, height_px, width_px)
        elif spec.rule is CropRule.SIMILARITY:
            crops[index] = _similarity_crop(pixels, face, spec, height_px, width_px)
        else:
            raise ValueError(f"Crop rule {spec.rule.value!r} does not crop faces.")
    return crops


def whole_picture(
    image: UInt8Array, spec: CropSpec, *, height_px: int, width_px: int
) -> UInt8Array:
    """Resizes the whole photo, (H, W, 3), to one crop, (1, height_px, width_px, 3)."""
    return _resized(image, spec.resize_filter, height_px, width_px)[np.newaxis]


def _margin_crop(
    image: UInt8Array, face: Face, spec: CropSpec, height_px: int, width_px: int
) -> UInt8Array:
    """Crops the box, extended so that margin_px of the finished crop lie outside the box.

    This is the formula of facenet-pytorch's extract_face (davidsandberg/facenet adds margin pixels
    of the source photo, so that the margin depends on the photo's resolution).  The extended box is
    clipped to the photo.  The box's aspect ratio is not kept, because the weights were trained on
    boxes stretched to a square.
    """
    x1, y1, x2, y2 = map(float, face.box_xyxy)
    grow_x = spec.margin_px * (x2 - x1) / (width_px - spec.margin_px) / 2
    grow_y = spec.margin_px * (y2 - y1) / (height_px - spec.margin_px) / 2
    rows, columns = image.shape[:2]
    left, right = max(round(x1 - grow_x), 0), min(round(x2 + grow_x), columns)
    top, bottom = max(round(y1 - grow_y), 0), min(round(y2 + grow_y), rows)
    # A box may lie outside the photo or be thinner than a pixel; one pixel always remains.
    left, top = min(left, columns - 1), min(top, rows - 1)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    return _resized(image[top:bottom, left:right], spec.resize_filter, height_px, width_px)


def _similarity_crop(
    image: UInt8Array, face: Face, spec: CropSpec, height_px: int, width_px: int
) -> UInt8Array:
    """Maps the landmarks to the reference points by a similarity; pixels outside are black."""
    template = landmark_template(height_px, width_px, margin_px=spec.margin_px)
    matrix = similarity_transform(face.landmarks_xy, template)
    # NB: warpAffine does not average pixels when it shrinks, so the photo is first reduced by a
    # whole factor with area averaging; otherwise large faces would alias.
    factor = int(1 / max(np.hypot(matrix[0, 0], matrix[1, 0]), 1e-6))
    if factor >= 2:
        rows, columns = max(image.shape[0] // factor, 1), max(image.shape[1] // factor, 1)
        matrix[:, :2] *= image.shape[1] / columns, image.shape[0] / rows
        image = _resized(image, ResizeFilter.AREA, rows, columns)
    matrix[:, 2] += matrix[:, :2].sum(1) / 2 - 0.5  # OpenCV's origin is the first pixel's center
    flags = _CV2_FILTER[spec.resize_filter]
    if flags == cv2.INTER_AREA:
        flags = (
            cv2.INTER_LINEAR
        )  # warpAffine has no area filter; the reduction has averaged already
    return np.asarray(cv2.warpAffine(image, matrix, (width_px, height_px), flags=flags), np.uint8)


def landmark_template(
    height_px: int, width_px: int, *, margin_px: float = 0.0
) -> NDArray[np.float64]:
    """Returns the reference points of CropRule.SIMILARITY, (5, 2): x and y in pixels of the crop.

    The order is left eye, right eye (as the viewer sees them), nose, left and right corner of the
    mouth.  SphereFace's crop, 112 high and 96 wide, is scaled until its height or width fills the
    crop, and is centered along the other dimension.  margin_px shrinks the points about the crop's
    center, as the margin of CropRule.MARGIN shrinks the box.
    """
    scale = min(height_px / _TEMPLATE_HEIGHT_PX, width_px / _TEMPLATE_WIDTH_PX)
    scale *= 1 - margin_px / min(height_px, width_px)
    middle = np.array([_TEMPLATE_WIDTH_PX, _TEMPLATE_HEIGHT_PX]) / 2
    return (_TEMPLATE_XY - middle) * scale + np.array([width_px, height_px]) / 2


def similarity_transform(
    source_xy: NDArray[np.floating], target_xy: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Fits rotation, uniform scale and translation by least squares, without reflection.

    (K, 2), (K, 2) -> (2, 3) float64 matrix M with target ~ M @ [x, y, 1].  Umeyama 1991,
    eqs. 40-43, in closed form for the plane.  Raises ValueError if all source points coincide,
    because they have no scale then.
    """
    source = source_xy.astype(np.float64)
    target = target_xy.astype(np.float64)
    source_center, target_center = source.mean(0), target.mean(0)
    s, t = source - source_center, target - target_center
    spread = float((s**2).sum())
    if spread <= 0:
        raise ValueError("Landmarks that all coincide cannot be aligned.")
    a = float((s * t).sum()) / spread
    b = float((s[:, 0] * t[:, 1] - s[:, 1] * t[:, 0]).sum()) / spread
    linear = np.array([[a, -b], [b, a]])
    return np.column_stack((linear, target_center - linear @ source_center))


def _resized(image: UInt8Array, how: ResizeFilter, height_px: int, width_px: int) -> UInt8Array:
    """Resizes (H, W, 3) to (height_px, width_px, 3)."""
    return np.asarray(
        cv2.resize(image, (width_px, height_px), interpolation=_CV2_FILTER[how]), np.uint8
    )
