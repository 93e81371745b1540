"""What two templates must have in common to be compared, as one record.

It stands in every card's calibration, embedding file and gallery, and is compared as a whole
wherever two vectors meet, or a vector and a threshold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from facekit.enums import CropRule, Flip, ResizeFilter
from facekit.errors import ModelMismatchError
from facekit.system.fields import Fields
from facekit.types import CropSpec, DetectorIdentity, Float32Array


@dataclass(frozen=True, slots=True)
class TemplateSpace:
    """How templates were made: equal spaces, comparable templates."""

    model: str
    """for people, such as "facenet512-casia:float32"; a file is the same under another name, so
    that this alone is not compared"""
    model_sha256: str
    """of the model file"""
    detector: DetectorIdentity | None
    """None where crops were given ready, and where a calibration does not say it"""
    crop: CropSpec
    flip: Flip
    mean_sha256: str
    """of the mean embedding that was taken off, see `mean_sha256_of`; "" where none was"""
    size: int
    """numbers of a template"""

    def require_same(self, other: TemplateSpace, *, where: str) -> None:
        """Raises ModelMismatchError where templates of this space, which `where` holds, cannot be
        compared with those of `other`, which is in use.  It names the first field that differs,
        both its values, and what to do.
        """
        for difference in self.differences(other):
            raise ModelMismatchError(
                f"{where} holds templates of {self.model} with {difference.field} "
                f"{difference.ours}; in use is {other.model} with {difference.field} "
                f"{difference.theirs}. They cannot be compared: {difference.advice}"
            )

    def differs_by_mean_alone(self, other: TemplateSpace) -> bool:
        """Whether `recentered` brings templates of one to the other."""
        same_mean = replace(self, mean_sha256=other.mean_sha256)
        return self.mean_sha256 != other.mean_sha256 and not any(same_mean.differences(other))

    def differences(self, other: TemplateSpace) -> Iterator[Difference]:
        """Field by field, the most telling one first."""
        for field, label, advice in _COMPARED:
            ours, theirs = getattr(self, field), getattr(other, field)
            if ours != theirs:
                yield Difference(label, _text(ours), _text(theirs), advice)

    @property
    def crop_text(self) -> str:
        """Crop rule and mirror image in words, for people."""
        mirror = "" if self.flip is Flip.NONE else f", mirror image {self.flip.value}"
        return f"{self.crop}{mirror}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `parse_space` reads it back."""
        detector = self.detector
        return {
            "model": self.model,
            "model_sha256": self.model_sha256,
            "detector": None
            if detector is None
            else {"name": detector.name, "weights_sha256": list(detector.weights_sha256)},
            "crop": {
                "rule": self.crop.rule.value,
                "margin_px": self.crop.margin_px,
                "resize_filter": self.crop.resize_filter.value,
            },
            "flip": self.flip.value,
            "mean_sha256": self.mean_sha256 or None,
            "size": self.size,
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """A field in which two spaces differ, in words."""

    field: str
    ours: str
    theirs: str
    advice: str
    """what to do where templates of the two meet"""


_AGAIN = "or embed or enroll the photos again."
_COMPARED = (
    ("model_sha256", "model file", f"pass that model with --model, {_AGAIN}"),
    ("crop", "crop rule", f"use that crop rule, {_AGAIN}"),
    ("flip", "mirror image", f"use the card with that flip, {_AGAIN}"),
    ("detector", "detector", f"use that detector, {_AGAIN}"),
    ("size", "embedding size", "embed or enroll the photos again."),
    (
        "mean_sha256",
        "embedding mean",
        "bring the gallery over, which needs no photos: facekit gallery recenter",
    ),
)
"""field, its name for people, what to do; the mean last, since it alone can be mended"""


def parse_space(fields: Fields) -> TemplateSpace:
    """From parsed JSON.  Raises ValueError naming the member that is wrong."""
    detector = fields.optional_part("detector")
    return TemplateSpace(
        model=fields.text("model"),
        model_sha256=fields.sha256("model_sha256"),
        detector=None
        if detector is None
        else DetectorIdentity(detector.text("name"), tuple(detector.texts("weights_sha256"))),
        crop=parse_crop(fields.part("crop")),
        flip=fields.choice("flip", Flip),
        mean_sha256=fields.sha256("mean_sha256") if fields.text_or_null("mean_sha256") else "",
        size=fields.integer("size"),
    )


def parse_crop(fields: Fields) -> CropSpec:
    """From parsed JSON.  Raises ValueError naming the member that is wrong."""
    return fields.built(
        CropSpec,
        rule=fields.choice("rule", CropRule),
        margin_px=fields.number("margin_px"),
        resize_filter=fields.choice("resize_filter", ResizeFilter),
    )


def mean_sha256_of(mean: Float32Array | None) -> str:
    """sha256 of a mean embedding's numbers as little-endian float32; "" for None."""
    return "" if mean is None else hashlib.sha256(mean.astype("<f4").tobytes()).hexdigest()


def _text(value: Any) -> str:
    if isinstance(value, CropSpec):
        return repr(str(value))
    if isinstance(value, DetectorIdentity):
        return f"{value.name} of weights {', '.join(map(_text, value.weights_sha256))}"
    if isinstance(value, Flip):
        return value.value
    text = str(value or "none")
    return f"{text[:12]}..." if len(text) == 64 else text
