"""The calibrations that ship with facekit: measured on files that it builds itself.

`calibrations/NAME_VARIANT.json`, written by `facekit calibrate -o`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from facekit.errors import ModelMismatchError
from facekit.system.fields import Fields
from facekit.template.calibration import Calibration, parse_calibration

SCHEMA_VERSION = 1
_FOLDER = Path(__file__).with_name("calibrations")


@dataclass(frozen=True, slots=True, eq=False)
class ShippedCalibration:
    """A calibration and the file that it was measured on."""

    file_sha256: str
    calibration: Calibration

    def to_json(self, *, name: str, variant: str) -> str:
        whole = {
            "schema_version": SCHEMA_VERSION,
            "name": name,
            "variant": variant,
            "file_sha256": self.file_sha256,
            "calibration": self.calibration.to_dict(),
        }
        return json.dumps(whole, indent=1, allow_nan=False) + "\n"


def shipped_calibration(name: str, variant: str) -> ShippedCalibration | None:
    """What facekit ships for this variant, or None.

    Raises ModelMismatchError naming the file where it is not valid.
    """
    path = _FOLDER / f"{name}_{variant}.json"
    if not path.is_file():
        return None
    try:
        fields = Fields(json.loads(path.read_bytes()), "calibration file")
        if fields.integer("schema_version") != SCHEMA_VERSION:
            raise ValueError(f"schema_version {SCHEMA_VERSION} needed")
        return ShippedCalibration(
            fields.sha256("file_sha256"), parse_calibration(fields.part("calibration"))
        )
    except (OSError, ValueError) as error:
        raise ModelMismatchError(f"Calibration file {path} is not valid: {error}") from error
