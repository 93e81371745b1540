"""Parses the parts of JSON that a model's card shares with its entry in the registry."""

from __future__ import annotations

from facekit.enums import ClassScores, ColorOrder
from facekit.system.fields import Fields
from facekit.template.space import parse_crop
from facekit.types import CropSpec, InputSpec, PadSpec, QualitySpec


def parse_input(fields: Fields) -> InputSpec:
    return fields.built(
        InputSpec,
        height_px=fields.integer("height_px"),
        width_px=fields.integer("width_px"),
        color_order=fields.choice("color_order", ColorOrder),
        mean=fields.number("mean"),
        std=fields.number("std"),
    )


def parse_optional_crop(fields: Fields) -> CropSpec | None:
    """Parses the member `crop`; null for a model that neither embeds nor rates crops."""
    crop = fields.optional_part("crop")
    return None if crop is None else parse_crop(crop)


def parse_optional_quality(fields: Fields) -> QualitySpec | None:
    """Parses the member `quality`; null, or missing, for all but networks that rate faces."""
    quality = fields.optional_part("quality") if "quality" in fields else None
    if quality is None:
        return None
    return quality.built(QualitySpec, worst=quality.number("worst"), best=quality.number("best"))


def parse_optional_pad(fields: Fields) -> PadSpec | None:
    """Parses the member `pad`; null, or missing, for all but presentation attack detectors."""
    pad = fields.optional_part("pad") if "pad" in fields else None
    if pad is None:
        return None
    return pad.built(
        PadSpec,
        crop_scale=pad.number("crop_scale"),
        classes=tuple(pad.texts("classes")),
        bona_fide=pad.text("bona_fide"),
        scores=pad.choice("scores", ClassScores),
        threshold_score=pad.number("threshold_score"),
        threshold_source=pad.text("threshold_source"),
    )
