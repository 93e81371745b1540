"""Detects faces with YuNet, one net that rates all grid cells of a photo at three scales.

Wu, Peng, Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 20,
2023.  The net's outputs are decoded as by cv2.FaceDetectorYN.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from facekit.errors import ModelMismatchError, UsageError
from facekit.face.geometry import greedily_suppressed
from facekit.face.reduce import enlarged, in_picture, reduced, require_picture
from facekit.runtime.net import DYNAMIC, Net
from facekit.runtime.preprocess import model_input
from facekit.types import Face, Float32Array, InputSpec, UInt8Array

STRIDES_PX = (8, 16, 32)
"""Distances in pixels between neighboring grid cells, at the three scales."""
_NUMBERS = (1, 1, 4, 10)
"""Kinds of output for each grid cell: face or not, quality of the box, box, landmarks."""
_SIDE_PX = max(STRIDES_PX)
"""Height and width of a searched photo are multiples of this."""


@dataclass(frozen=True, slots=True)
class YunetOptions:
    """YuNet's search settings.  Raises UsageError for an invalid value."""

    min_face_px: float = 10.0
    """Minimum side of a reported face in pixels of the photo, or of the reduced copy if the photo
    is larger than `search_side_px`."""
    min_score: float = 0.6
    """Minimum score of a face, 0..1."""
    search_side_px: int = 640
    """Photos with a longer side are searched on a copy reduced to this side; 0 never reduces.

    For a net with an input of fixed size, photos are also reduced to this size.
    """
    enlarged_side_px: int = 384
    """Photos whose longer side is shorter are searched on a copy enlarged to this side.

    The copy is at most twice as large; its landmarks are more exact.  0 means never enlarged.
    """
    face_overlap: float = 0.3
    """IoU above which only the better of two faces is kept."""

    upright_score: ClassVar[float] = 0.9
    """Best score from which Rotate.AUTO takes a photo as upright.

    Of 200 photos of LFW's View 1, all reach it, turned by 90 or 270 degrees none, upside down
    10 %.  benchmarks/rotation.py measures it."""
    sure_score: ClassVar[float] = 0.8
    """Score above which 99.6 % of detections of 20 px and more are faces."""

    def __post_init__(self) -> None:
        if not self.min_face_px >= 0:
            raise UsageError(
                f"The smallest face cannot be negative. Received: {self.min_face_px:g}"
            )
        for side in (self.search_side_px, self.enlarged_side_px):
            if side < 0:
                raise UsageError(
                    f"The search side must be 0 (full size) or positive. Received: {side}"
                )
        for name in ("min_score", "face_overlap"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise UsageError(
                    f"{name} must lie between 0 and 1. Received: {getattr(self, name):g}"
                )


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """The grid cells in which the net finds a face, in pixels of the net's input."""

    boxes: Float32Array
    """(N, 4): x1, y1, x2, y2; a box may reach beyond the input."""
    landmarks: Float32Array
    """(N, 5, 2): x and y of each landmark."""
    scores: Float32Array
    """(N,): 0..1."""


class Yunet:
    """A loaded net in YuNet's form, for photos of any size or of one size.

    The input is one photo, (1, H, W, 3), with height and width both open or both multiples of 32.
    The 12 outputs are (1, H / stride * W / stride, K): for each of the strides 8, 16 and 32 the
    face probability (K = 1), then for each stride the quality of the box (K = 1), then the boxes
    (K = 4), then the landmarks (K = 10).

    A photo is reduced or enlarged for the search, placed into the upper left corner of the net's
    input, and padded with black: to the next multiple of 32, or to the net's fixed size.
    """

    def __init__(self, net: Net, *, spec: InputSpec, name: str = "net") -> None:
        """`spec`: color order and scaling of the net's input; `name`: the file's name in errors.

        Raises ModelMismatchError for a net of another form.
        """
        shape = net.inputs[0].shape
        numbers = [output.shape[2:] for output in net.outputs]
        wanted = [(count,) for count in _NUMBERS for _ in STRIDES_PX]
        sides = shape[1:3]
        is_fixed = DYNAMIC not in sides
        if (
            len(shape) != 4
            or shape[3] != 3
            or (is_fixed and any(side % _SIDE_PX for side in sides))
            or (not is_fixed and sides != (DYNAMIC, DYNAMIC))
            or numbers != wanted
            or (is_fixed and not _has_all_places(net, sides[0], sides[1]))
        ):
            raise ModelMismatchError(
                f"{name} is no detector in YuNet's form: an input (1, H, W, 3), open or multiples "
                f"of {_SIDE_PX}, and twelve outputs, three each with 1, 1, 4 and 10 numbers for "
                "each place, needed. "
                f"Received: {shape} and {[one.shape for one in net.outputs]}"
            )
        self._net = net
        self._spec = spec
        self._sides = (sides[0], sides[1]) if is_fixed else None

    def detect(
        self, images: Sequence[UInt8Array], *, options: YunetOptions | None = None
    ) -> list[tuple[Face, ...]]:
        """Finds faces in RGB uint8 (H, W, 3) photos of any sizes; returns each photo's faces.

        The best face of a photo comes first.  Boxes and landmarks are in pixels of the photo; they
        reach beyond the photo if the face does.  Raises ValueError for another dtype or shape.
        """
        options = options or YunetOptions()
        return [self._detect_one(image, options) for image in images]

    def _detect_one(self, image: UInt8Array, options: YunetOptions) -> tuple[Face, ...]:
        require_picture(image)
        if image.size == 0:
            return ()
        searched, reduction = self._searched(image, options)
        shown = _filled_up(searched, self._sides)
        outputs = self._net.run(_fed(shown, self._spec))
        found = places(outputs, width_px=shown.shape[1], min_score=options.min_score)
        sizes = (found.boxes[:, 2:] - found.boxes[:, :2]).min(axis=1)
        best = greedily_suppressed(found.boxes, found.scores, threshold=options.face_overlap)
        return tuple(
            in_picture(
                Face(found.boxes[index], found.landmarks[index], float(found.scores[index])),
                reduction,
            )
            for index in best
            if sizes[index] >= options.min_face_px
        )

    def _searched(
        self, image: UInt8Array, options: YunetOptions
    ) -> tuple[UInt8Array, tuple[float, float]]:
        """Returns the copy of (H, W, 3) to be searched, and its reduction in x and y."""
        longest = max(image.shape[:2])
        side = max(longest, options.enlarged_side_px)
        side = min(side, options.search_side_px or side)
        height, width = (min(side, own) for own in self._sides or (side, side))
        copy, reduction = reduced(image, height, width)
        return (copy, reduction) if copy is not image else enlarged(image, height, width)


def places(outputs: Sequence[Float32Array], *, width_px: int, min_score: float) -> Places:
    """Decodes the net's 12 outputs; returns the grid cells with a score of at least `min_score`.

    `width_px` is the width of the net's input.  The cell in row r and column c of stride s has a
    box with the center (c + dx, r + dy) * s and the size exp(dw) * s by exp(dh) * s, and landmarks
    at (c + x, r + y) * s.  The score is the geometric mean of face probability and box quality.
    """
    found = list(_by_stride(outputs, width_px, min_score))
    boxes, landmarks, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
    finite = np.isfinite(boxes).all(axis=1) & np.isfinite(landmarks).all(axis=(1, 2))
    return Places(boxes[finite], landmarks[finite], scores[finite])


def _by_stride(
    outputs: Sequence[Float32Array], width_px: int, min_score: float
) -> Iterator[tuple[Float32Array, Float32Array, Float32Array]]:
    count = len(STRIDES_PX)
    for size, stride in enumerate(STRIDES_PX):
        is_face, fit, box, points = (one[0] for one in outputs[size::count])
        scores = np.sqrt(np.clip(is_face[:, 0], 0, 1) * np.clip(fit[:, 0], 0, 1))
        (index,) = np.nonzero(scores >= np.float32(min_score))
        corner = np.stack(np.divmod(index, width_px // stride)[::-1], axis=1).astype(np.float32)
        with np.errstate(over="ignore"):  # values beyond float32 become infinity and are dropped
            half = np.exp(box[index, 2:]) * np.float32(stride / 2)
        center = (corner + box[index, :2]) * np.float32(stride)
        landmarks = (corner[:, None] + points[index].reshape(-1, 5, 2)) * np.float32(stride)
        yield np.concatenate([center - half, center + half], axis=1), landmarks, scores[index]


def _has_all_places(net: Net, height_px: int, width_px: int) -> bool:
    """Returns whether each output has all cells of its stride; True if dimensions are open."""
    wanted = [height_px // stride * (width_px // stride) for stride in STRIDES_PX]
    return all(
        output.shape[1] in (DYNAMIC, wanted[index % len(wanted)])
        for index, output in enumerate(net.outputs)
    )


def _filled_up(image: UInt8Array, sides: tuple[int, int] | None) -> UInt8Array:
    """Pads (H, W, 3) with black at the right and below, to these dimensions or multiples of 32."""
    height, width = sides or (-(-side // _SIDE_PX) * _SIDE_PX for side in image.shape[:2])
    if image.shape[:2] == (height, width):
        return image
    shown = np.zeros((height, width, 3), np.uint8)
    shown[: image.shape[0], : image.shape[1]] = image
    return shown


def _fed(image: UInt8Array, spec: InputSpec) -> Float32Array:
    """Converts (H, W, 3) RGB uint8 to the net's input, (1, H, W, 3) float32, by the card's spec."""
    height, width = image.shape[:2]
    own = InputSpec(height, width, spec.color_order, mean=spec.mean, std=spec.std)
    return model_input(image[None], own)
