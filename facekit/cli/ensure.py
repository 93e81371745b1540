"""The model that a command needs, with notes and bars on the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facekit.model.store import InstalledModel


def ensure_installed(name: str) -> InstalledModel:
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks import build

    return build.ensure_installed(name, reporter=TerminalReporter())


def waiting(name: str) -> Callable[[], None]:
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks import build

    return build.waiting(name, TerminalReporter())
