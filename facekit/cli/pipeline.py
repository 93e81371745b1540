"""From parsed options to a pipeline."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from facekit.enums import CropRule

if TYPE_CHECKING:
    from facekit.locate import LocateOptions
    from facekit.models.card import Card, CropSpec
    from facekit.pipeline import Pipeline


def open_pipeline(model: str, **options: Any) -> Pipeline:
    """The pipeline for --model and the options of options.py; builds a missing model."""
    from facekit.cli.ensure import ensure_installed
    from facekit.models.registry import DETECTOR
    from facekit.pipeline import Pipeline, PipelineOptions

    installed = ensure_installed(model)
    crop = chosen_crop(installed.card, options)
    detect = not options["no_detect"]
    if detect and (crop is None or crop.rule is not CropRule.NONE):
        ensure_installed(DETECTOR)
    return Pipeline(
        installed,
        options=PipelineOptions(
            locate=locate_options(**options),
            detect=detect,
            crop=crop,
            threads=options["threads"],
        ),
    )


def locate_options(**options: Any) -> LocateOptions:
    """Where and which faces; a cascade setting that was not given keeps its default."""
    from facekit.detector.options import DetectorOptions
    from facekit.image import DEFAULT_LIMITS
    from facekit.locate import LocateOptions

    given = {
        name: options[name]
        for name in ("min_face_px", "stage_thresholds", "scale_factor", "search_side_px")
        if options[name] is not None
    }
    return LocateOptions(
        face_policy=options["face_policy"],
        detector=DetectorOptions(**given),
        limits=replace(DEFAULT_LIMITS, max_pixels=int(options["max_megapixels"] * 1e6)),
        threads=options["threads"] or 1,
    )


def chosen_crop(card: Card, options: dict[str, Any]) -> CropSpec | None:
    """The card's rule with what the user changes; None where nothing is changed."""
    from facekit.models.card import CropSpec

    rule, margin_px, resize_filter = (
        options[name] for name in ("crop_rule", "margin_px", "resize_filter")
    )
    if rule is margin_px is resize_filter is None:
        return None
    own = card.crop
    assert own is not None  # an embedding card always has one
    rule = rule or own.rule
    if margin_px is None:
        margin_px = own.margin_px if rule is own.rule else 0.0
    return CropSpec(rule, margin_px, resize_filter or own.resize_filter)
