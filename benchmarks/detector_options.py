"""How far a template moves when one thing is changed: what belongs into a TemplateSpace.

    python benchmarks/detector_options.py --data lfw

Two photos of each of the first 100 people of LFW who have two.  For every change: photos without
a face, the cosine of each template to that of the default, and at FMR 1e-3 how many decisions
change, among all pairs of a changed and a default template, and how many pairs match.  The
yardsticks are changes that nobody would call another space (the same photo a pixel to the side,
encoded once more, enlarged a little) and one that everybody would (another crop rule).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import facekit
from facekit.enums import CropRule, FacePolicy, ResizeFilter
from facekit.errors import FacekitError
from facekit.face.detector import DetectorOptions
from facekit.model.registry import DEFAULT_MODEL
from facekit.model.store import find
from facekit.photo.decode import read_image
from facekit.types import CropSpec, Float32Array, UInt8Array

CHANGES: tuple[dict[str, Any], ...] = (
    {"min_face_px": 40.0},
    {"min_face_px": 60.0},
    {"stage_thresholds": (0.6, 0.7, 0.8)},
    {"stage_thresholds": (0.5, 0.6, 0.6)},
    {"stage_thresholds": (0.7, 0.8, 0.9)},
    {"scale_factor": 0.5},
    {"scale_factor": 0.8},
    {"search_side_px": 0},
    {"search_side_px": 500},
    {"search_side_px": 160},
    {"level_overlap": 0.6},
    {"proposal_overlap": 0.6},
    {"refined_overlap": 0.6},
    {"face_overlap": 0.6},
)

CROPS = (
    CropSpec(CropRule.MARGIN, 0.0, ResizeFilter.BILINEAR),
    CropSpec(CropRule.MARGIN, 44.0, ResizeFilter.BILINEAR),
    CropSpec(CropRule.MARGIN, 32.0, ResizeFilter.AREA),
    CropSpec(CropRule.SIMILARITY, 32.0, ResizeFilter.BILINEAR),
)


def moved(pixels: UInt8Array) -> UInt8Array:
    """Without the first row and column."""
    return np.ascontiguousarray(pixels[1:, 1:])


def encoded(pixels: UInt8Array) -> UInt8Array:
    _, content = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    decoded = np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(decoded[:, :, ::-1])


def enlarged(pixels: UInt8Array) -> UInt8Array:
    return np.asarray(cv2.resize(pixels, None, fx=1.1, fy=1.1), np.uint8)


def photos_of(folder: Path, people: int) -> list[Path]:
    """Two photos of each of the first `people` people who have two."""
    root = next((path for path in folder.glob("lfw*") if path.is_dir()), folder)
    pairs = [sorted(person.glob("*.jpg"))[:2] for person in sorted(root.iterdir())]
    return [photo for pair in [pair for pair in pairs if len(pair) == 2][:people] for photo in pair]


def templates(
    photos: Sequence[Path],
    change: Callable[[UInt8Array], UInt8Array] = lambda pixels: pixels,
    **options: Any,
) -> list[Float32Array | None]:
    pipeline = facekit.load(face=FacePolicy.LARGEST, **options)
    vectors: list[Float32Array | None] = []
    for photo in photos:
        try:
            vectors.append(pipeline.embed([change(read_image(photo))])[0].embeddings[0])
        except FacekitError:
            vectors.append(None)
    return vectors


def compare(
    name: str, default: list[Float32Array | None], changed: list[Float32Array | None], least: float
) -> None:
    both = [(a, b) for a, b in zip(default, changed, strict=True) if a is not None is not b]
    a, b = (np.stack(side) for side in zip(*both, strict=True))
    cosines = np.einsum("nd,nd->n", a, b)
    upper = np.triu_indices(len(a), 1)
    own, mixed, other = ((x @ y.T >= least)[upper] for x, y in ((a, a), (b, a), (b, b)))
    print(
        f"{name} | {len(default) - len(both)} | {cosines.mean():.4f} | "
        f"{np.percentile(cosines, 1):.4f} | {cosines.min():.4f} | "
        f"{(own != mixed).sum()} of {own.size} | {own.sum()}, {mixed.sum()}, {other.sum()}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--people", type=int, default=100)
    arguments = parser.parse_args()
    photos = photos_of(arguments.data, arguments.people)
    card = find(DEFAULT_MODEL).card
    least = card.calibration.operating_point("fmr=1e-3").threshold_similarity
    default = templates(photos)
    print(f"{len(photos)} photos, threshold {least:.4f}")
    print(
        "change | no face | mean cosine | 1st percentile | least | decisions changed | "
        "matches: default, mixed, changed"
    )
    for change in (moved, encoded, enlarged):
        compare(f"photo {change.__name__}", default, templates(photos, change), least)
    for crop in CROPS:
        text = f"{crop.rule.value}, {crop.margin_px:g} px, {crop.resize_filter.value}"
        compare(text, default, templates(photos, crop=crop), least)
    for option in CHANGES:
        ((name, value),) = option.items()
        options = DetectorOptions(**option)
        compare(f"{name} {value}", default, templates(photos, detector_options=options), least)


if __name__ == "__main__":
    main()
