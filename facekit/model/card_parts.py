"""Parses the parts of JSON that a model's card shares with its entry in the registry."""

from __future__ import annotations

from facekit.enums import ColorOrder
from facekit.system.fields import Fields
from facekit.template.space import parse_crop
from facekit.types import CropSpec, InputSpec, QualitySpec


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
    """Parses the member `crop`; null for a detector."""
    crop = fields.optional_part("crop")
    return None if crop is None else parse_crop(crop)


def parse_optional_quality(fields: Fields) -> QualitySpec | None:
    """Parses the member `quality`; null, or missing, for all but networks that rate faces."""
    quality = fields.optional_part("quality") if "quality" in fields else None
    if quality is None:
        return None
    return quality.built(QualitySpec, worst=quality.number("worst"), best=quality.number("best"))
