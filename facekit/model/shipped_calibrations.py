"""The calibrations that ship with facekit, measured on the files that facekit builds.

Anybody can write a card, so a card cannot say who measured its figures.  They are facekit's if
they equal what ships for the card's model file; see `recognized`.

`facekit calibrate --detector ... -o` writes a file `calibrations/NAME_VARIANT_DETECTOR.json`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from facekit.enums import MeasuredBy
from facekit.errors import ModelMismatchError
from facekit.model import registry
from facekit.model.card import Card
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

    @property
    def name(self) -> str:
        """The model's name, without the variant."""
        return self.model.partition(":")[0]

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


def recognized(card: Card) -> Card:
    """Returns the card, each calibration of which states whether it ships with facekit.

    The sha256 of the card's file must be that of the shipped calibration, and every figure, the
    template space and the network's input must be the same.
    """
    if card.calibration.all_measured_by is None:
        return card
    ours = _shipped_for(card.file_sha256)
    if not ours or card.input != registry.entry(ours[0].name).card.input:
        return card

    def seen(calibration: Calibration) -> Calibration:
        known = any(_same_figures(calibration, one.calibration) for one in ours)
        by = MeasuredBy.FACEKIT if known else MeasuredBy.CARD_MAKER
        return replace(calibration, measured_by=by)

    others = tuple(map(seen, card.calibration.others))
    return replace(card, calibration=replace(seen(card.calibration), others=others))


def _same_figures(calibration: Calibration, ours: Calibration) -> bool:
    """Compares all but the name of the model."""
    return (
        calibration.space is not None
        and ours.space is not None
        and not any(ours.space.differences(calibration.space))  # with the mean's sha256
        and calibration.operating_points == ours.operating_points
        and calibration.fmr_curve == ours.fmr_curve
        and calibration.probability == ours.probability
        and calibration.margin in (None, ours.margin)  # files of facekit's first cards have none
        and calibration.source == ours.source
    )


@cache
def _shipped_for(model_sha256: str) -> tuple[ShippedCalibration, ...]:
    """Returns what ships for a model file; only the files that contain its sha256 are parsed."""
    needle = model_sha256.encode()
    paths = [path for path in sorted(_FOLDER.glob("*.json")) if needle in path.read_bytes()]
    return tuple(one for one in map(_read, paths) if one.model_sha256 == model_sha256)


def _read(path: Path) -> ShippedCalibration:
    try:
        fields = Fields(json.loads(path.read_bytes()), "calibration file")
        if fields.integer("schema_version") != SCHEMA_VERSION:
            raise ValueError(f"schema_version {SCHEMA_VERSION} needed")
        return ShippedCalibration(
            fields.text("model"),
            fields.sha256("model_sha256"),
            replace(parse_calibration(fields.part("calibration")), measured_by=MeasuredBy.FACEKIT),
        )
    except (OSError, ValueError) as error:
        raise ModelMismatchError(f"Calibration file {path} is not valid: {error}") from error
