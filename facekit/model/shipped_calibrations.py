"""The calibrations that ship with facekit, measured on the files that facekit builds.

`facekit calibrate --detector ... -o` writes a file `calibrations/NAME_VARIANT_DETECTOR.json`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from facekit.errors import ModelMismatchError
from facekit.model import registry
from facekit.system.fields import Fields
from facekit.template.calibration import Calibration, parse_calibration

SCHEMA_VERSION = 1
_FOLDER = Path(__file__).with_name("calibrations")


@dataclass(frozen=True, slots=True, eq=False)
class ShippedCalibration:
    """A calibration, and the hash of the model file on which it was measured."""

    model: str
    """"name:variant" """
    model_sha256: str
    calibration: Calibration

    def to_json(self) -> str:
        whole = {
            "schema_version": SCHEMA_VERSION,
            "model": self.model,
            "model_sha256": self.model_sha256,
            "calibration": self.calibration.to_dict(),
        }
        return json.dumps(whole, indent=1, allow_nan=False) + "\n"


def shipped_calibration(name: str, variant: str) -> ShippedCalibration | None:
    """Returns the calibration that ships for this variant, or None if there is none.

    The calibration was measured with the model's usual detector if there is such a file.  The
    calibrations with other detectors are in `calibration.others`.
    Raises ModelMismatchError if a file is not valid, or if the files are about different models.
    """
    paths = sorted(_FOLDER.glob(f"{name}_{variant}_*.json"))
    if not paths:
        return None
    usual = registry.entry(name).card.detector
    first, *others = sorted(map(_read, paths), key=lambda one: one.calibration.detector != usual)
    for one in others:
        if one.model_sha256 != first.model_sha256:
            raise ModelMismatchError(f"Calibrations of {name}:{variant} are of two files.")
    beside = tuple(one.calibration for one in others)
    return replace(first, calibration=replace(first.calibration, others=beside))


def _read(path: Path) -> ShippedCalibration:
    try:
        fields = Fields(json.loads(path.read_bytes()), "calibration file")
        if fields.integer("schema_version") != SCHEMA_VERSION:
            raise ValueError(f"schema_version {SCHEMA_VERSION} needed")
        return ShippedCalibration(
            fields.text("model"),
            fields.sha256("model_sha256"),
            parse_calibration(fields.part("calibration")),
        )
    except (OSError, ValueError) as error:
        raise ModelMismatchError(f"Calibration file {path} is not valid: {error}") from error
