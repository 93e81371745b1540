"""Measures how far a quantized detector's detections differ from those of the float32 file."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.conversion.crops import CropSet
from facekit.conversion.drift import FileFacts, file_facts
from facekit.conversion.quantize.quantized_model import static_content
from facekit.face.geometry import overlaps
from facekit.face.yunet import Yunet
from facekit.model.store import InstalledModel
from facekit.reporter import SILENT, Reporter
from facekit.runtime.litert import LiteRtNet, default_threads
from facekit.types import Face, UInt8Array

MIN_MEAN_IOU = 0.9
MAX_MISSED_SHARE = 0.1
"""The largest share of the float32 file's faces that may be missed; these are mostly tiny faces, or
faces with a score near the threshold."""
_MIN_IOU = 0.5
"""Minimum IoU of two boxes of the same face."""
_SIZES_PX = (0, 16, 32, 64, 128)


@dataclass(frozen=True, slots=True, eq=False)
class DetectionDrift:
    """Detections of the float32 file, compared with the quantized file's at the same threshold."""

    float32: FileFacts
    quantized: FileFacts
    threads: int
    pictures_title: str
    pictures_sha256: str
    picture_count: int
    sizes_px: NDArray[np.float64] = field(repr=False)
    """(N,) The smaller of width and height of each box of the float32 file, in pixels."""
    ious: NDArray[np.float64] = field(repr=False)
    """(N,) The IoU of each of these boxes with the nearest box of the quantized file; 0 if it is
    missed."""
    added_count: int
    """The number of faces that only the quantized file finds."""
    warning: str = ""
    """The defect of a quantized file that was accepted nevertheless; "" if there is no defect."""

    @property
    def is_found(self) -> NDArray[np.bool_]:
        """(N,) Whether the quantized file finds each face of the float32 file."""
        return np.asarray(self.ious > 0)

    @property
    def mean_iou(self) -> float:
        """The mean IoU of the faces that both files find; 0 if there are none."""
        return float(self.ious[self.is_found].mean()) if self.is_found.any() else 0.0

    @property
    def missed_count(self) -> int:
        return int((~self.is_found).sum())

    @property
    def is_sound(self) -> bool:
        return self.mean_iou >= MIN_MEAN_IOU and self.missed_count <= MAX_MISSED_SHARE * len(
            self.ious
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "float32": asdict(self.float32),
            "quantized": asdict(self.quantized),
            "threads": self.threads,
            "pictures": {
                "picture_count": self.picture_count,
                "title": self.pictures_title,
                "list_sha256": self.pictures_sha256,
            },
            "warning": self.warning or None,
            "face_count": len(self.ious),
            "mean_iou": self.mean_iou if self.is_found.any() else None,
            "missed_count": self.missed_count,
            "added_count": self.added_count,
            "by_size": [
                self._by_size(*limits_px)
                for limits_px in zip(_SIZES_PX, (*_SIZES_PX[1:], None), strict=True)
            ],
        }

    def _by_size(self, minimum_px: int, limit_px: int | None) -> dict[str, Any]:
        in_range = (self.sizes_px >= minimum_px) & (self.sizes_px < (limit_px or np.inf))
        found = in_range & self.is_found
        return {
            "least_px": minimum_px,
            "face_count": int(in_range.sum()),
            "missed_count": int((in_range & ~self.is_found).sum()),
            "mean_iou": float(self.ious[found].mean()) if found.any() else None,
        }


def measure_detection_drift(
    float32: InstalledModel,
    quantized: InstalledModel,
    pictures: CropSet,
    *,
    reporter: Reporter = SILENT,
) -> DetectionDrift:
    """Detects faces with both files and compares the detections.

    The files process one picture at a time, with the detector's default thresholds.

    If the float32 file has a dynamic input size, it is fixed to the quantized file's size.  Raises
    ModelBuildError or ModelMismatchError if a file cannot be read or run.
    """
    with TemporaryDirectory(prefix="facekit-drift-") as folder:
        path = Path(folder) / float32.path.name
        path.write_bytes(static_content(float32))
        expected, a_ms = _detect(InstalledModel(float32.card, path), pictures.images, reporter)
    received, b_ms = _detect(quantized, pictures.images, reporter)
    ious_by_picture = [_ious(a, b) for a, b in zip(expected, received, strict=True)]
    ious = np.concatenate(ious_by_picture)
    return DetectionDrift(
        float32=file_facts(float32, a_ms),
        quantized=file_facts(quantized, b_ms),
        threads=default_threads(),
        pictures_title=pictures.origin.title,
        pictures_sha256=pictures.origin.list_sha256,
        picture_count=len(pictures.images),
        sizes_px=np.array(
            [_shorter_side(face) for faces in expected for face in faces], np.float64
        ),
        ious=ious,
        added_count=sum(map(len, received)) - int((ious > 0).sum()),
    )


def unsoundness_message(drift: DetectionDrift) -> str:
    """Returns a message about a detector's file that exceeds the limits."""
    return (
        f"{drift.quantized.variant} misses {drift.missed_count} of {len(drift.ious)} faces that "
        f"float32 finds, and its boxes overlap float32's by {drift.mean_iou:.3f} (IoU)."
    )


def _ious(expected: tuple[Face, ...], received: tuple[Face, ...]) -> NDArray[np.float64]:
    """Returns the largest IoU of each expected face with a received one, or 0 if it is below
    _MIN_IOU."""
    if not expected or not received:
        return np.zeros(len(expected))
    a, b = (np.stack([face.box_xyxy for face in faces]) for faces in (expected, received))
    best = overlaps(a, b).max(1)
    return np.asarray(np.where(best >= _MIN_IOU, best, 0.0), np.float64)


def _shorter_side(face: Face) -> float:
    x1, y1, x2, y2 = face.box_xyxy
    return float(min(x2 - x1, y2 - y1))


def _detect(
    model: InstalledModel, pictures: UInt8Array, reporter: Reporter
) -> tuple[list[tuple[Face, ...]], float]:
    """Returns each picture's faces, and the median time for one picture in milliseconds."""
    net = LiteRtNet(model.path, threads=default_threads())
    detector = Yunet(net, spec=model.card.input, name=model.path.name)
    found, spent_ms = [], []
    label = f"detecting with {model.card.variant}"
    for picture in reporter.steps(pictures, length=len(pictures), label=label):
        start = time.perf_counter()
        found += detector.detect([picture])
        spent_ms.append((time.perf_counter() - start) * 1e3)
    return found, float(np.median(spent_ms))
