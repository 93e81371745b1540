"""The model that a command needs: found, or built where this machine can."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facekit.cli.render.output import note
from facekit.errors import MissingExtraError, ModelMissingError

if TYPE_CHECKING:
    from facekit.model.registry import RegistryEntry
    from facekit.model.store import InstalledModel


def ensure_installed(name: str) -> InstalledModel:
    """The model "name", "name:variant" or a file; built first where it is missing and can be.

    Raises ModelMissingError, which names the commands that bring it, where TensorFlow is not
    installed or the registry does not know how to build it.
    """
    from facekit.model.store import find_all

    try:
        return find_all(name)[0]
    except ModelMissingError:
        entry = _buildable(name)
        if entry is None or not _can_build():
            raise
    from facekit.model.fetch import offline_by_environment

    note(f"model {entry.name} is not here yet: building it, once")
    build_model(entry, offline=offline_by_environment(), only_if_missing=True)
    return find_all(name)[0]


def build_model(
    entry: RegistryEntry,
    *,
    offline: bool = False,
    find_links: Sequence[str] = (),
    from_file: Path | None = None,
    only_if_missing: bool = False,
) -> None:
    """Fetches the sources, builds, tests and installs.  Raises MissingExtraError and more."""
    require_host(f"Building {entry.name}")
    sources = fetch_sources(entry, offline=offline, find_links=find_links, from_file=from_file)
    from facekit.model.installation import install

    def build(folder: Path) -> None:
        from facekit.convert.build import build_files  # TensorFlow: 5 s that a wait may spare

        build_files(entry, sources, folder, progress=note)

    install(entry.name, build, only_if_missing=only_if_missing, on_wait=waiting(entry.name))


def fetch_sources(entry: RegistryEntry, **options: Any) -> tuple[Path, ...]:
    """`facekit.model.fetch.fetch`, with a progress bar on a terminal."""
    from facekit.model.fetch import fetch

    with _download_bar(f"fetching {entry.name}") as progress:
        return fetch(entry, progress=progress, on_wait=waiting(entry.name), **options)


def require_host(needed_for: str) -> None:
    """Raises MissingExtraError where TensorFlow is not installed."""
    if not _can_build():
        raise MissingExtraError("tensorflow", extra="host", needed_for=needed_for)


def waiting(name: str) -> Callable[[], None]:
    """What to call where another process holds the lock on `name`."""
    return partial(note, f"waiting for another process that works on {name}")


def _buildable(name: str) -> RegistryEntry | None:
    from facekit.model import registry

    model, _, variant = name.partition(":")
    if model not in registry.names():
        return None
    entry = registry.entry(model)
    return entry if variant in ("", *entry.variants) else None


def _can_build() -> bool:
    return importlib.util.find_spec("tensorflow") is not None


@contextmanager
def _download_bar(label: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on stderr from the first byte on; None where no person is looking."""
    if not sys.stderr.isatty():
        yield None
        return
    import click

    with ExitStack() as stack:
        bars: list[Any] = []

        def tell(done: int, total: int) -> None:
            if not bars:
                bar = click.progressbar(length=total, label=label, file=sys.stderr)
                bars.append(stack.enter_context(bar))
            bars[0].update(done - bars[0].pos)

        yield tell
