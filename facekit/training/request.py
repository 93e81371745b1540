"""The request of a run, which is stored in the run's folder.

--resume therefore continues with the same settings.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from facekit.errors import InputError, StorageError, UsageError
from facekit.system.files import remove_folder, write_atomically
from facekit.system.inputs import InputKind, parse_json, read_input, reading
from facekit.training import checkpoint
from facekit.training.config import TrainConfig
from facekit.training.config_file import config_from

CHECKPOINTS_NAME = "checkpoints"
SETTINGS_NAME = "settings.json"
SCHEMA_VERSION = 1
_DATA_NAME = "data.sha256"
_SETTINGS = InputKind("the settings of a training run", UsageError, max_bytes=10_000_000)
_DATA = InputKind("the sha256 of a training run's photos", InputError, max_bytes=1_000)
CURVE = InputKind(
    "the curve of a training run",
    StorageError,
    max_bytes=1 << 30,
    remedy="Move it away to go on without it.",
)
"""It stands here because curve.py needs TensorFlow, and the list of all kinds does not."""


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """The request of a run, without its output folder and its devices."""

    data: Path
    """Folder of aligned crops, with a folder per person."""
    config: TrainConfig
    name: str
    """Name of the trained model."""
    start: str | None = None
    """Model to begin with, in the form that --model accepts, or a file of weights.

    None means initial weights.
    """
    license: str = "not stated: trained by the user"


@dataclass(frozen=True, slots=True)
class Validation:
    """The LFW folder that a run is validated on, and how often."""

    lfw: Path
    every: int = 1
    """Number of epochs between two validations."""


def require_no_run(folder: Path, *, force: bool) -> None:
    """Raises UsageError if the folder already holds a run and `force` is False."""
    if checkpoint.saved(folder / CHECKPOINTS_NAME) and not force:
        raise UsageError(
            f"{folder} holds a training run. Go on with it: facekit train -o {folder} --resume; "
            "pass --force to replace it, or another folder with -o."
        )


def begin(folder: Path, request: TrainRequest) -> None:
    """Writes the request into `folder`, and removes the checkpoints of an earlier run.

    Raises StorageError if the request cannot be written or the checkpoints cannot be removed.
    """
    remove_folder(folder / CHECKPOINTS_NAME)
    (folder / _DATA_NAME).unlink(missing_ok=True)  # left by a run that ended before a checkpoint
    plain = {
        "schema_version": SCHEMA_VERSION,
        "data": str(request.data.absolute()),
        "config": request.config.to_dict(),
        "name": request.name,
        "start": request.start,
        "license": request.license,
    }
    write_atomically(folder / SETTINGS_NAME, (json.dumps(plain, indent=1) + "\n").encode())


def resumed(folder: Path, *, data: Path | None = None) -> TrainRequest:
    """Reads the request of the run in `folder`.

    `data` replaces the path of the run's crops; None keeps the stored path.

    Raises UsageError if the folder holds no run or its settings cannot be read.
    """
    path = folder / SETTINGS_NAME
    with reading(_SETTINGS, path):
        if not path.exists():
            raise UsageError(
                f"{folder} holds no training run: there is no {SETTINGS_NAME} to go on from."
            )
        raw = parse_json(read_input(path, _SETTINGS))
        if raw["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema_version {SCHEMA_VERSION} needed")
        return TrainRequest(
            data=data or Path(raw["data"]),
            config=config_from(raw["config"], {}, origin=str(path)),
            name=str(raw["name"]),
            start=None if raw["start"] is None else str(raw["start"]),
            license=str(raw["license"]),
        )


def require_same_data(folder: Path, sha256: str, *, is_chief: bool) -> None:
    """Stores the hash of the photos if none is stored, or else compares it with the stored one.

    Only the chief process stores the hash.  Raises InputError if the photos have changed, and
    StorageError if the hash cannot be written.
    """
    path = folder / _DATA_NAME
    with reading(_DATA, path):
        stored = read_input(path, _DATA).decode(errors="replace").strip() if path.exists() else None
    if stored is None:
        if is_chief:
            write_atomically(path, f"{sha256}\n".encode())
    elif stored != sha256:
        raise InputError(
            f"The photos are not those that {folder} began with: some were added, removed, "
            "renamed or changed. A run goes on with the same photos only."
        )
