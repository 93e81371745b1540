"""facekit models list: lists the models of the registry and the store, with properties to choose
by."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facekit.bench import speed
from facekit.bench.speed import Speed
from facekit.enums import MeasuredBy
from facekit.model import registry
from facekit.model.card import Source, Task
from facekit.model.defaults import DefaultModel, default_model
from facekit.model.registry import RegistryEntry
from facekit.model.shipped_calibrations import shipped_calibration
from facekit.model.store import (
    InstalledModel,
    card_of,
    default_variants,
    home,
    is_installed,
    sources_folder,
    stored_names,
    stored_variants,
    variant_path,
)
from facekit.reporter import SILENT, Reporter
from facekit.template.calibration import Calibration

FMR = 1e-4
"""False match rate at which `list_models` compares models."""


@dataclass(frozen=True, slots=True)
class MatchRate:
    """True accept rate at the threshold at which one of 10,000 impostor pairs matches."""

    tar: float
    """Share of the genuine pairs that match, 0..1."""
    detector: str
    """Name of the detector that found the faces."""
    origin: str
    """The pairs and photos of the measurement."""
    measured_by: MeasuredBy

    def to_dict(self) -> dict[str, Any]:
        return {"fmr": FMR, **asdict(self), "measured_by": self.measured_by.value}


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model of the registry or the store, with the properties that a user chooses by."""

    name: str
    summary: str
    """Empty for a model that is in the store but not in the registry."""
    task: Task
    source: Source
    stored: tuple[str, ...]
    """The variants on this machine."""
    is_default: bool
    size_bytes: int | None
    """Size of the files that are used if no variant is named; None if they are not stored."""
    download_bytes: int | None
    """Bytes that a build would download; 0 if they are stored already, None if the model cannot
    be built."""
    speed: Speed | None
    match_rate: MatchRate | None
    """From the card, or from the calibration that ships; None if there is no measurement."""

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
    """The registry's models, then the other stored models."""

    store: Path
    """The folder of stored models."""
    default: DefaultModel
    """Name of the model that is used if none is named."""
    models: tuple[ListedModel, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "store": str(self.store),
            "default_model": self.default.to_dict(),
            "models": [model.to_dict() for model in self.models],
        }


def known_names() -> tuple[str, ...]:
    """Returns the registry's names, then the names of other stored models."""
    return tuple(dict.fromkeys((*registry.names(), *stored_names())))


def list_models(*, measure: bool = False, reporter: Reporter = SILENT) -> ModelList:
    """Returns the registry's models, then the other stored models.

    `measure`: time an embedding by each stored model, under a second each; the times are cached.
    Raises ModelMismatchError for a stored model without a readable card, and the errors of
    `default_model`.
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


def _main_file(name: str) -> InstalledModel:
    """Returns the file that is used if no variant is named, else the first file; it is not
    checked."""
    variants = stored_variants(name)
    wanted = next((one for one in default_variants(name) if one in variants), variants[0])
    path = variant_path(name, wanted)
    return InstalledModel(card_of(path), path)


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
    """Returns the bytes to download; of several downloads with one source file, the first
    counts."""
    first = {one.source_name: one for one in reversed(entry.downloads)}
    folder = sources_folder(entry.name)
    missing = [one for name, one in first.items() if not (folder / name).is_file()]
    return sum({one.file_name: one.size_bytes for one in missing}.values())


def _match_rate(calibration: Calibration) -> MatchRate | None:
    space = calibration.space
    for point in calibration.operating_points:
        if point.target == "fmr=1e-4" and point.fnmr is not None:
            detector = "none" if space is None or space.detector is None else space.detector.name
            return MatchRate(
                1 - point.fnmr,
                detector,
                f"{point.protocol}, {point.dataset}",
                calibration.measured_by,
            )
    return None
