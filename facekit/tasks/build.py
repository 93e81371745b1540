"""The model that a task needs: found, or fetched and built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from facekit.errors import ModelMissingError
from facekit.model import registry
from facekit.model.card import Task
from facekit.model.checksum import file_dict
from facekit.model.registry import RegistryEntry
from facekit.model.store import InstalledModel, find_all
from facekit.reporter import SILENT, Reporter
from facekit.system.extras import is_installed, require_installed


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """Files of one model: networks, or the weights that they are built from."""

    model: str
    """as it was asked for"""
    paths: tuple[Path, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"model": self.model, "files": [file_dict(path) for path in self.paths]}


def ensure_installed(
    name: str | Path,
    *,
    task: Task | None = None,
    build_missing: bool = True,
    reporter: Reporter = SILENT,
) -> InstalledModel:
    """The model "name", "name:variant" or a file; built first where it is missing and can be.

    `task`: what it is needed for; an error then names no models for anything else.
    `build_missing`: False where nothing may be fetched or built.
    Raises ModelMissingError, which names the commands that bring it, where the registry does
    not know how to build it, or where that takes packages that are not installed.
    """
    try:
        return find_all(name, task=task)[0]
    except ModelMissingError:
        entry = _buildable(str(name))
        if entry is None or not (build_missing and _can_build(entry)):
            raise
    reporter.note(f"model {entry.name} is not installed yet: building it once")
    build(entry.name, only_if_missing=True, reporter=reporter)
    return find_all(name)[0]


def build(
    name: str,
    *,
    offline: bool = False,
    find_links: Sequence[str] = (),
    from_file: Path | None = None,
    only_if_missing: bool = False,
    reporter: Reporter = SILENT,
) -> ModelFiles:
    """Fetches the sources of a known model, builds it, tests it and puts it into the store.

    Raises ModelMissingError for a name that the registry does not know, MissingExtraError where
    it takes packages that are not installed, and what `fetch` and `install` raise.
    """
    entry = registry.entry(name)
    for package in entry.weights_format.packages:
        require_installed(package, extra="convert", needed_for=f"Building {name}")
    sources = fetch(
        name, offline=offline, find_links=find_links, from_file=from_file, reporter=reporter
    )
    from facekit.model.installation import install

    def make(folder: Path) -> None:
        from facekit.conversion.build import (
            build_files,  # LiteRT, which a model that is here spares
        )

        build_files(entry, sources.paths, folder, reporter=reporter)

    install(name, make, only_if_missing=only_if_missing, on_wait=waiting(name, reporter))
    return ModelFiles(name, tuple(model.path for model in find_all(name)))


def fetch(
    name: str,
    *,
    offline: bool = False,
    find_links: Sequence[str] = (),
    from_file: Path | None = None,
    reporter: Reporter = SILENT,
) -> ModelFiles:
    """The files that a known model is built from, fetched and checked where they are not here.

    `offline`: the network is not used, nor is it with FACEKIT_OFFLINE=1.  `find_links`: folders
    with wheels.  `from_file`: a file that is there already, instead of fetching one.
    Raises ModelMissingError for an unknown name, FetchError, MissingExtraError, StorageError.
    """
    from facekit.model import fetch as source  # pip's machinery, which a model that is here spares

    paths = source.fetch(
        registry.entry(name),
        offline=offline,
        find_links=find_links,
        from_file=from_file,
        on_wait=waiting(name, reporter),
        reporter=reporter,
    )
    return ModelFiles(name, paths)


def waiting(name: str, reporter: Reporter) -> Callable[[], None]:
    """What to call where another process holds the lock on `name`."""
    return partial(reporter.note, f"waiting for another process that works on {name}")


def _buildable(name: str) -> RegistryEntry | None:
    model, _, variant = name.partition(":")
    if model not in registry.names():
        return None
    entry = registry.entry(model)
    return entry if variant in ("", *entry.variants) else None


def _can_build(entry: RegistryEntry) -> bool:
    return all(map(is_installed, entry.weights_format.packages))
