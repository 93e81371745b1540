"""facekit models: what models there are, known or stored, whether they are sound, and moving them.

Building and fetching are in build.py, importing in import_model.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facekit.bench import speed
from facekit.bench.speed import Speed
from facekit.errors import ModelMismatchError
from facekit.model import registry
from facekit.model.card import Card, Source, Task, read_card
from facekit.model.defaults import DefaultModel, default_model
from facekit.model.registry import RegistryEntry
from facekit.model.shipped_calibrations import shipped_calibration
from facekit.model.store import (
    CARD_SUFFIX,
    InstalledModel,
    default_variants,
    find_all,
    home,
    is_installed,
    load_checked,
    paths_of,
    sources_folder,
    stored_names,
    stored_variants,
    variant_path,
)
from facekit.reporter import SILENT, Reporter
from facekit.system.fields import blanks_to_null
from facekit.system.files import require_free
from facekit.tasks.build import ModelFiles
from facekit.template.calibration import Calibration

FMR = 1e-4
"""The false match rate at which `list_models` compares models"""


@dataclass(frozen=True, slots=True)
class MatchRate:
    """How many pairs of one person match where one in 10,000 pairs of strangers does."""

    tar: float
    """share of the genuine pairs, 0..1"""
    detector: str
    """which found the faces"""
    origin: str
    """the pairs and photos that it was measured on"""

    def to_dict(self) -> dict[str, Any]:
        return {"fmr": FMR, **asdict(self)}


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One model of the registry or the store, by what a user chooses by."""

    name: str
    summary: str
    """"" for a model that only the store knows"""
    task: Task
    source: Source
    stored: tuple[str, ...]
    """the variants on this machine"""
    is_default: bool
    size_bytes: int | None
    """of the files that are used where no variant is named; None where they are not stored"""
    download_bytes: int | None
    """of what a build would have to fetch; 0 where that is here, None where nothing builds it"""
    speed: Speed | None
    match_rate: MatchRate | None
    """of the card, or of the calibration that ships; None where nothing was measured"""

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "summary": self.summary or None,
            "task": self.task.value,
            "default": self.is_default,
            "license": self.source.license,
            "origin": self.source.title,
            "url": self.source.url or None,
            "stored_variants": list(self.stored),
            "size_bytes": self.size_bytes,
            "download_bytes": self.download_bytes,
            "embedding_time": self.speed and self.speed.to_dict(),
            "match_rate": self.match_rate and self.match_rate.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class ModelList:
    """The registry's models, then the others that are stored."""

    store: Path
    """the folder that models are kept in"""
    default: DefaultModel
    """what is meant where no model is named"""
    models: tuple[ListedModel, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "store": str(self.store),
            "default_model": self.default.to_dict(),
            "models": [model.to_dict() for model in self.models],
        }


@dataclass(frozen=True, slots=True, eq=False)
class ModelInfo:
    """All that is known of a model."""

    model: str
    """as it was asked for"""
    entry: RegistryEntry | None
    """None for a model that the registry does not know"""
    cards: tuple[tuple[Path, Card], ...]
    """of the files on this machine, each with its path; files are not checked"""

    def __repr__(self) -> str:
        return f"ModelInfo({self.model}, {len(self.cards)} files)"

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "registry": self.entry and _entry_dict(self.entry),
            "files": [{"path": str(path), "card": card.to_dict()} for path, card in self.cards],
        }


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """One stored model file after all its bytes were compared with its card."""

    path: Path
    error: ModelMismatchError | None
    """None where file and card belong together"""

    def to_dict(self) -> dict[str, Any]:
        return {"path": str(self.path), **(self.error.to_dict() if self.error else {"error": None})}


@dataclass(frozen=True, slots=True)
class CheckedFiles:
    """Stored model files after they were compared with their cards."""

    model: str | None
    """as it was asked for; None for all that are stored"""
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
    """Files of one model that are no longer there."""

    model: str
    paths: tuple[Path, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"model": self.model, "removed_paths": [str(path) for path in self.paths]}


@dataclass(frozen=True, slots=True)
class ModelArchive:
    """An archive that was written, and the models in it."""

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


def known_names() -> tuple[str, ...]:
    """The registry's names, then those of other stored models."""
    return tuple(dict.fromkeys((*registry.names(), *stored_names())))


def list_models(*, measure: bool = False, reporter: Reporter = SILENT) -> ModelList:
    """The registry's models, then the others that are stored, with what one chooses by.

    `measure`: time an embedding by each stored model, under a second each; the times are
    remembered.  Raises ModelMismatchError for a stored model without a card that can be read,
    and what `default_model` raises.
    """
    default = default_model()
    stored = {name: _main_file(name) for name in stored_names()}
    if measure:
        of_faces = [one for one in stored.values() if one.card.task is Task.EMBEDDING]
        for model in reporter.steps(of_faces, length=len(of_faces), label="measuring"):
            speed.measure(model)
    return ModelList(
        home(), default, tuple(_listed(name, stored.get(name), default) for name in known_names())
    )


def info(name_or_path: str) -> ModelInfo:
    """Of a registry name, a stored model or a model file.

    Raises ModelMissingError where there is none, ModelMismatchError for a card that is not valid.
    """
    entry = registry.entry(name_or_path) if name_or_path in registry.names() else None
    variants = stored_variants(name_or_path)
    if variants:
        paths = tuple(variant_path(name_or_path, variant) for variant in variants)
    elif entry is None:
        paths = paths_of(name_or_path)
    else:
        paths = ()
    cards = tuple((path, read_card(path.with_suffix(CARD_SUFFIX))) for path in paths)
    return ModelInfo(name_or_path, entry, cards)


def verify(name: str | None = None) -> CheckedFiles:
    """Reads every byte of one model's files, or of all stored ones.

    A net that is missing from a known detector is a problem too.  Raises ModelMissingError
    where `name` is not stored at all.
    """
    names = stored_names() if name is None else (name,)
    return CheckedFiles(name, tuple(_checked(path) for one in names for path in _whole(one)))


def path(name: str) -> ModelFiles:
    """Where a model's files are, checked by their cards; each net of a detector.

    Raises ModelMissingError, which says how to get it, or ModelMismatchError.
    """
    return ModelFiles(name, tuple(model.path for model in find_all(name)))


def remove(name: str, *, sources: bool = False) -> RemovedFiles:
    """Removes "name" with all variants, or "name:variant"; with `sources` the downloaded weights.

    Returns what is gone.  Raises ModelMissingError where there is none, StorageError.
    """
    from facekit.model import installation

    removed = installation.remove_sources(name) if sources else installation.remove(name)
    return RemovedFiles(name, removed)


def export(names: Sequence[str], output: Path, *, force: bool = False) -> ModelArchive:
    """Writes models and their cards to a .tar or .tar.gz.

    Raises UsageError for another suffix and a file that exists without `force`, ModelMissingError,
    ModelMismatchError, StorageError.
    """
    from facekit.model.archive import export_models

    require_free(output, force=force)
    return ModelArchive(output, export_models(names, output))


def _main_file(name: str) -> InstalledModel:
    """The file that is meant where no variant is named, else the first; it is not checked."""
    variants = stored_variants(name)
    wanted = next((one for one in default_variants(name) if one in variants), variants[0])
    path = variant_path(name, wanted)
    return InstalledModel(read_card(path.with_suffix(CARD_SUFFIX)), path)


def _listed(name: str, model: InstalledModel | None, default: DefaultModel) -> ListedModel:
    entry = registry.entry(name) if name in registry.names() else None
    files = [variant_path(name, variant) for variant in default_variants(name)]
    if model is not None:
        task, source, calibration = model.card.task, model.card.source, model.card.calibration
    else:
        assert entry is not None  # a name is known to the registry, or stored
        shipped = shipped_calibration(name, entry.variants[0])
        task, source = entry.task, entry.source
        calibration = Calibration() if shipped is None else shipped.calibration
    return ListedModel(
        name,
        "" if entry is None else entry.summary,
        task,
        source,
        stored_variants(name),
        is_default=name == default.model.partition(":")[0],
        size_bytes=sum(file.stat().st_size for file in files) if is_installed(name) else None,
        download_bytes=None if entry is None else _bytes_to_fetch(entry),
        speed=speed.known_speed(name, model) if task is Task.EMBEDDING else None,
        match_rate=_match_rate(calibration),
    )


def _bytes_to_fetch(entry: RegistryEntry) -> int:
    """Of several downloads with one source file, the first counts."""
    first = {one.source_name: one.size_bytes for one in reversed(entry.downloads)}
    folder = sources_folder(entry.name)
    return sum(size for name, size in first.items() if not (folder / name).is_file())


def _match_rate(calibration: Calibration) -> MatchRate | None:
    space = calibration.space
    for point in calibration.operating_points:
        if point.target == "fmr=1e-4" and point.fnmr is not None:
            detector = "none" if space is None or space.detector is None else space.detector.name
            return MatchRate(1 - point.fnmr, detector, f"{point.protocol}, {point.dataset}")
    return None


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


def _whole(name: str) -> tuple[Path, ...]:
    """All that is stored of "name", and all that the registry builds of it; else as paths_of."""
    variants = stored_variants(name)
    if not variants:
        return paths_of(name)
    built = registry.entry(name).variants if name in registry.names() else ()
    return tuple(variant_path(name, variant) for variant in dict.fromkeys((*built, *variants)))


def _checked(file: Path) -> CheckedFile:
    try:
        load_checked(file, read_all=True)
    except ModelMismatchError as error:
        return CheckedFile(file, error)
    return CheckedFile(file, None)
