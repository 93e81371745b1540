"""Rates the faces on photos by how well they can be recognized."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from facekit.enums import FacePolicy
from facekit.errors import ModelMismatchError
from facekit.face.quality import FaceQuality
from facekit.face.quality_net import QualityNet
from facekit.model.card import Task
from facekit.pipeline.photos import PhotoFailure
from facekit.pipeline.records import LocatedPicture
from facekit.reporter import SILENT, Reporter
from facekit.runtime.delegates import AcceleratorRequest, open_net
from facekit.tasks.build import ensure_installed
from facekit.tasks.detect import DetectedPhoto, detect
from facekit.tasks.open_pipeline import PipelineRequest


@dataclass(frozen=True, slots=True)
class RatedPhoto:
    """A photo's selected faces with their quality; true if all are as good as was asked."""

    located: LocatedPicture
    qualities: tuple[FaceQuality, ...]
    """(N,) of the selected faces."""
    min_quality: float | None

    def __bool__(self) -> bool:
        least = self.min_quality or 0.0
        return all(quality.unified_score >= least for quality in self.qualities)

    def to_dict(self) -> dict[str, Any]:
        """Returns the photo's name and size, its faces and their quality."""
        told = self.located.to_dict()
        for face, quality in zip(told["faces"], self.qualities, strict=True):
            face["quality"] = quality.to_dict()
        return {
            **told,
            "passed": None if self.min_quality is None else bool(self),
        }


@dataclass(frozen=True, slots=True)
class Ratings:
    """Photos with the quality of their faces, as an iterator, and the detector."""

    detector: str
    """Name of the detector."""
    quality_model: str | None
    """ "name:variant" of the network that gave the unified scores; None for facekit's formula."""
    results: Iterator[RatedPhoto | PhotoFailure]
    """The results in the order of the photos."""


def rate(
    photos: Iterable[str],
    *,
    request: PipelineRequest | None = None,
    min_quality: float | None = None,
    quality_model: str | None = None,
    reporter: Reporter = SILENT,
) -> Ratings:
    """Finds and rates the faces of each photo; a folder stands for the photos below it.

    `request`: None means all faces.  `min_quality`: the least unified quality score, 0..100, that
    the results are compared with.  `quality_model`: a network that gives the unified scores, see
    `open_quality_net`; None means facekit's formula.  A photo without a usable face becomes a
    PhotoFailure and is reported.
    Raises ImageError for a folder without a photo, and the errors of `detect` and
    `open_quality_net`.
    """
    net = None if quality_model is None else open_quality_net(quality_model)
    detection = detect(
        photos, request=request or PipelineRequest(face=FacePolicy.ALL), reporter=reporter
    )
    results = (
        RatedPhoto(result.located, qualities_of(result.located, net), min_quality)
        if isinstance(result, DetectedPhoto)
        else result
        for result in detection.results
    )
    return Ratings(detection.detector, None if net is None else net.name, results)


def open_quality_net(name: str) -> QualityNet:
    """Loads the network "name", "name:variant" or a file with its card, on the CPU.

    Raises ModelMissingError, and ModelMismatchError for a model that does not rate faces.
    """
    model = ensure_installed(name, task=Task.QUALITY)
    card = model.card
    if card.quality is None or card.crop is None:
        raise ModelMismatchError(
            f"A network that rates faces is needed. {card.name} ({card.variant}) is for "
            f"{card.task.value}."
        )
    net = open_net(model.path, request=AcceleratorRequest()).net
    return QualityNet(
        net, spec=card.input, crop=card.crop, quality=card.quality, name=card.full_name
    )


def qualities_of(located: LocatedPicture, net: QualityNet | None) -> tuple[FaceQuality, ...]:
    """Returns the quality of each selected face; `net` gives the unified scores, if it is given."""
    if net is None:
        return located.qualities
    scores = net.rate(located.picture.pixels, located.selected)
    return tuple(
        replace(quality, unified_score=float(score))
        for quality, score in zip(located.qualities, scores, strict=True)
    )
