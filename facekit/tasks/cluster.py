"""cluster: groups faces on photos, copies the photos by group, and draws contact sheets."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facekit.enums import ClusterMethod, Metric
from facekit.errors import StorageError, UsageError
from facekit.photo.sheets import SheetFace, plan_sheets, write_sheet
from facekit.photo.sources import list_pictures, unique_stems
from facekit.pipeline.photos import PhotoFailure, embed_each
from facekit.pipeline.pipeline import Pipeline
from facekit.pipeline.records import EmbeddedPicture
from facekit.reporter import SILENT, Reporter
from facekit.system.files import require_free
from facekit.tasks.open_pipeline import PipelineRequest, open_pipeline
from facekit.template.cluster import cluster as cluster_vectors
from facekit.template.threshold import Threshold, ThresholdChoice, threshold_members
from facekit.template.wording import marked, threshold_text


@dataclass(frozen=True, slots=True)
class GroupedFace:
    """A face of a photo, and its group."""

    group: int
    """Number of the group, from 0; group 0 is the largest."""
    photo: str
    """Name of the photo."""
    face: int
    """Index among the selected faces of the photo, from 0."""
    box_xyxy: tuple[float, float, float, float] | None
    """x1, y1, x2, y2 in pixels of the photo; None for a ready crop."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "group": self.group,
            "photo": self.photo,
            "face": self.face,
            "box_xyxy": self.box_xyxy and list(self.box_xyxy),
        }


@dataclass(frozen=True, slots=True)
class Clustering:
    """Faces grouped by person."""

    method: ClusterMethod
    threshold: Threshold | None
    """Threshold of the mean similarity within a group; None for a method without a threshold."""
    metric: Metric
    """Metric in which the threshold is shown as a distance."""
    faces: tuple[GroupedFace, ...]
    """The faces in the order of the photos."""
    failures: tuple[PhotoFailure, ...]
    model: str
    """The model as "name:variant"."""
    model_sha256: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "method": self.method.value,
            "metric": self.metric.value,
            **threshold_members(self.threshold, self.metric),
            "group_count": len({face.group for face in self.faces}),
            "faces": [face.to_dict() for face in self.faces],
            "failed": [failure.to_dict() for failure in self.failures],
            "model": self.model,
            "model_sha256": self.model_sha256,
        }


def cluster(
    sources: Sequence[str],
    *,
    request: PipelineRequest | None = None,
    method: ClusterMethod = ClusterMethod.AGGLOMERATIVE,
    threshold: ThresholdChoice | None = None,
    copy_to: Path | None = None,
    sheets: Path | None = None,
    force: bool = False,
    reporter: Reporter = SILENT,
) -> Clustering:
    """Groups the selected faces of photos and folders of photos by person.

    `threshold`: of the mean similarity within a group; None means the card's threshold at FMR 1e-3.
    HDBSCAN accepts no threshold.  `copy_to`: folder for copies of the photos, with a subfolder for
    each group.  `sheets`: folder for contact sheets.  `force`: write into folders that are not
    empty.
    A photo that cannot be used is reported and becomes a failure.
    Raises UsageError, ImageError for a folder without a photo, NoOperatingPointError,
    MissingExtraError without scikit-learn, StorageError, and the errors of opening the pipeline.
    """
    threshold = threshold or ThresholdChoice()
    if sheets is not None and "-" in sources:
        raise UsageError(
            "--sheets reads the photos again, and standard input has only one reading."
        )
    require_free(copy_to, sheets, force=force)
    names = list_pictures(sources)
    pipeline = open_pipeline(request or PipelineRequest(), reporter=reporter)
    chosen = _threshold(pipeline, method, threshold)
    faces: list[SheetFace] = []
    numbers: list[int] = []
    vectors = [np.zeros((0, pipeline.model.card.embedding_size), np.float32)]
    failures: list[PhotoFailure] = []
    for result in embed_each(pipeline, names, workers=None, reporter=reporter):
        if isinstance(result, PhotoFailure):
            failures.append(result)
            reporter.failure(result.error)
            continue
        vectors.append(result.embeddings)
        faces += _sheet_faces(result)
        numbers += range(len(result.faces))
    stacked = np.concatenate(vectors)
    similarity = 0.0 if chosen is None else chosen.similarity
    groups = cluster_vectors(stacked, method=method, threshold_similarity=similarity)
    grouped = tuple(
        GroupedFace(group, face.photo, number, face.box_xyxy)
        for group, face, number in zip(groups.tolist(), faces, numbers, strict=True)
    )
    if copy_to is not None:
        _copy(copy_to, grouped)
    if sheets is not None:
        notes = _sheet_notes(pipeline, method, chosen, threshold.metric)
        plan = plan_sheets(faces, groups, stacked, notes=notes)
        for sheet in reporter.steps(plan, length=len(plan), label="drawing"):
            write_sheet(sheets, sheet, limits=pipeline.options.locate.limits)
    return Clustering(
        method,
        chosen,
        threshold.metric,
        grouped,
        tuple(failures),
        pipeline.space.model,
        pipeline.space.model_sha256,
    )


def _threshold(
    pipeline: Pipeline, method: ClusterMethod, choice: ThresholdChoice
) -> Threshold | None:
    if method is not ClusterMethod.HDBSCAN:
        return pipeline.threshold(choice)
    if choice.is_given:
        raise UsageError(
            "hdbscan has no threshold: leave --threshold, --min-similarity and --fmr out."
        )
    return None


def _sheet_faces(photo: EmbeddedPicture) -> Iterator[SheetFace]:
    several = len(photo.faces) > 1
    found = [face for face in (*photo.faces, *photo.others) if face is not None]
    for number, face in enumerate(photo.faces):
        yield SheetFace(
            photo.name,
            None if face is None else face.rounded_box,
            number if several else None,
            tuple(other.rounded_box for other in found if other is not face),
        )


def _sheet_notes(
    pipeline: Pipeline, method: ClusterMethod, threshold: Threshold | None, metric: Metric
) -> tuple[str, ...]:
    """Returns the notes on the sheets: method, threshold, model and crop rule."""
    limit = "no threshold"
    if threshold is not None:
        limit = f"mean {threshold_text(threshold.similarity, metric)} in a group"
        limit = marked(limit, threshold.measured_by)
    return f"{method.value}: {limit}", f"model {pipeline.model_name}; crop {pipeline.crop_spec}"


def _copy(folder: Path, faces: Sequence[GroupedFace]) -> None:
    """Copies photos to the folders of their groups.

    A photo with faces of two groups is copied to both; photos with equal names get numbers.
    """
    stems = unique_stems(face.photo for face in faces)
    width = len(str(max((face.group for face in faces), default=0)))
    try:
        for photo, group in sorted({(face.photo, face.group) for face in faces}):
            target = folder / f"{group:0{width}d}" / f"{stems[photo]}{Path(photo).suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(photo, target)
    except OSError as error:
        raise StorageError(f"Cannot copy to {folder}: {error}") from error
