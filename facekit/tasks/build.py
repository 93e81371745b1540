"""The model that a task needs: found, or fetched and built."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from facekit.errors import MissingExtraError, ModelMissingError
from facekit.model import registry
from facekit.model.card import Task
from facekit.model.registry import RegistryEntry
from facekit.model.store import InstalledModel, find_all
from facekit.reporter import SILENT, Reporter


def ensure_installed(
    name: str | Path, *, task: Task | None = None, reporter: Reporter = SILENT
) -> InstalledModel:
    """The model "name", "name:variant" or a file; built first where it is missing and can be.

    `task`: what it is needed for; an error then names no models for anything else.
    Raises ModelMissingError, which names the commands that bring it, where TensorFlow is not
    installed or the registry does not know how to build it.
    """
    try:
        return find_all(name, task=task)[0]
    except ModelMissingError:
        entry = _buildable(str(name))
        if entry is None or not _can_build():
            raise
    from facekit.model.fetch import offline_by_environment

    reporter.note(f"model {entry.name} is not here yet: building it, once")
    build(entry, offline=offline_by_environment(), only_if_missing=True, reporter=reporter)
    return find_all(name)[0]


def build(
    entry: RegistryEntry,
    *,
    offline: bool = False,
    find_links: Sequence[str] = (),
    from_file: Path | None = None,
    only_if_missing: bool = False,
    reporter: Reporter = SILENT,
) -> None:
    """Fetches the sources of a known model, builds it, tests it and puts it into the store.

    Raises MissingExtraError without TensorFlow, and what `fetch_sources` and `install` raise.
    """
    require_host(f"Building {entry.name}")
    sources = fetch_sources(
        entry, offline=offline, find_links=find_links, from_file=from_file, reporter=reporter
    )
    from facekit.model.installation import install

    def make(folder: Path) -> None:
        from facekit.convert.build import build_files  # TensorFlow: 5 s that a wait may spare

        build_files(entry, sources, folder, progress=reporter.note)

    install(
        entry.name, make, only_if_missing=only_if_missing, on_wait=waiting(entry.name, reporter)
    )


def fetch_sources(
    entry: RegistryEntry,
    *,
    offline: bool = False,
    find_links: Sequence[str] = (),
    from_file: Path | None = None,
    reporter: Reporter = SILENT,
) -> tuple[Path, ...]:
    """The files that a known model is built from, fetched and checked where they are not here.

    Raises FetchError, MissingExtraError, StorageError.
    """
    from facekit.model.fetch import fetch  # pip's machinery, which a model that is here spares

    with reporter.amount(f"fetching {entry.name}") as progress:
        return fetch(
            entry,
            offline=offline,
            find_links=find_links,
            from_file=from_file,
            progress=progress,
            on_wait=waiting(entry.name, reporter),
        )


def require_host(needed_for: str) -> None:
    """Raises MissingExtraError where TensorFlow is not installed."""
    if not _can_build():
        raise MissingExtraError("tensorflow", extra="host", needed_for=needed_for)


def waiting(name: str, reporter: Reporter) -> Callable[[], None]:
    """What to call where another process holds the lock on `name`."""
    return partial(reporter.note, f"waiting for another process that works on {name}")


def _buildable(name: str) -> RegistryEntry | None:
    model, _, variant = name.partition(":")
    if model not in registry.names():
        return None
    entry = registry.entry(model)
    return entry if variant in ("", *entry.variants) else None


def _can_build() -> bool:
    return importlib.util.find_spec("tensorflow") is not None
