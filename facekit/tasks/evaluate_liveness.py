"""Evaluates a presentation attack detector on a folder of bona fide photos and of attacks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facekit.enums import PadDecision
from facekit.errors import FaceError, InputError
from facekit.evaluation.metrics.liveness import PadRates, pad_rates
from facekit.face.liveness import PadDetector
from facekit.photo.sources import list_pictures
from facekit.pipeline.locate import Locator
from facekit.pipeline.photos import PhotoFailure
from facekit.reporter import SILENT, Reporter
from facekit.system.extras import require
from facekit.tasks.liveness import open_pad_detector
from facekit.tasks.open_pipeline import PipelineRequest, ensure_detector

BONA_FIDE_FOLDER = "bona-fide"


@dataclass(frozen=True, slots=True)
class LivenessReport:
    """The error rates of a presentation attack detector on one folder."""

    dataset: str
    """Name of the folder."""
    model: str
    """ "name:variant" of the detector."""
    threshold_score: float
    threshold_source: str
    """On what the threshold was chosen, by the detector's card."""
    face_detector: str
    rates: PadRates
    failed: tuple[PhotoFailure, ...]
    """Photos that cannot be read; they count nowhere."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "model": self.model,
            "threshold_score": self.threshold_score,
            "threshold_source": self.threshold_source,
            "face_detector": self.face_detector,
            **self.rates.to_dict(),
            "failed": [failure.to_dict() for failure in self.failed],
        }


def evaluate_liveness(
    folder: Path,
    model: str,
    *,
    request: PipelineRequest | None = None,
    reporter: Reporter = SILENT,
) -> LivenessReport:
    """Classifies the face of each photo, and returns the error rates of ISO/IEC 30107-3.

    `folder` holds the folder bona-fide, and a folder for each species of attack, whose name is that
    of the species; see `facekit.evaluation.metrics.liveness`.  `model`: as for `open_pad_detector`.
    `request`: how faces are found; which of a photo's faces is classified.  A photo without a face
    is a non-response.
    Raises InputError for a folder of another form, or if no photo of a kind can be read,
    MissingExtraError without SciPy, and the errors of `open_pad_detector` and of the face detector.
    """
    require("scipy.stats", extra="evaluate", needed_for="Evaluation")
    request = request or PipelineRequest()
    photos = _photos(folder)
    detector = open_pad_detector(
        model,
        build_missing=request.build_missing,
        threads=request.threads,
        reporter=reporter,
    )
    options = request.locate_options
    ensure_detector(
        options.detector or options.detector_name,
        build_missing=request.build_missing,
        reporter=reporter,
    )
    locator = Locator(options=options)
    decisions: dict[str, list[PadDecision]] = {name: [] for name in photos}
    failed = []
    every = [(name, path) for name, paths in photos.items() for path in paths]
    for name, path in reporter.steps(every, length=len(every), label="classifying"):
        try:
            decisions[name].append(_decision(path, locator, detector))
        except InputError as error:
            failed.append(PhotoFailure(path, error))
    if empty := [name for name, found in decisions.items() if not found]:
        raise InputError(
            f"{folder / empty[0]}: no photo in it can be read. The first failure: "
            f"{next(one.error for one in failed)}"
        )
    return LivenessReport(
        dataset=folder.resolve().name,
        model=detector.name,
        threshold_score=detector.pad.threshold_score,
        threshold_source=detector.pad.threshold_source,
        face_detector=options.detector_name,
        rates=pad_rates(decisions.pop(BONA_FIDE_FOLDER), decisions),
        failed=tuple(failed),
    )


def _photos(folder: Path) -> dict[str, list[str]]:
    """Returns the paths of bona fide photos and of each species, by the name of their folder."""
    if not folder.is_dir():
        raise InputError(f"A folder of presentations is needed. {folder} is not a folder.")
    kinds = sorted(one.name for one in folder.iterdir() if one.is_dir())
    if BONA_FIDE_FOLDER not in kinds or len(kinds) < 2:
        raise InputError(
            f"{folder} must hold the folder {BONA_FIDE_FOLDER}, and a folder for each species of "
            f"attack, such as print and replay. Received: {', '.join(kinds) or 'no folder'}"
        )
    return {kind: list_pictures([str(folder / kind)]) for kind in kinds}


def _decision(path: str, locator: Locator, detector: PadDetector) -> PadDecision:
    try:
        (located,) = locator.locate([path])
    except FaceError:
        return PadDecision.NON_RESPONSE
    found = detector.classify(located.picture.pixels, located.selected[:1])
    return found[0].decision if found else PadDecision.NON_RESPONSE
