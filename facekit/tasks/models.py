"""facekit models: describes, checks, removes and exports models.

model_list.py lists models, build.py builds and fetches them, and import_model.py imports them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facekit.enums import MeasuredBy
from facekit.errors import ModelMismatchError, UsageError
from facekit.model import registry
from facekit.model.card import Card
from facekit.model.registry import RegistryEntry
from facekit.model.store import (
    InstalledModel,
    card_of,
    find_all,
    load_checked,
    paths_of,
    stored_names,
    stored_variants,
    variant_path,
)
from facekit.system.fields import blanks_to_null
from facekit.system.files import require_free, write_atomically
from facekit.tasks.build import ModelFiles


@dataclass(frozen=True, slots=True, eq=False)
class ModelInfo:
    """The registry entry and the cards of a model."""

    model: str
    """The name as the caller stated it."""
    entry: RegistryEntry | None
    """None for a model that is not in the registry."""
    cards: tuple[tuple[Path, Card], ...]
    """Cards of the files on this machine, each with its path; the files are not checked."""

    def __repr__(self) -> str:
        return f"ModelInfo({self.model}, {len(self.cards)} files)"

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "registry": self.entry and _entry_dict(self.entry),
            "files": [
                {
                    "path": str(path),
                    "measured_by": _value(card.calibration.all_measured_by),
                    "card": card.to_dict(),
                }
                for path, card in self.cards
            ],
        }


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """One stored model file after all its bytes were compared with its card."""

    path: Path
    error: ModelMismatchError | None
    """None if file and card belong together."""
    measured_by: MeasuredBy | None = None
    """Who measured the card's figures; None if it has none, or is damaged."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "measured_by": _value(self.measured_by),
            **(self.error.to_dict() if self.error else {"error": None}),
        }


@dataclass(frozen=True, slots=True)
class CheckedFiles:
    """Stored model files after they were compared with their cards."""

    model: str | None
    """The name as the caller stated it; None for all stored models."""
    files: tuple[CheckedFile, ...]

    @property
    def errors(self) -> tuple[ModelMismatchError, ...]:
        return tuple(file.error for file in self.files if file.error is not None)

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "ok": not self.errors,
            "files": [file.to_dict() for file in self.files],
        }


@dataclass(frozen=True, slots=True)
class RemovedFiles:
    """The removed files of one model."""

    model: str
    paths: tuple[Path, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"model": self.model, "removed_paths": [str(path) for path in self.paths]}


@dataclass(frozen=True, slots=True)
class ModelArchive:
    """The archive that was written, and the models in it."""

    output: Path
    models: tuple[InstalledModel, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "output": str(self.output),
            "models": [
                {"model": one.card.full_name, "model_sha256": one.card.file_sha256}
                for one in self.models
            ],
        }


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The files of a new private key and its public key."""

    output: Path
    """The private key."""
    public_key: Path
    public_key_sha256: str
    """SHA-256, in hexadecimal, of the public key's 32 bytes, by which an import names a signer."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "output": str(self.output),
            "public_key": str(self.public_key),
            "public_key_sha256": self.public_key_sha256,
        }


def info(name_or_path: str) -> ModelInfo:
    """Describes a registry name, a stored model or a model file.

    Raises ModelMissingError if there is no such model, and ModelMismatchError for a card that is
    not valid.
    """
    entry = registry.entry(name_or_path) if name_or_path in registry.names() else None
    variants = stored_variants(name_or_path)
    if variants:
        paths = tuple(variant_path(name_or_path, variant) for variant in variants)
    elif entry is None:
        paths = paths_of(name_or_path)
    else:
        paths = ()
    cards = tuple((path, card_of(path)) for path in paths)
    return ModelInfo(name_or_path, entry, cards)


def verify(name: str | None = None) -> CheckedFiles:
    """Compares every byte of one model's files, or of all stored files, with the cards.

    A missing net of a known detector is an error too.  Raises ModelMissingError if `name` is not
    stored at all.
    """
    names = stored_names() if name is None else (name,)
    return CheckedFiles(name, tuple(_checked(path) for one in names for path in _whole(one)))


def path(name: str) -> ModelFiles:
    """Returns the paths of a model's files, checked by their cards; of a detector, of each net.

    Raises ModelMissingError, which names the command that installs the model, or
    ModelMismatchError.
    """
    return ModelFiles(name, tuple(model.path for model in find_all(name)))


def remove(name: str, *, sources: bool = False) -> RemovedFiles:
    """Removes "name" with all variants, or "name:variant"; with `sources`, also downloaded weights.

    Returns the removed files.  Raises ModelMissingError if there is no such model, and StorageError
    if a file cannot be removed.
    """
    from facekit.model import installation

    removed = installation.remove_sources(name) if sources else installation.remove(name)
    return RemovedFiles(name, removed)


def export(
    names: Sequence[str], output: Path, *, sign: Path | None = None, force: bool = False
) -> ModelArchive:
    """Writes models and their cards to a .tar or .tar.gz.

    `sign`: a PEM file with a private key of Ed25519, which signs the archive.
    Raises UsageError for another suffix or an existing file without `force`, ModelMissingError,
    ModelMismatchError, or StorageError.
    """
    from facekit.model.archive import export_models

    require_free(output, force=force)
    return ModelArchive(output, export_models(names, output, sign=sign))


def key(output: Path, *, force: bool = False) -> KeyPair:
    """Makes a pair of Ed25519 keys, with which archives are signed and checked.

    `output`: the PEM file of the private key, whose mode is 0600; the public key is written beside
    it under the same name with the suffix .pub.  `force`: replace existing files.
    Raises UsageError if `output` ends in .pub or one of the files exists without `force`,
    MissingExtraError if cryptography is not installed, and StorageError.
    """
    from facekit.model.signature import new_key_pair

    if output.suffix == ".pub":
        raise UsageError(f"-o names the private key, and not *.pub. Received: {output}")
    public_key = output.with_suffix(".pub")
    require_free(output, public_key, force=force)
    private, public, sha256 = new_key_pair()
    write_atomically(output, private, private=True)
    write_atomically(public_key, public)
    return KeyPair(output, public_key, sha256)


def _entry_dict(entry: RegistryEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "summary": entry.summary,
        "task": entry.task.value,
        "architecture": entry.architecture,
        "weights_format": entry.weights_format.value,
        "variants": list(entry.variants),
        "source": blanks_to_null(asdict(entry.source), "url", "accuracy"),
        "downloads": [
            blanks_to_null(asdict(one), "requirement", "url", "member", "member_sha256")
            for one in entry.downloads
        ],
    }


def _value(measured_by: MeasuredBy | None) -> str | None:
    return measured_by and measured_by.value


def _whole(name: str) -> tuple[Path, ...]:
    """Returns all stored files of "name" and all that the registry builds of it, else as
    `paths_of`."""
    variants = stored_variants(name)
    if not variants:
        return paths_of(name)
    built = registry.entry(name).variants if name in registry.names() else ()
    return tuple(variant_path(name, variant) for variant in dict.fromkeys((*built, *variants)))


def _checked(file: Path) -> CheckedFile:
    try:
        card = load_checked(file, read_all=True).card
    except ModelMismatchError as error:
        return CheckedFile(file, error)
    return CheckedFile(file, None, card.calibration.all_measured_by)
