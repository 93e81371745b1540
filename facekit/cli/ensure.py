"""The model that a command needs, with notes and bars on the terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facekit.model.registry import RegistryEntry
    from facekit.model.store import InstalledModel


def ensure_installed(name: str) -> InstalledModel:
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks import build

    return build.ensure_installed(name, reporter=TerminalReporter())


def build_model(entry: RegistryEntry, **options: Any) -> None:
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks import build

    build.build(entry, reporter=TerminalReporter(), **options)


def fetch_sources(entry: RegistryEntry, **options: Any) -> tuple[Path, ...]:
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks import build

    return build.fetch_sources(entry, reporter=TerminalReporter(), **options)


def require_host(needed_for: str) -> None:
    from facekit.tasks import build

    build.require_host(needed_for)


def waiting(name: str) -> Callable[[], None]:
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks import build

    return build.waiting(name, TerminalReporter())
