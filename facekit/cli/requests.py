"""Parsed options as the records that tasks take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facekit.enums import Device, FacePolicy, Rotate

if TYPE_CHECKING:
    from facekit.face.detector import DetectorOptions
    from facekit.gallery.identify import OpenSetChoice
    from facekit.photo.limits import ImageLimits
    from facekit.runtime.delegates import AcceleratorRequest
    from facekit.tasks.gallery import GalleryLocation
    from facekit.tasks.open_pipeline import CropChange, PipelineRequest
    from facekit.tasks.serve import ServiceRequest
    from facekit.template.threshold import ThresholdChoice
    from facekit.video.records import TrackOptions


def pipeline_request(model: str | None = None, **options: Any) -> PipelineRequest:
    """Of --model and whatever of the options of facekit/cli/options.py a command has."""
    from facekit.tasks.open_pipeline import PipelineRequest

    return PipelineRequest(
        model=model,
        bundle=options.get("bundle"),
        face=options.get("face", FacePolicy.LARGEST),
        detect=not options.get("no_detect", False),
        crop=crop_change(**options),
        detector=options.get("detector"),
        detector_options=detector_settings(**options),
        rotate=options.get("rotate", Rotate.OFF),
        limits=image_limits(**options),
        threads=options.get("threads"),
        runtime=options.get("runtime"),
        accelerator=accelerator_request(**options),
    )


def service_request(
    choice: ThresholdChoice, location: GalleryLocation, **options: Any
) -> ServiceRequest:
    """Of `threshold_options`, `gallery_options` and the options of a pipeline."""
    from facekit.tasks.serve import ServiceRequest

    return ServiceRequest(pipeline_request(**options), choice, location)


def accelerator_request(
    *,
    device: Device | None = None,
    delegate: Path | None = None,
    delegate_options: tuple[str, ...] = (),
    allow_cpu_fallback: bool = False,
    providers: tuple[str, ...] = (),
    **_others: Any,
) -> AcceleratorRequest:
    """Of `accelerator_options`; the CPU where a command has none of them.  Raises UsageError."""
    from facekit.runtime.delegates import AcceleratorRequest, parse_options

    return AcceleratorRequest(
        device=device,
        delegate=delegate,
        options=parse_options(delegate_options),
        allow_cpu_fallback=allow_cpu_fallback,
        providers=providers,
    )


def crop_change(**options: Any) -> CropChange:
    """Of `crop_options`."""
    from facekit.tasks.open_pipeline import CropChange

    return CropChange(
        rule=options.get("crop"),
        margin_px=options.get("margin"),
        resize_filter=options.get("resize_filter"),
    )


def detector_settings(**options: Any) -> DetectorOptions:
    """Of `detector_options`; a setting that was not given keeps the detector's default."""
    from facekit.face.detector import DetectorOptions

    return DetectorOptions(
        min_face_px=options.get("min_face"),
        min_score=options.get("min_score"),
        stage_thresholds=options.get("stage_thresholds"),
        scale_factor=options.get("scale_factor"),
        search_side_px=options.get("search_side"),
    )


def image_limits(**options: Any) -> ImageLimits:
    """Of `image_options`."""
    from facekit.photo.limits import DEFAULT_LIMITS

    if "max_megapixels" not in options:
        return DEFAULT_LIMITS
    return replace(DEFAULT_LIMITS, max_pixels=max(1, int(options["max_megapixels"] * 1e6)))


def track_options(
    *, every: int, longest_gap: float, min_detections: int, start_score: float | None
) -> TrackOptions:
    """Of the options of `facekit track`.  Raises UsageError for a value that is not valid."""
    from facekit.video.records import TrackOptions

    return TrackOptions(
        key_every=every,
        longest_gap_s=longest_gap,
        start_score=start_score,
        least_detections=min_detections,
    )


def open_set_choice(
    choice: ThresholdChoice, fpir: float | None, min_margin: float | None
) -> OpenSetChoice:
    """Of `threshold_options`, --fpir and --min-margin.  Raises UsageError for two thresholds."""
    from facekit.gallery.identify import OpenSetChoice

    return OpenSetChoice(choice, fpir, min_margin)
