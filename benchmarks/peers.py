"""What the detection benchmarks share: photos, our cascade, the mtcnn package's."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np

from facekit.face.mtcnn.options import MtcnnOptions
from facekit.photo.decode import load_picture
from facekit.pipeline.locate import LocateOptions, Locator
from facekit.types import Face, Float32Array, UInt8Array

REPOSITORY = Path(__file__).resolve().parent.parent

Detect: TypeAlias = Callable[[UInt8Array], tuple[Face, ...]]


def lfw_photos(count: int) -> list[Path]:
    """`count` of LFW's photos, evenly spread over all in the order of their names."""
    folder = Path(os.environ.get("FACEKIT_LFW") or REPOSITORY.parent / "shared" / "lfw")
    photos = sorted(folder.glob("**/*.jpg"))
    if len(photos) < count:
        raise SystemExit(f"{count} LFW photos needed in {folder}, {len(photos)} found: FACEKIT_LFW")
    return [photos[place] for place in np.linspace(0, len(photos) - 1, count).astype(int)]


def pixels(path: Path) -> UInt8Array:
    """RGB uint8 (H, W, 3)."""
    return load_picture(path).pixels


def facekit_detector(*, threads: int = 1, options: MtcnnOptions | None = None) -> Detect:
    """Our cascade on the installed nets."""
    cv2.setNumThreads(threads)
    detector = Locator(options=LocateOptions(threads=threads)).detector
    return lambda image: detector.detect([image], options=options)[0]


def mtcnn_package() -> Detect:
    """The package's cascade at our thresholds, with unclipped, unrounded coordinates."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from mtcnn import MTCNN

    peer = MTCNN()

    def detect(image: UInt8Array) -> tuple[Face, ...]:
        rows = peer.detect_faces(
            image,
            fit_to_image=False,
            box_format="xyxy",
            output_type="numpy",
            threshold_onet=0.7,
        )
        return tuple(_face(row.astype(np.float32)) for row in rows)

    return detect


def _face(row: Float32Array) -> Face:
    """(16,): image, x1, y1, x2, y2, score, x of five landmarks, y of the five."""
    landmarks = np.stack([row[6:11], row[11:16]], axis=1)
    return Face(row[1:5], landmarks, min(float(row[5]), 1.0))
