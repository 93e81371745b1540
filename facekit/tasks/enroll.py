"""enroll: enrolls people's photos in a gallery, one transaction per person."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from facekit.enums import QualityGate
from facekit.errors import (
    AmbiguousFaceError,
    FacekitError,
    ImageError,
    NoOperatingPointError,
    UsageError,
)
from facekit.face.quality import LEAST_SCORES, require_quality
from facekit.gallery.gallery import Gallery
from facekit.gallery.identify import default_threshold
from facekit.gallery.lookalikes import Lookalikes, find_lookalikes
from facekit.gallery.records import Template, checked_name, now_utc
from facekit.photo.reading import EncodedSource, read_bytes
from facekit.photo.sources import is_picture_name, list_pictures, people_in
from facekit.pipeline.photos import PhotoFailure, embed_each
from facekit.pipeline.pipeline import Pipeline
from facekit.pipeline.records import EmbeddedPicture
from facekit.reporter import SILENT, Reporter
from facekit.tasks.gallery import GalleryLocation, open_gallery, refresh_index
from facekit.tasks.open_pipeline import PipelineRequest, open_pipeline


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The result of enrolling one person's photos."""

    name: str
    added_count: int
    """Number of templates that are new in the gallery."""
    already_enrolled_count: int
    """Number of photos that were skipped: enrolled under this name before, or passed twice now."""
    failures: tuple[PhotoFailure, ...]
    """The photos from which no template could be computed, each with the reason."""
    is_new: bool
    """True if nobody had this name before."""
    lookalikes: tuple[Lookalikes, ...] = ()
    """Other people whom `identify` may take a new person for, or the reverse, by its default
    threshold; empty for a person who is not new, and if the card has no error rates."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "added_count": self.added_count,
            "already_enrolled_count": self.already_enrolled_count,
            "lookalikes": [pair.to_dict() for pair in self.lookalikes],
            "failed": [failure.to_dict() for failure in self.failures],
        }


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The results of enrolling all people."""

    gallery: str
    """The gallery's URL, without a password."""
    model: str
    """The model as "name:variant"."""
    model_sha256: str
    people: tuple[Enrolment, ...]

    @property
    def failures(self) -> tuple[PhotoFailure, ...]:
        """All photos without a template, in the order of the people."""
        return tuple(failure for person in self.people for failure in person.failures)

    def to_dict(self) -> dict[str, Any]:
        return {
            "gallery": self.gallery,
            "model": self.model,
            "model_sha256": self.model_sha256,
            "people": [person.to_dict() for person in self.people],
        }


def enroll(
    name: str | None = None,
    photos: Sequence[str] = (),
    *,
    data: Path | None = None,
    quality: QualityGate = QualityGate.STANDARD,
    location: GalleryLocation | None = None,
    request: PipelineRequest | None = None,
    on_person: Callable[[Enrolment], object] = lambda _: None,
    reporter: Reporter = SILENT,
) -> Enrolled:
    """Enrolls one person, `name`, from photos and folders of photos, or every person in `data`.

    `data` is a folder with one folder of photos for each person.  Each person is enrolled in one
    transaction, and `on_person` is called after each transaction.  A missing gallery is made.  A
    photo that is already enrolled under the person's name is skipped.  A photo that cannot be used,
    or whose face `quality` refuses, is reported and becomes a failure; the other photos are
    enrolled.  At the end everybody who is new is compared with all others; who is as similar as
    `identify` asks of one person is reported, and stays.  `on_person` is called before, with an
    enrolment without lookalikes.
    Raises UsageError if not exactly one of `name` and `data` is passed, if `name` is passed without
    photos or is a photo, or if a person's name is not valid.  Raises InputError if `data` cannot be
    read or contains no folder, and ImageError if a folder contains no photo.  Raises
    ModelMismatchError and StorageError as `enroll_person` does, and the errors of opening the
    pipeline and the gallery.
    """
    people = _whom(name, photos, data)
    pipeline = open_pipeline(request or PipelineRequest(), reporter=reporter)
    results = []
    with open_gallery(location or GalleryLocation(), create=True) as gallery:
        for person, files in reporter.steps(people, length=len(people), label="enrolling"):
            result = _enrolled(gallery, pipeline, person, files, quality)
            results.append(result)
            for failure in result.failures:
                reporter.failure(failure.error)
            on_person(result)
        refresh_index(gallery, reporter=reporter)
        results = _with_lookalikes(gallery, pipeline, results)
        for pair in dict.fromkeys(pair for one in results for pair in one.lookalikes):
            reporter.note(
                f"are {pair.name} and {pair.other} one person? Their similarity is "
                f"{pair.similarity:.4f}. If so: "
                + shlex.join(["facekit", "gallery", "merge", pair.name, pair.other])
            )
        space = pipeline.space
        return Enrolled(gallery.info().url, space.model, space.model_sha256, tuple(results))


def enroll_person(
    gallery: Gallery,
    pipeline: Pipeline,
    name: str,
    photos: Sequence[EncodedSource],
    *,
    quality: QualityGate = QualityGate.STANDARD,
) -> Enrolment:
    """Enrolls a person as `_enrolled` does, and looks for people who are too similar."""
    person = _enrolled(gallery, pipeline, name, photos, quality)
    (person,) = _with_lookalikes(gallery, pipeline, [person])
    return person


def _enrolled(
    gallery: Gallery,
    pipeline: Pipeline,
    name: str,
    photos: Sequence[EncodedSource],
    quality: QualityGate,
) -> Enrolment:
    """Embeds photos of a person, then enrolls the embeddings in one transaction.

    A photo that is already enrolled under this name is not embedded again.  `quality`: how good a
    detected face must be; ready crops are not rated, and so not refused.  Raises UsageError for
    an invalid name, ModelMismatchError if the gallery's templates are of another template space
    (e.g. of another model), and StorageError if the gallery cannot be read or written.
    """
    name = checked_name(name)
    is_new = gallery.person(name) is None
    have = gallery.photo_hashes(name)
    fresh = [photo for photo in photos if _sha256(photo) not in have]
    templates: list[Template] = []
    failures: list[PhotoFailure] = []
    for result in embed_each(pipeline, fresh):
        if isinstance(result, PhotoFailure):
            failures.append(result)
            continue
        try:
            templates.append(_template(result, LEAST_SCORES[quality]))
        except FacekitError as error:
            failures.append(PhotoFailure(result.name, error))
    mean = pipeline.model.card.calibration.embedding_mean
    added = gallery.add(name, templates, pipeline.space, mean=mean) if templates else 0
    return Enrolment(
        name=name,
        added_count=added,
        already_enrolled_count=len(photos) - len(failures) - added,
        failures=tuple(failures),
        is_new=is_new,
    )


def _with_lookalikes(
    gallery: Gallery, pipeline: Pipeline, people: Sequence[Enrolment]
) -> list[Enrolment]:
    """Returns the enrolments with the lookalikes of everybody who is new."""
    new = [person.name for person in people if person.is_new and person.added_count]
    try:
        threshold = default_threshold(
            pipeline.model.card.calibration,
            pipeline.threshold_space,
            comparisons=gallery.info().template_count,
        )
    except NoOperatingPointError:
        return list(people)
    pairs = find_lookalikes(
        gallery, pipeline.space, threshold_similarity=threshold.similarity, names=new
    )
    return [
        replace(
            person,
            lookalikes=tuple(
                pair
                for pair in pairs
                if person.name in new and person.name in (pair.name, pair.other)
            ),
        )
        for person in people
    ]


def _whom(
    name: str | None, photos: Sequence[str], data: Path | None
) -> list[tuple[str, list[str]]]:
    """Returns (name, photos) of each person to enroll."""
    if (data is None) == (name is None):
        raise UsageError("Pass a name and its photos, or --data.")
    if data is not None:
        return list(people_in(data))
    assert name is not None
    if is_picture_name(name):
        command = shlex.join(["facekit", "enroll", "NAME", name, *photos])
        raise UsageError(f"{name} is a photo, and the person's NAME comes first: {command}")
    if not photos:
        raise UsageError(f"No photo of {name} is given.")
    return [(name, list_pictures(photos))]


def _template(embedded: EmbeddedPicture, least: float | None) -> Template:
    if len(embedded.embeddings) != 1:
        raise AmbiguousFaceError(
            f"{embedded.name}: one face a photo can be enrolled under one name. Received: "
            f"{len(embedded.embeddings)}"
        )
    face, quality = embedded.faces[0], embedded.qualities[0]
    if quality is not None:
        require_quality(quality, least, name=embedded.name)
    return Template(
        # A name that is no UTF-8 has surrogates, which neither SQLite nor PostgreSQL stores.
        photo=embedded.name.encode(errors="backslashreplace").decode(),
        photo_sha256=embedded.photo_sha256,
        box_xyxy=None if face is None else face.rounded_box,
        score=None if face is None else face.score,
        enrolled_at=now_utc(),
        vector=embedded.embeddings[0],
    )


def _sha256(photo: EncodedSource) -> str:
    """Returns the SHA-256 that Picture.sha256 has for this photo.

    Returns "" if it cannot be read, because embedding it then reports the reason.
    """
    try:
        source = Path(photo) if isinstance(photo, str) else photo
        return hashlib.sha256(read_bytes(source)).hexdigest()
    except ImageError:
        return ""
