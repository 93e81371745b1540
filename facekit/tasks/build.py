"""Finds the model that a task needs, or fetches and builds it."""

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
    """The name as the caller stated it."""
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
    """Returns the model "name", "name:variant" or a file; builds a missing known model first.

    `task`: the task that the model is needed for; an error then names only models for this task.
    `build_missing`: if False, nothing is fetched or built.
    Raises ModelMissingError, which names the commands that install the model, if the registry
    cannot build it or if building it needs packages that are not installed.
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
    """Fetches the sources of a known model, builds it, tests it and installs it in the store.

    Raises ModelMissingError for a name that the registry does not contain, MissingExtraError if
    building needs packages that are not installed, and the errors of `fetch` and `install`.
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
    """Returns the checked files that a known model is built from, and fetches missing ones.

    `offline`: do not use the network, as with FACEKIT_OFFLINE=1.  `find_links`: folders with
    wheels.  `from_file`: an existing file that is used instead of a download.
    Raises ModelMissingError for an unknown name, FetchError if a file cannot be fetched or is
    wrong, MissingExtraError, or StorageError if a file cannot be stored.
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
    """Returns the function to call if another process holds the lock on `name`."""
    return partial(reporter.note, f"waiting for another process that works on {name}")


def _buildable(name: str) -> RegistryEntry | None:
    model, _, variant = name.partition(":")
    if model not in registry.names():
        return None
    entry = registry.entry(model)
    return entry if variant in ("", *entry.variants) else None


def _can_build(entry: RegistryEntry) -> bool:
    return all(map(is_installed, entry.weights_format.packages))
