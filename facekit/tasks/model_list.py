"""facekit models list: the models of the registry and of the store, with what one chooses by."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facekit.bench import speed
from facekit.bench.speed import Speed
from facekit.model import registry
from facekit.model.card import Source, Task, read_card
from facekit.model.defaults import DefaultModel, default_model
from facekit.model.registry import RegistryEntry
from facekit.model.shipped_calibrations import shipped_calibration
from facekit.model.store import (
    CARD_SUFFIX,
    InstalledModel,
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
