"""Measures a model's thresholds on labeled photos and writes them to its card or to a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from facekit.errors import UsageError
from facekit.evaluation.calibrate import CalibrationResult
from facekit.evaluation.calibrate import calibrate as measure
from facekit.evaluation.embeddings import PhotoCropper, embed_photos
from facekit.evaluation.metrics.operating_points import DEFAULT_FMR_TARGETS
from facekit.evaluation.protocols.lfw import Protocol
from facekit.model.card import Card
from facekit.model.installation import write_card
from facekit.model.shipped_calibrations import ShippedCalibration
from facekit.reporter import SILENT, Reporter
from facekit.system.files import require_free, write_atomically
from facekit.tasks.evaluate import embed_settings, ensure_detector, installed_for, labeled_photos
from facekit.tasks.open_pipeline import PipelineRequest


@dataclass(frozen=True, slots=True, eq=False)
class CalibratedModel:
    """The measured calibration, and the card that contains it."""

    card: Card
    result: CalibrationResult
    written: bool
    """True if this card was written beside the model file."""
    output: Path | None
    """The calibration file; None if none was requested."""

    def to_dict(self) -> dict[str, Any]:
        result = self.result
        return {
            "model": self.card.full_name,
            "model_sha256": self.card.file_sha256,
            "output": self.output and str(self.output),
            "written": self.written,
            "photo_count": result.photo_count,
            "people_count": result.people_count,
            "failed": [failure.to_dict() for failure in result.failures],
            "expected_calibration_error": result.reliability.expected_calibration_error,
            "calibration": result.calibration.to_dict(),
        }

    def __repr__(self) -> str:
        return f"CalibratedModel({self.card.full_name}, {self.result.photo_count} photos)"


def calibrate(
    request: PipelineRequest,
    *,
    data: Path | None = None,
    protocol: str | None = None,
    pairs: Path | None = None,
    fmr: Sequence[float] = DEFAULT_FMR_TARGETS,
    write: bool = False,
    output: Path | None = None,
    force: bool = False,
    workers: int | None = None,
    ray: str | None = None,
    reporter: Reporter = SILENT,
) -> CalibratedModel:
    """Measures thresholds for given false match rates, and the probability that belongs to a score.

    request: only its model, face policy, crop, detector, limits and runtime are used.  The crop
    goes into the card, where measurements with other detectors are kept.
    data, protocol, pairs: see `labeled_photos` in facekit.tasks.evaluate; of LFW, devtrain is used
    if protocol is None.  The photos of a .bin file are crops: the request must have a crop rule.
    fmr: 0..1.  write: replace the model's card.  output: a calibration file (JSON); force: replace
    an existing one.
    workers, ray: see `facekit.pipeline.photos.map_photos`.
    Raises InputError if there are too few photos or people, UsageError for an FMR that is too low
    for the number of pairs, ModelError, or StorageError.
    """
    require_free(output, force=force)
    installed = installed_for(request, reporter=reporter)
    data_set = labeled_photos(data, protocol=protocol, pairs=pairs, lfw_protocol=Protocol.DEVTRAIN)
    if data_set.are_crops and request.crop.rule is None:
        raise UsageError(
            f"The photos of {data} are crops. Pass --crop none to calibrate for crops that are "
            "used whole, or the crop rule for faces that are searched in them."
        )
    pair_list = data_set.pair_list
    settings = embed_settings(installed.card, request)
    ensure_detector(installed, settings, reporter=reporter)
    embeddings = embed_photos(
        data_set.files_of(pair_list.photos),
        installed,
        settings,
        workers=workers,
        ray=ray,
        reporter=reporter,
    )
    result = measure(
        embeddings,
        pair_list,
        dataset=data_set.name,
        flip=installed.card.flip,
        space=PhotoCropper(installed, settings).pipeline.space,
        fmr_targets=fmr,
    )
    own = installed.card
    calibration = own.calibration.with_measured(result.calibration, usual=own.detector)
    card = replace(own, calibration=calibration, crop=settings.crop or own.crop)
    if write:
        write_card(installed.path, card)
    if output is not None:
        shipped = ShippedCalibration(card.full_name, card.file_sha256, result.calibration)
        text = shipped.to_json()
        write_atomically(output, text.encode())
    return CalibratedModel(card, result, written=write, output=output)
