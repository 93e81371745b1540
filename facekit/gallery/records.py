"""The records of a gallery: people, their templates, and the candidates for a query."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facekit.enums import VectorType
from facekit.errors import UsageError
from facekit.gallery.damage import changed_space
from facekit.template.match import has_unit_length
from facekit.template.space import TemplateSpace, mean_sha256_of
from facekit.types import Float32Array

_LONGEST_NAME = 200  # characters; a sentence is not a name


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """One enrolled face of a person."""

    photo: str
    """Name of the photo as the caller gave it."""
    photo_sha256: str
    box_xyxy: tuple[float, float, float, float] | None
    """x1, y1, x2, y2 in pixels of the photo; None if the photo was a face crop."""
    score: float | None
    """The detector's score, 0..1; None if the photo was a face crop."""
    enrolled_at: str
    """Time of enrollment, UTC, ISO 8601."""
    vector: Float32Array
    """(D,) of unit length."""

    def __post_init__(self) -> None:
        if self.vector.ndim != 1 or self.vector.dtype != np.float32:
            raise ValueError(
                "A template's vector must be float32 of shape (D,). "
                f"Received: {self.vector.dtype} of shape {self.vector.shape}"
            )
        if not has_unit_length(self.vector):
            raise ValueError("A template's vector must be of unit length.")
        require_texts(self.photo, self.photo_sha256, self.enrolled_at)
        for number in (*(self.box_xyxy or ()), 0 if self.score is None else self.score):
            if not isinstance(number, (int, float)) or not math.isfinite(number):
                raise ValueError(f"A template's numbers must be finite. Received: {number!r}")


def require_texts(*values: str) -> None:
    """Raises ValueError for a value that is no text: SQLite stores any type in any column."""
    for value in values:
        if not isinstance(value, str):
            raise ValueError(f"A text is needed. Received: {value!r:.80}")


@dataclass(frozen=True, slots=True)
class Person:
    """An enrolled person."""

    name: str
    template_count: int
    enrolled_at: str
    """Time of the first enrollment, UTC, ISO 8601."""

    def __post_init__(self) -> None:
        require_texts(self.name, self.enrolled_at)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person of the gallery and the similarity to one query."""

    name: str
    similarity: float
    """Cosine similarity, -1..1."""
    template_count: int
    """Number of templates of the person."""


@dataclass(frozen=True, slots=True)
class GalleryInfo:
    """What a gallery is and how much it holds."""

    url: str
    """The gallery's URL, without a password."""
    schema_version: int
    space: TemplateSpace | None
    """None until somebody is enrolled."""
    vector_type: VectorType
    encrypted: bool
    people_count: int
    template_count: int
    size_bytes: int


def require_mean(mean: Float32Array | None, space: TemplateSpace) -> None:
    """Raises ValueError if the SHA-256 of `mean` is not the one that `space` names."""
    if mean_sha256_of(mean) != space.mean_sha256:
        raise ValueError("The mean embedding must be the one that the space names.")


def stored_mean(content: bytes, space: TemplateSpace, where: str) -> Float32Array | None:
    """Returns the mean (D,) that a gallery stores as little-endian float32, None for no bytes.

    Raises StorageError if it is not the one that the gallery's space names.
    """
    try:
        mean = np.frombuffer(content, "<f4") if content else None
        require_mean(mean, space)
    except (ValueError, TypeError) as error:
        raise changed_space(where, "mean embedding") from error
    return mean


def require_members(
    templates: Sequence[Template], space: TemplateSpace, mean: Float32Array | None
) -> None:
    """Raises ValueError if a vector has another length than those of `space`.

    A `mean` that is given must be the one of `space`.
    """
    if mean is not None:
        require_mean(mean, space)
    if wrong := {template.vector.size for template in templates} - {space.size}:
        raise ValueError(f"a vector of {space.size} numbers is needed. Received: {sorted(wrong)}")


def checked_name(name: str) -> str:
    """Returns the name without surrounding spaces.

    Raises UsageError if the name is empty, too long, or has characters that cannot be printed.
    """
    plain = name.strip()
    if not plain or len(plain) > _LONGEST_NAME or not plain.isprintable():
        raise UsageError(
            f"A person's name is 1 to {_LONGEST_NAME} printable characters. Received: {name!r}"
        )
    return plain


def now_utc() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
