"""Options that say where results go, and what may be replaced there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from facekit.cli.types import FILE, FOLDER, AnyCommand

install_option = click.option(
    "--install", metavar="NAME", help="Put the result into the store under this name, for --model."
)


accept_drift_option = click.option(
    "--accept-drift",
    is_flag=True,
    help="Keep a file that no longer tells faces apart, with a warning in its card.",
)


def force_option(replaced: str) -> Callable[[AnyCommand], AnyCommand]:
    """Without it, whatever exists stays as it is: a command refuses before it begins."""
    return click.option("--force", is_flag=True, help=f"Replace {replaced}.")


def output_folder(help_text: str, **extra: Any) -> Callable[[AnyCommand], AnyCommand]:
    return click.option("-o", "--output", type=FOLDER, help=help_text, **extra)


def output_file(help_text: str, **extra: Any) -> Callable[[AnyCommand], AnyCommand]:
    return click.option("-o", "--output", type=FILE, help=help_text, **extra)
