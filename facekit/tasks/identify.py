"""identify: names the people on each photo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from facekit.enums import IdentityAnswer, Metric, PersonRule
from facekit.errors import AmbiguousPersonError
from facekit.gallery.gallery import Gallery
from facekit.gallery.identify import Identification, OpenSetChoice, OpenSetThreshold
from facekit.gallery.identify import identify as identify_vectors
from facekit.gallery.records import Candidate, GalleryInfo
from facekit.photo.reading import PictureSource
from facekit.photo.sources import list_pictures
from facekit.pipeline.photos import PhotoFailure, embed_each
from facekit.pipeline.pipeline import Pipeline
from facekit.reporter import SILENT, Reporter
from facekit.runtime.delegates import DeviceUse
from facekit.tasks.gallery import GalleryLocation, open_gallery
from facekit.tasks.open_pipeline import PipelineRequest, open_pipeline
from facekit.template.metrics import distance
from facekit.template.threshold import threshold_members
from facekit.types import Face


@dataclass(frozen=True, slots=True)
class IdentifiedFace:
    """A face with its person and the other candidates."""

    face: Face | None
    """The face on the photo; None for a ready crop."""
    answer: Identification
    metric: Metric
    """Metric in which distances are shown."""

    @property
    def name(self) -> str | None:
        """Name of the person; None if the face is unknown or ambiguous."""
        return self.answer.candidates[0].name if self.answer.known else None

    def to_dict(self) -> dict[str, Any]:
        return {
            "face": None if self.face is None else self.face.to_dict(),
            "known": self.answer.known,
            "ambiguous": self.answer.answer is IdentityAnswer.AMBIGUOUS,
            "name": self.name,
            "margin": self.answer.margin,
            "candidates": [
                _candidate_dict(candidate, self.metric) for candidate in self.answer.candidates
            ],
        }


@dataclass(frozen=True, slots=True)
class IdentifiedPhoto:
    """A photo's selected faces, each with its result."""

    name: str
    photo_sha256: str
    faces: tuple[IdentifiedFace, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "photo": self.name,
            "photo_sha256": self.photo_sha256 or None,
            "faces": [face.to_dict() for face in self.faces],
        }


@dataclass(frozen=True, slots=True)
class Identified:
    """The people on each photo, with model, threshold and metric."""

    gallery: GalleryInfo
    by: PersonRule
    threshold: OpenSetThreshold
    model: str
    """The model as "name:variant"."""
    metric: Metric
    """Metric in which distances are shown."""
    model_sha256: str
    device: DeviceUse
    photos: tuple[IdentifiedPhoto, ...]
    failures: tuple[PhotoFailure, ...]

    @property
    def all_known(self) -> bool:
        """True if every face of the photos that could be used is known."""
        return all(face.answer.known for photo in self.photos for face in photo.faces)

    @property
    def ambiguous(self) -> tuple[AmbiguousPersonError, ...]:
        """An error for each ambiguous face, with the two people; empty if there is none."""
        return tuple(
            AmbiguousPersonError(
                f"{photo.name}: face {index} may be {first.name} ({first.similarity:.4f}) or "
                f"{second.name} ({second.similarity:.4f}). Take another photo, enroll more photos "
                "of both, or pass a smaller --min-margin. If both are one person: facekit gallery "
                "merge."
            )
            for photo in self.photos
            for index, face in enumerate(photo.faces)
            if face.answer.answer is IdentityAnswer.AMBIGUOUS
            for first, second in [face.answer.candidates[:2]]
        )

    def to_dict(self) -> dict[str, Any]:
        threshold, rule = self.threshold, self.threshold.margin_rule
        return {
            "gallery": self.gallery.url,
            "people_count": self.gallery.people_count,
            "template_count": self.gallery.template_count,
            "compared_by": self.by.value,
            "metric": self.metric.value,
            **threshold_members(threshold, self.metric),
            "fmr_at_most": threshold.fmr,
            "comparison_count": threshold.comparison_count,
            "predicted_fpir_at_most": threshold.predicted_fpir,
            "min_margin": threshold.min_margin,
            "margin_right_lost": rule and rule.right_lost,
            "margin_wrong_caught": rule and rule.wrong_caught,
            "model": self.model,
            "model_sha256": self.model_sha256,
            **self.device.to_dict(),
            "photos": [photo.to_dict() for photo in self.photos],
            "failed": [failure.to_dict() for failure in self.failures],
        }


def identify(
    sources: Sequence[str],
    *,
    location: GalleryLocation | None = None,
    request: PipelineRequest | None = None,
    threshold: OpenSetChoice | None = None,
    by: PersonRule = PersonRule.BEST,
    top: int = 5,
    on_photo: Callable[[IdentifiedPhoto], object] = lambda _: None,
    reporter: Reporter = SILENT,
) -> Identified:
    """Compares the selected faces of photos and folders of photos with everybody in a gallery.

    `top`: number of candidates per face, 1 or more.  `on_photo` is called after each photo.  A
    photo that cannot be used is reported and becomes a failure.
    Raises UsageError, ImageError for a folder without a photo, ModelMismatchError if the gallery's
    templates are of another model, and the errors of opening the gallery and the pipeline.
    """
    names = list_pictures(sources)
    with open_gallery(location or GalleryLocation()) as gallery:
        pipeline = open_pipeline(request or PipelineRequest(), reporter=reporter)
        return identify_photos(
            gallery,
            pipeline,
            names,
            threshold=threshold or OpenSetChoice(),
            by=by,
            top=top,
            on_photo=on_photo,
            reporter=reporter,
        )


def identify_photos(
    gallery: Gallery,
    pipeline: Pipeline,
    names: Sequence[PictureSource],
    *,
    threshold: OpenSetChoice,
    by: PersonRule,
    top: int,
    on_photo: Callable[[IdentifiedPhoto], object] = lambda _: None,
    reporter: Reporter = SILENT,
) -> Identified:
    """Identifies faces like `identify`, with an open gallery and pipeline."""
    info = gallery.info()
    comparisons = info.template_count if by is PersonRule.BEST else info.people_count
    limit = threshold.of(
        pipeline.model.card.calibration, pipeline.threshold_space, comparisons=comparisons
    )
    metric = threshold.choice.metric
    photos: list[IdentifiedPhoto] = []
    failures: list[PhotoFailure] = []
    for result in embed_each(pipeline, names, label="identifying", reporter=reporter):
        if isinstance(result, PhotoFailure):
            reporter.failure(result.error)
            failures.append(result)
            continue
        answers = identify_vectors(
            gallery,
            result.embeddings,
            pipeline.space,
            threshold_similarity=limit.similarity,
            min_margin=limit.min_margin,
            rule=by,
            top=top,
        )
        faces = map(IdentifiedFace, result.faces, answers, repeat(metric))
        photo = IdentifiedPhoto(result.name, result.photo_sha256, tuple(faces))
        photos.append(photo)
        on_photo(photo)
    return Identified(
        gallery=info,
        by=by,
        threshold=limit,
        metric=metric,
        model=pipeline.model_name,
        model_sha256=pipeline.space.model_sha256,
        device=pipeline.device_use,
        photos=tuple(photos),
        failures=tuple(failures),
    )


def _candidate_dict(candidate: Candidate, metric: Metric) -> dict[str, Any]:
    return {
        "name": candidate.name,
        "similarity": candidate.similarity,
        "distance": distance(candidate.similarity, metric),
        "template_count": candidate.template_count,
    }
