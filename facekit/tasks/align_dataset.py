"""Converts labeled photos to crops for training."""

from __future__ import annotations

from pathlib import Path

from facekit.enums import CropFormat, CropRule, FacePolicy, ResizeFilter
from facekit.errors import UsageError
from facekit.model.registry import DETECTOR
from facekit.pipeline.locate import LocateOptions
from facekit.reporter import SILENT, Reporter
from facekit.tasks.open_pipeline import ensure_detector
from facekit.training.dataset import align
from facekit.training.dataset.align import AlignReport
from facekit.training.dataset.aligned import AlignSettings
from facekit.types import CropSpec

_USUAL = {CropRule.MARGIN: ((182, 182), 44.0), CropRule.SIMILARITY: ((128, 112), 14.0)}
"""(height, width) and margin, pixels: facenet's; SphereFace's 112 x 96 with 16 more each way"""


def align_dataset(
    data: Path,
    output: Path,
    *,
    crop: CropRule = CropRule.MARGIN,
    size_px: tuple[int, int] | None = None,
    margin_px: float | None = None,
    resize_filter: ResizeFilter = ResizeFilter.BILINEAR,
    locate: LocateOptions | None = None,
    crop_format: CropFormat = CropFormat.PNG,
    workers: int | None = None,
    ray: str | None = None,
    force: bool = False,
    retry_failed: bool = False,
    reporter: Reporter = SILENT,
) -> AlignReport:
    """Crops one face of each data/PERSON/PHOTO to output/PERSON/PHOTO.png, or continues a run.

    crop: MARGIN or SIMILARITY.  size_px: (height, width) of the crops.  margin_px: pixels of the
    crop outside the box, both sides together.  None means the usual size or margin of the rule.
    resize_filter: filter that resizes the crops.  crop_format: format in which crops are stored.
    locate: face policy, detector, its settings, and limits; None selects the central face.
    workers, ray: see `facekit.pipeline.photos.map_photos`.
    force: align every photo anew.  retry_failed: try the photos again that failed before.
    Raises UsageError, InputError, ModelError, or StorageError.
    """
    locate = locate or LocateOptions(face_policy=FacePolicy.CENTER)
    if locate.face_policy is FacePolicy.ALL:
        raise UsageError("One face a photo is aligned: --face all has no place for the others.")
    detector = locate.detector or DETECTOR
    usual_size, usual_margin = _USUAL[crop]
    height_px, width_px = size_px or usual_size
    settings = AlignSettings(
        crop=CropSpec(crop, usual_margin if margin_px is None else margin_px, resize_filter),
        height_px=height_px,
        width_px=width_px,
        format=crop_format,
        face_policy=locate.face_policy,
        detector=detector,
        detector_options=locate.own_options,
        max_pixels=locate.limits.max_pixels,
    )
    ensure_detector(detector, reporter=reporter)
    return align.align_dataset(
        data,
        output,
        settings,
        workers=workers,
        ray=ray,
        force=force,
        retry_failed=retry_failed,
        reporter=reporter,
    )
