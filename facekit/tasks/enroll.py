"""From photos to a person in a gallery, all of them or none."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facekit.errors import AmbiguousFaceError, FacekitError, InputError
from facekit.gallery.gallery import Gallery
from facekit.gallery.records import Template, checked_name, now_utc
from facekit.photo.sources import list_pictures
from facekit.pipeline.photos import PhotoFailure, embed_each
from facekit.pipeline.pipeline import EmbeddedPicture, Pipeline


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What came of one person's photos."""

    name: str
    added: int
    """templates that are new in the gallery"""
    known: int
    """photos that the person had already"""
    failures: tuple[tuple[str, FacekitError], ...]
    """photos that gave no template, with the reason"""


def enroll(gallery: Gallery, pipeline: Pipeline, name: str, photos: Sequence[str]) -> Enrolment:
    """Embeds the photos, then enrolls what they gave in one transaction.

    A photo that the person has already is not embedded again.  One that cannot be used is
    reported, and the others count.  Raises UsageError for a name that is none.
    """
    name = checked_name(name)
    have = gallery.photo_hashes(name)
    fresh = [photo for photo in photos if _sha256(photo) not in have]
    templates: list[Template] = []
    failures: list[tuple[str, FacekitError]] = []
    for result in embed_each(pipeline, fresh):
        try:
            if isinstance(result, PhotoFailure):
                raise result.error
            templates.append(_template(result))
        except FacekitError as error:
            failures.append((result.name, error))
    mean = pipeline.model.card.calibration.embedding_mean
    added = gallery.add(name, templates, pipeline.space, mean=mean) if templates else 0
    return Enrolment(
        name=name,
        added=added,
        known=len(photos) - len(failures) - added,
        failures=tuple(failures),
    )


def people_in(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """(name, photos) of each folder in `folder`, sorted.

    Raises InputError where there is no folder, ImageError for one without a photo.
    """
    try:
        folders = sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror or error}") from error
    folders = [path for path in folders if not path.name.startswith(".")]
    if not folders:
        raise InputError(f"{folder} has no folder in it; one folder a person is needed.")
    for path in folders:
        yield path.name, list_pictures([str(path)])


def _template(embedded: EmbeddedPicture) -> Template:
    if len(embedded.embeddings) != 1:
        raise AmbiguousFaceError(
            f"{embedded.name}: one face a photo can be enrolled under one name. Received: "
            f"{len(embedded.embeddings)}"
        )
    face = embedded.faces[0]
    x1, y1, x2, y2 = (0.0,) * 4 if face is None else face.box_xyxy.tolist()
    return Template(
        photo=embedded.name,
        photo_sha256=embedded.photo_sha256,
        box_xyxy=None if face is None else (x1, y1, x2, y2),
        score=None if face is None else face.score,
        enrolled_at=now_utc(),
        vector=embedded.embeddings[0],
    )


def _sha256(photo: str) -> str:
    """Of the file's bytes, as Picture.sha256; "" where embedding it will tell what is wrong."""
    try:
        return hashlib.sha256(Path(photo).read_bytes()).hexdigest()
    except OSError:
        return ""
