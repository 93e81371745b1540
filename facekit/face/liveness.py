"""Presentation attack detection (PAD): does a photo show a face, or a photo or screen of one?

A network classifies a crop about the face.  What it takes for an attack depends on what it was
trained on; no network recognizes every attack.  The terms are those of ISO/IEC 30107-1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from facekit.enums import ClassScores, PadDecision
from facekit.errors import ModelMismatchError
from facekit.face.turn import turned, upright_face
from facekit.runtime.net import DYNAMIC, Net
from facekit.runtime.preprocess import model_input
from facekit.types import Face, Float32Array, InputSpec, PadSpec, UInt8Array


@dataclass(frozen=True, slots=True)
class PadResult:
    """What a presentation attack detector says of one face."""

    model: str
    """ "name:variant" of the detector."""
    bona_fide_score: float | None
    """The score of the bona fide class, 0..1; None if the face could not be classified."""
    threshold_score: float
    """Least score of a face that is classified as bona fide."""

    @property
    def decision(self) -> PadDecision:
        if self.bona_fide_score is None:
            return PadDecision.NON_RESPONSE
        is_bona_fide = self.bona_fide_score >= self.threshold_score
        return PadDecision.BONA_FIDE if is_bona_fide else PadDecision.ATTACK

    def to_dict(self) -> dict[str, Any]:
        score = self.bona_fide_score
        return {
            "model": self.model,
            "bona_fide_score": None if score is None else round(score, 6),
            "threshold_score": self.threshold_score,
            "decision": self.decision.value,
        }


class PadDetector:
    """A loaded network that classifies crops of faces: (N, H, W, 3) to (N, classes)."""

    def __init__(self, net: Net, *, spec: InputSpec, pad: PadSpec, name: str) -> None:
        """`spec`, `pad`: how the network is fed and read.  `name`: "name:variant" of its model.

        Raises ModelMismatchError if the network has another form.
        """
        inputs, outputs = [one.shape for one in net.inputs], [one.shape for one in net.outputs]
        wanted = (spec.height_px, spec.width_px, 3)
        sides = zip(inputs[0][1:], wanted, strict=True) if len(inputs[0]) == 4 else [(0, 1)]
        classes = len(pad.classes)
        if (
            len(inputs) != 1
            or any(side not in (DYNAMIC, needed) for side, needed in sides)
            or len(outputs) != 1
            or len(outputs[0]) != 2
            or outputs[0][1] not in (DYNAMIC, classes)
        ):
            raise ModelMismatchError(
                f"{name} is not as its card says: an input (N, {wanted[0]}, {wanted[1]}, 3) and "
                f"an output (N, {classes}), a number for each class, needed. Received: inputs "
                f"{inputs}, outputs {outputs}."
            )
        self._net, self._spec = net, spec
        self.pad, self.name = pad, name

    def classify(self, photo: UInt8Array, faces: Sequence[Face]) -> tuple[PadResult, ...]:
        """Classifies faces of one photo, (H, W, 3) RGB uint8.

        A face whose box has no area within the photo cannot be classified, nor one for which the
        network does not compute numbers.
        """
        crops = [self._crop(photo, face) for face in faces]
        given = [crop for crop in crops if crop is not None]
        scores = iter(self.bona_fide_scores(np.stack(given)) if given else ())
        return tuple(
            self._result(float("nan") if crop is None else float(next(scores))) for crop in crops
        )

    def bona_fide_scores(self, crops: UInt8Array) -> Float32Array:
        """Returns (N,) scores of the bona fide class, 0..1, of (N, H, W, 3) RGB uint8 crops.

        A score is NaN if the network does not compute numbers.
        Raises ModelMismatchError if it computes no probabilities where its card says that it does.
        """
        (outputs,) = self._net.run(model_input(crops, self._spec))
        values = outputs.astype(np.float64)
        if values.shape != (len(crops), len(self.pad.classes)):
            raise ModelMismatchError(
                f"{self.name} must compute {len(self.pad.classes)} numbers for a face. Received: "
                f"shape {values.shape}"
            )
        values[~np.isfinite(values).all(axis=1)] = np.nan
        if self.pad.scores is ClassScores.LOGITS:
            values = _probabilities(values)
        elif ((values < -_SLACK) | (values > 1 + _SLACK)).any():
            raise ModelMismatchError(
                f"{self.name} must compute probabilities, 0..1. Received: "
                f"{np.nanmin(values):g} to {np.nanmax(values):g}. If these are logits, its card "
                'needs "scores": "logits".'
            )
        column = values[:, self.pad.classes.index(self.pad.bona_fide)]
        return np.clip(column, 0, 1).astype(np.float32)

    def non_response(self) -> PadResult:
        """Returns the result of a face that cannot be shown to the network."""
        return self._result(float("nan"))

    def _result(self, score: float) -> PadResult:
        return PadResult(
            self.name, None if np.isnan(score) else float(score), self.pad.threshold_score
        )

    def _crop(self, photo: UInt8Array, found: Face) -> UInt8Array | None:
        face, pixels = upright_face(found, photo.shape), turned(photo, found.rotation_degrees)
        region = crop_region(face, self.pad.crop_scale, pixels.shape[:2])
        if region is None:
            return None
        left, top, right, bottom = region
        size = (self._spec.width_px, self._spec.height_px)
        resized = cv2.resize(pixels[top:bottom, left:right], size, interpolation=cv2.INTER_LINEAR)
        return np.asarray(resized, np.uint8)


_SLACK = 1e-3
"""How far beyond 0..1 a probability may be: a quantized network rounds."""


def crop_region(
    face: Face, scale: float, photo_size: tuple[int, ...]
) -> tuple[int, int, int, int] | None:
    """Returns left, top, right and bottom of the crop, in whole pixels; None without an area.

    The crop is the face's box times `scale` about the box's center.  If it is larger than the
    photo, it is reduced, with the box's proportions; if it reaches beyond the photo, it is moved
    into it.  This is the rule of minivision's Silent-Face-Anti-Spoofing, src/generate_patches.py.
    """
    rows, columns = photo_size[:2]
    x1, y1, x2, y2 = map(float, face.box_xyxy)
    width, height = x2 - x1, y2 - y1
    if min(width, height) < 1 or x1 >= columns or y1 >= rows or x2 <= 0 or y2 <= 0:
        return None
    scale = min(scale, (rows - 1) / height, (columns - 1) / width)
    left, right = _within((x1 + x2) / 2, width * scale, columns)
    top, bottom = _within((y1 + y2) / 2, height * scale, rows)
    return None if right <= left or bottom <= top else (left, top, right, bottom)


def _within(center: float, length: float, side: int) -> tuple[int, int]:
    start = min(max(center - length / 2, 0.0), side - length)
    return int(start), int(start + length)


def _probabilities(logits: Any) -> Any:
    """Returns the softmax over the classes; of one class the logistic function."""
    if logits.shape[1] == 1:
        logits = np.concatenate([logits, np.zeros_like(logits)], axis=1)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
