"""What a gallery holds and answers: people, their templates, and candidates for a query."""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass

import numpy as np

from facekit.enums import Flip, VectorType
from facekit.errors import ModelMismatchError, UsageError
from facekit.model.card import Card
from facekit.types import Float32Array

_LONGEST_NAME = 200  # characters; a sentence is not a name


@dataclass(frozen=True, slots=True)
class GalleryModel:
    """All that two vectors must have in common to be comparable; a gallery has one."""

    name: str
    """for people: "facenet512-casia:float32" """
    sha256: str
    """of the model file"""
    crop: str
    """the crop rule in words"""
    mean_sha256: str
    """of the mean embedding (float32 bytes) that was taken off; "" where none was"""
    dimension: int

    def require_same(self, other: GalleryModel, where: str) -> None:
        """Raises ModelMismatchError, which says what differs."""
        for field, ours, theirs in (
            ("model", self.sha256, other.sha256),
            ("crop rule", self.crop, other.crop),
            ("embedding mean", self.mean_sha256, other.mean_sha256),
            ("embedding size", self.dimension, other.dimension),
        ):
            if ours != theirs:
                raise ModelMismatchError(
                    f"{where} holds templates of {self.name} with {field} {_short(ours)}; in use "
                    f"is {other.name} with {field} {_short(theirs)}. They cannot be compared: use "
                    "that model and crop rule, or enroll the photos into another --gallery."
                )


def gallery_model(card: Card, crop: str) -> GalleryModel:
    """Of the vectors that a pipeline with this card and crop rule makes."""
    mean = card.calibration.embedding_mean
    return GalleryModel(
        name=f"{card.name}:{card.variant}",
        sha256=card.file_sha256,
        crop=crop if card.flip is Flip.NONE else f"{crop}, mirror image {card.flip.value}",
        mean_sha256=""
        if mean is None
        else hashlib.sha256(mean.astype("<f4").tobytes()).hexdigest(),
        dimension=card.embedding_size,
    )


def _short(value: str | int) -> str:
    text = str(value) or "none"
    return f"{text[:12]}..." if len(text) == 64 else repr(text)


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """One enrolled face."""

    photo: str
    """the photo's name as it was given"""
    photo_sha256: str
    box_xyxy: tuple[float, float, float, float] | None
    """pixels of the photo; None for a ready crop"""
    score: float | None
    """the detector's, 0..1; None for a ready crop"""
    enrolled_at: str
    """UTC, ISO 8601"""
    vector: Float32Array
    """(D,) of unit length"""

    def __post_init__(self) -> None:
        if self.vector.ndim != 1 or self.vector.dtype != np.float32:
            raise ValueError(
                "A template's vector must be float32 of shape (D,). "
                f"Received: {self.vector.dtype} of shape {self.vector.shape}"
            )
        if not abs(float(np.linalg.norm(self.vector)) - 1) <= 1e-3:
            raise ValueError("A template's vector must be of unit length.")


@dataclass(frozen=True, slots=True)
class Person:
    """A name and how much is known of it."""

    name: str
    templates: int
    enrolled_at: str
    """UTC, ISO 8601: the first time"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person of the gallery, compared with one query."""

    name: str
    similarity: float
    """cosine, -1..1"""
    templates: int
    """how many the person has"""


@dataclass(frozen=True, slots=True)
class GalleryInfo:
    """A gallery as a whole."""

    url: str
    """without a password"""
    schema_version: int
    model: GalleryModel | None
    """None until somebody is enrolled"""
    vector_type: VectorType
    encrypted: bool
    people: int
    templates: int
    size_bytes: int


def checked_name(name: str) -> str:
    """The name, stripped.  Raises UsageError where it is none that can be listed."""
    plain = name.strip()
    if not plain or len(plain) > _LONGEST_NAME or not plain.isprintable():
        raise UsageError(
            f"A person's name is 1 to {_LONGEST_NAME} printable characters. Received: {name!r}"
        )
    return plain


def now_utc() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
