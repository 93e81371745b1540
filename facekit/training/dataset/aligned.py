"""Reads and writes the records in a folder of aligned crops: align.json and failures.csv."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facekit.enums import CropFormat, CropRule, FacePolicy
from facekit.errors import InputError, UsageError, error_named
from facekit.face.align import landmark_template
from facekit.face.mtcnn.options import MtcnnOptions
from facekit.face.yunet import YunetOptions
from facekit.model.card import DETECTOR
from facekit.pipeline.photos import PhotoFailure
from facekit.system.fields import Fields
from facekit.system.files import write_atomically
from facekit.system.inputs import InputKind, parse_json, read_input, reading
from facekit.template.space import parse_crop
from facekit.types import CropSpec

SCHEMA_VERSION = 1
SETTINGS_NAME = "align.json"
FAILURES_NAME = "failures.csv"
_SETTINGS = InputKind(
    "the settings of a folder of crops",
    InputError,
    max_bytes=1_000_000,
    remedy="Remove it, or pass --force.",
)
_FAILURES = InputKind("a list of failures", InputError, max_bytes=1 << 30)
_COLUMNS = ("photo", "error", "message")


@dataclass(frozen=True, slots=True)
class AlignSettings:
    """All settings that affect the pixels of a crop.

    Raises UsageError if the crop's margin is not less than the crop's height and width.
    """

    crop: CropSpec
    height_px: int
    width_px: int
    format: CropFormat
    face_policy: FacePolicy
    detector: str
    """Name of a detection model, NAME:VARIANT, or the path of a net with its card."""
    detector_options: MtcnnOptions | YunetOptions
    max_pixels: int
    """Largest number of pixels of a photo; photos with more pixels fail."""

    def __post_init__(self) -> None:
        if self.crop.margin_px >= min(self.height_px, self.width_px):
            raise UsageError(
                f"The margin must be less than the crop's sides: {self.crop.margin_px:g} of "
                f"{self.width_px} x {self.height_px} pixels leaves nothing for the face."
            )


def settings_payload(settings: AlignSettings, detector_sha256: Iterable[str]) -> dict[str, Any]:
    """Returns the content of align.json.

    `detector_sha256` are the hashes of the detector's nets.
    """
    plain = json.loads(json.dumps(asdict(settings)))  # tuples become lists, as in the file
    return {"schema_version": SCHEMA_VERSION, **plain, "detector_sha256": list(detector_sha256)}


def keep_settings(folder: Path, payload: dict[str, Any]) -> None:
    """Writes align.json if `folder` has none; otherwise compares `payload` with the existing file.

    Raises UsageError, which names the difference, if the settings differ, because one folder holds
    crops of one kind only.  Raises InputError if align.json cannot be read, and StorageError if
    align.json cannot be written.
    """
    path = folder / SETTINGS_NAME
    kept = read_settings(folder)
    if kept is None:
        write_atomically(path, (json.dumps(payload, indent=1) + "\n").encode())
    elif kept != payload:
        changed = sorted(
            name for name in kept.keys() | payload.keys() if kept.get(name) != payload.get(name)
        )
        told = "; ".join(
            f"{name}: {kept.get(name)} there, {payload.get(name)} now" for name in changed
        )
        raise UsageError(
            f"{folder} was aligned with other settings ({told}). Use the same ones to continue, "
            "another folder, or --force to align every photo again."
        )


def read_settings(folder: Path) -> dict[str, Any] | None:
    """Returns the content of align.json, or None if the file does not exist.

    Raises InputError if the file cannot be read or does not hold an object.
    """
    path = folder / SETTINGS_NAME
    with reading(_SETTINGS, path):
        if not path.exists():
            return None
        raw = parse_json(read_input(path, _SETTINGS))
        if not isinstance(raw, dict):
            raise ValueError("it must hold an object")
        return raw


def aligned_detector(folder: Path) -> str:
    """Returns the detector that found the faces in `folder`, as align.json names it.

    If there is no align.json, returns the default detector.
    Raises InputError if align.json is not valid.
    """
    raw = read_settings(folder)
    try:
        return DETECTOR if raw is None else Fields(raw, SETTINGS_NAME).text("detector")
    except ValueError as error:
        raise InputError(f"{folder / SETTINGS_NAME} is not valid: {error}") from error


def inner_crop(folder: Path, *, height_px: int, width_px: int) -> CropSpec | None:
    """Returns the crop rule of the aligned crops after trimming to `height_px` x `width_px`.

    A crop is trimmed to its center.  If a crop of S pixels with margin m is trimmed to s pixels,
    the result is a crop with margin m - (S - s).  For similarity crops the margin is computed from
    the reference landmarks: (1 - extent in the trimmed crop / extent at margin 0) times the smaller
    of `height_px` and `width_px`.
    Returns None if there is no align.json, if S - s is negative or differs for height and width, or
    if the margin would be negative, i.e. the trimmed crop would not contain the whole face box.
    Raises InputError if align.json is not valid.
    """
    raw = read_settings(folder)
    if raw is None:
        return None
    try:
        fields = Fields(raw, SETTINGS_NAME)
        crop = parse_crop(fields.part("crop"))
        size = fields.integer("height_px"), fields.integer("width_px")
    except ValueError as error:
        raise InputError(f"{folder / SETTINGS_NAME} is not valid: {error}") from error
    assert crop is not None
    trimmed = size[0] - height_px
    if trimmed != size[1] - width_px or trimmed < 0:
        return None
    margin_px = crop.margin_px - trimmed
    if crop.rule is CropRule.SIMILARITY:
        drawn = np.ptp(landmark_template(*size, margin_px=crop.margin_px))
        whole = np.ptp(landmark_template(height_px, width_px))
        margin_px = min(height_px, width_px) * float(1 - drawn / whole)
    margin_px = round(margin_px, 6)
    return None if margin_px < 0 else CropSpec(crop.rule, margin_px, crop.resize_filter)


def read_failures(folder: Path) -> tuple[PhotoFailure, ...]:
    """Returns the failures in failures.csv, or () if the file does not exist.

    Raises InputError if the file cannot be read or is not valid.
    """
    path = folder / FAILURES_NAME
    with reading(_FAILURES, path):
        if not path.exists():
            return ()
        rows = list(csv.reader(read_input(path, _FAILURES).decode().splitlines()))
    if not rows or tuple(rows[0]) != _COLUMNS or any(len(row) != len(_COLUMNS) for row in rows):
        raise InputError(f"{path} is not a list with the columns {', '.join(_COLUMNS)}.")
    return tuple(
        PhotoFailure(photo, error_named(name, message)) for photo, name, message in rows[1:]
    )


def write_failures(folder: Path, failures: Iterable[PhotoFailure]) -> None:
    """Writes failures.csv with all failures, sorted by photo; an existing file is replaced.

    Raises StorageError if the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for one in sorted(failures, key=lambda failure: failure.name):
        message = " ".join(str(one.error).split())
        writer.writerow([one.name, type(one.error).__name__, message])
    write_atomically(folder / FAILURES_NAME, text.getvalue().encode(errors="backslashreplace"))
