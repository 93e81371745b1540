"""Decides whether two photos are of one person."""

from __future__ import annotations

from pathlib import Path

from facekit.enums import Liveness
from facekit.face.quality import require_quality
from facekit.photo.reading import PictureSource
from facekit.pipeline.records import Verification
from facekit.reporter import SILENT, Reporter
from facekit.system.files import require_free
from facekit.tasks.liveness import (
    LivenessRequest,
    open_pad_detector,
    require_bona_fide,
    with_liveness,
)
from facekit.tasks.open_pipeline import PipelineRequest, open_pipeline
from facekit.template.threshold import ThresholdChoice


def verify(
    a: PictureSource,
    b: PictureSource,
    *,
    request: PipelineRequest | None = None,
    threshold: ThresholdChoice | None = None,
    min_quality: float | None = None,
    liveness: LivenessRequest | None = None,
    plot: Path | None = None,
    force: bool = False,
    reporter: Reporter = SILENT,
) -> Verification:
    """Compares two photos, or embedding files by their paths.

    `request`, `threshold`: None means the default model and its card's threshold.  `min_quality`:
    the least unified quality score, 0..100, of the two faces that decide.  `liveness`: None detects
    no presentation attacks.  `plot`: file (.png, .svg or .pdf) for a figure of both faces, their
    crops and the decision.  `force`: replace an existing file.
    Raises LowQualityError for a face below `min_quality`, PresentationAttackError for a face that
    is not classified as bona fide where it must be, UsageError for an existing file, and the errors
    of `open_pipeline`, `open_pad_detector`, `ThresholdChoice.of`, `Pipeline.embed`,
    `require_quality` and `plot_verification`.
    """
    require_free(plot, force=force)
    threshold = threshold or ThresholdChoice()
    request, liveness = request or PipelineRequest(), liveness or LivenessRequest()
    detector = None
    if liveness.model is not None:
        detector = open_pad_detector(
            liveness.model,
            build_missing=request.build_missing,
            threads=request.threads,
            reporter=reporter,
        )
    pipeline = open_pipeline(request, reporter=reporter)
    result = pipeline.verify(a, b, threshold=pipeline.threshold(threshold), metric=threshold.metric)
    require_deciding_quality(result, min_quality)
    if detector is not None:
        result = with_liveness(result, detector)
    if liveness.liveness is Liveness.REQUIRE:
        require_bona_fide(result)
    if plot is not None:
        from facekit.tasks.verification_plot import plot_verification

        plot_verification(result, plot)
    return result


def require_deciding_quality(result: Verification, least: float | None) -> None:
    """Raises LowQualityError if a face that decided has a unified quality score below `least`.

    None demands nothing.  Raises UsageError if such a face was not rated.
    """
    for picture, index in result.deciding:
        require_quality(picture.qualities[index], least, name=picture.name)
