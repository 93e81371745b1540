"""How far the faces that a quantized detector finds are from those of the float32 file."""

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
from facekit.conversion.quantize.quantized_model import fixed_content
from facekit.face.geometry import overlaps
from facekit.face.yunet import Yunet
from facekit.model.store import InstalledModel
from facekit.reporter import SILENT, Reporter
from facekit.runtime.litert import LiteRtNet, default_threads
from facekit.types import Face, UInt8Array

LEAST_MEAN_IOU = 0.9
MOST_MISSED = 0.1
"""share of float32's faces that may be lost: of tiny faces, of a score near the threshold"""
_SAME = 0.5
"""least IoU of two boxes of one face"""
_SIZES_PX = (0, 16, 32, 64, 128)


@dataclass(frozen=True, slots=True, eq=False)
class DetectionDrift:
    """Faces of the float32 file, and what the quantized one makes of them at the same threshold."""

    float32: FileFacts
    quantized: FileFacts
    threads: int
    pictures_title: str
    pictures_sha256: str
    picture_count: int
    sizes_px: NDArray[np.float64] = field(repr=False)
    """(N,) the shorter side of each face's box"""
    ious: NDArray[np.float64] = field(repr=False)
    """(N,) of its box and the nearest; 0 where it is missed"""
    added_count: int
    """faces that the quantized file alone finds"""
    warning: str = ""
    """what is wrong with the quantized file where it was kept all the same"""

    @property
    def is_found(self) -> NDArray[np.bool_]:
        """(N,) whether the quantized file finds the face."""
        return np.asarray(self.ious > 0)

    @property
    def mean_iou(self) -> float:
        """Of the faces that both find; 0 where there is none."""
        return float(self.ious[self.is_found].mean()) if self.is_found.any() else 0.0

    @property
    def missed_count(self) -> int:
        return int((~self.is_found).sum())

    @property
    def is_sound(self) -> bool:
        return self.mean_iou >= LEAST_MEAN_IOU and self.missed_count <= MOST_MISSED * len(self.ious)

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
                self._of_size(*sides)
                for sides in zip(_SIZES_PX, (*_SIZES_PX[1:], None), strict=True)
            ],
        }

    def _of_size(self, least: int, below: int | None) -> dict[str, Any]:
        among = (self.sizes_px >= least) & (self.sizes_px < (below or np.inf))
        both = among & self.is_found
        return {
            "least_px": least,
            "face_count": int(among.sum()),
            "missed_count": int((among & ~self.is_found).sum()),
            "mean_iou": float(self.ious[both].mean()) if both.any() else None,
        }


def measure_detection_drift(
    float32: InstalledModel,
    quantized: InstalledModel,
    pictures: CropSet,
    *,
    reporter: Reporter = SILENT,
) -> DetectionDrift:
    """Runs both on the pictures, one at a time, with the detector's usual thresholds.

    The float32 net sees them in the size of the quantized one, where it could see any.
    """
    with TemporaryDirectory(prefix="facekit-drift-") as folder:
        path = Path(folder) / float32.path.name
        path.write_bytes(fixed_content(float32))
        wanted, a_ms = _detect(InstalledModel(float32.card, path), pictures.crops, reporter)
    received, b_ms = _detect(quantized, pictures.crops, reporter)
    matched = [_ious(a, b) for a, b in zip(wanted, received, strict=True)]
    ious = np.concatenate(matched)
    return DetectionDrift(
        float32=file_facts(float32, a_ms),
        quantized=file_facts(quantized, b_ms),
        threads=default_threads(),
        pictures_title=pictures.origin.title,
        pictures_sha256=pictures.origin.list_sha256,
        picture_count=len(pictures.crops),
        sizes_px=np.array([_side(face) for faces in wanted for face in faces], np.float64),
        ious=ious,
        added_count=sum(map(len, received)) - int((ious > 0).sum()),
    )


def unsound(drift: DetectionDrift) -> str:
    """What is wrong with a detector's file that is not sound."""
    return (
        f"{drift.quantized.variant} misses {drift.missed_count} of {len(drift.ious)} faces that "
        f"float32 finds, and its boxes overlap float32's by {drift.mean_iou:.3f} (IoU)."
    )


def _ious(wanted: tuple[Face, ...], received: tuple[Face, ...]) -> NDArray[np.float64]:
    """Of each wanted face with the nearest that was received; 0 for less than _SAME."""
    if not wanted or not received:
        return np.zeros(len(wanted))
    a, b = (np.stack([face.box_xyxy for face in faces]) for faces in (wanted, received))
    best = overlaps(a, b).max(1)
    return np.asarray(np.where(best >= _SAME, best, 0.0), np.float64)


def _side(face: Face) -> float:
    x1, y1, x2, y2 = face.box_xyxy
    return float(min(x2 - x1, y2 - y1))


def _detect(
    model: InstalledModel, pictures: UInt8Array, reporter: Reporter
) -> tuple[list[tuple[Face, ...]], float]:
    """Each picture's faces, and the median of the milliseconds that one takes."""
    net = LiteRtNet(model.path, threads=default_threads())
    detector = Yunet(net, spec=model.card.input, name=model.path.name)
    found, spent_ms = [], []
    label = f"detecting with {model.card.variant}"
    for picture in reporter.steps(pictures, length=len(pictures), label=label):
        start = time.perf_counter()
        found += detector.detect([picture])
        spent_ms.append((time.perf_counter() - start) * 1e3)
    return found, float(np.median(spent_ms))
