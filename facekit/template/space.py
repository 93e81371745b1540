"""The template space: the record of all properties that comparable templates have in common.

Every calibration, embedding file and gallery has a template space.  All fields but the name
`model` are compared whenever two templates, or a template and a threshold, are compared.
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
    """The settings with which templates were made.

    Templates are comparable if their spaces have no `differences`.
    """

    model: str
    """Name for people, such as "facenet512-casia:float32".

    The name is not compared, because one file may have several names.
    """
    model_sha256: str
    """sha256 of the model file."""
    detector: DetectorIdentity | None
    """None if the photos were face crops, or if a calibration does not state the detector."""
    crop: CropSpec
    flip: Flip
    mean_sha256: str
    """sha256 of the subtracted mean embedding, see `mean_sha256_of`; "" if none was subtracted."""
    size: int
    """Number of values of a template."""

    def require_same(self, other: TemplateSpace, *, where: str) -> None:
        """Raises ModelMismatchError if templates of this space and of `other` are not comparable.

        `where` names the place of the templates of this space, e.g. a file; `other` is the space in
        use.  The message names the first field that differs, both values, and what to do.
        """
        for difference in self.differences(other):
            raise ModelMismatchError(
                f"{where} holds templates of {self.model} with {difference.field} "
                f"{difference.ours}; in use is {other.model} with {difference.field} "
                f"{difference.theirs}. They cannot be compared: {difference.advice}"
            )

    def differs_by_mean_alone(self, other: TemplateSpace) -> bool:
        """Returns whether `recentered` converts templates of one space to the other."""
        same_mean = replace(self, mean_sha256=other.mean_sha256)
        return self.mean_sha256 != other.mean_sha256 and not any(same_mean.differences(other))

    def differences(self, other: TemplateSpace) -> Iterator[Difference]:
        """Yields the fields that differ, the most important one first."""
        for field, label, advice in _COMPARED:
            ours, theirs = getattr(self, field), getattr(other, field)
            if ours != theirs:
                yield Difference(label, _text(ours), _text(theirs), advice)

    @property
    def crop_text(self) -> str:
        """Returns crop rule and mirror image in words, for people."""
        mirror = "" if self.flip is Flip.NONE else f", mirror image {self.flip.value}"
        return f"{self.crop}{mirror}"

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON; `parse_space` reads them back."""
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
    """Advice for people who want to compare templates of both spaces."""


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
"""Field, its name for people, advice.  The mean is last, because only the mean can be converted."""


def parse_space(fields: Fields) -> TemplateSpace:
    """Parses JSON.  Raises ValueError, which names the wrong member."""
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
    """Parses JSON.  Raises ValueError, which names the wrong member."""
    return fields.built(
        CropSpec,
        rule=fields.choice("rule", CropRule),
        margin_px=fields.number("margin_px"),
        resize_filter=fields.choice("resize_filter", ResizeFilter),
    )


def mean_sha256_of(mean: Float32Array | None) -> str:
    """Returns the sha256 of a mean embedding as little-endian float32; "" for None."""
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
