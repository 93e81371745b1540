"""What a gallery holds and answers: people, their templates, and candidates for a query."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import numpy as np

from facekit.enums import VectorType
from facekit.errors import UsageError
from facekit.template.space import TemplateSpace
from facekit.types import Float32Array

_LONGEST_NAME = 200  # characters; a sentence is not a name


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
    template_count: int
    enrolled_at: str
    """UTC, ISO 8601: the first time"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person of the gallery, compared with one query."""

    name: str
    similarity: float
    """cosine, -1..1"""
    template_count: int
    """how many the person has"""


@dataclass(frozen=True, slots=True)
class GalleryInfo:
    """A gallery as a whole."""

    url: str
    """without a password"""
    schema_version: int
    space: TemplateSpace | None
    """None until somebody is enrolled"""
    vector_type: VectorType
    encrypted: bool
    people_count: int
    template_count: int
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
