"""gallery recenter: a gallery's templates about the mean embedding that the card has now."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from facekit.gallery.gallery import Gallery
from facekit.reporter import SILENT, Reporter
from facekit.tasks.open_pipeline import PipelineRequest, open_pipeline


@dataclass(frozen=True, slots=True)
class Recentered:
    """What has been brought over."""

    gallery: str
    """its URL, without a password"""
    templates: int
    changed: int
    """all of them, or none where the gallery was of this space already"""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def recenter(
    gallery: Gallery, request: PipelineRequest, *, reporter: Reporter = SILENT
) -> Recentered:
    """Brings the gallery over to the space of the pipeline that `request` describes.

    Raises ModelMismatchError, which names the field, where more than the mean embedding differs,
    and what open_pipeline and the gallery raise.
    """
    pipeline = open_pipeline(request, reporter=reporter)
    mean = pipeline.model.card.calibration.embedding_mean
    changed = gallery.recenter(mean, pipeline.space, reporter=reporter)
    info = gallery.info()
    return Recentered(info.url, info.templates, changed)
