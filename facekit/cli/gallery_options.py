"""Options of all commands that use a gallery, and the secret that is asked for."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from facekit.cli.types import FILE
from facekit.errors import UsageError

if TYPE_CHECKING:
    from facekit.gallery.sqlite.encryption import SecretSource

AnyCommand = TypeVar("AnyCommand", bound=Callable[..., Any])
PASSPHRASE_VARIABLE = "FACEKIT_GALLERY_PASSPHRASE"


def gallery_url_options(command: AnyCommand) -> AnyCommand:
    """Which gallery, and a key file, as they were typed."""
    for decorate in reversed(
        (
            click.option(
                "--gallery",
                envvar="FACEKIT_GALLERY",
                metavar="URL",
                help="An SQLite file or postgresql://...",
                show_default="gallery.db in the user's data folder",
            ),
            click.option(
                "--key-file",
                envvar="FACEKIT_GALLERY_KEY_FILE",
                type=FILE,
                help=f"Unlocks an encrypted gallery; for a passphrase set {PASSPHRASE_VARIABLE}.",
            ),
        )
    ):
        command = decorate(command)
    return command


def gallery_options(command: Callable[..., None]) -> Callable[..., None]:
    """The same as the argument `location`; a passphrase is asked for where it is needed."""

    @functools.wraps(command)
    def located(*, gallery: str | None, key_file: Path | None, **options: Any) -> None:
        from facekit.tasks.gallery import GalleryLocation

        command(location=GalleryLocation(gallery, _given_secret(key_file)), **options)

    return gallery_url_options(located)


def _given_secret(key_file: Path | None) -> SecretSource:
    """Of a key file, the environment or the person at the terminal, in this order."""
    from facekit.tasks.gallery import secret_source

    passphrase = functools.partial(_passphrase, PASSPHRASE_VARIABLE, "Passphrase")
    return secret_source(key_file, passphrase)


def new_secret(key_file: Path | None, variable: str) -> SecretSource:
    """The same for a secret that is set: a person types it twice.

    The source raises UsageError where none is given.
    """
    from facekit.tasks.gallery import secret_source

    def passphrase() -> str:
        text = _passphrase(variable, "New passphrase", twice=True)
        if text is None:
            raise UsageError(f"A secret is needed: pass a key file, or set {variable}.")
        return text

    return secret_source(key_file, passphrase)


def _passphrase(variable: str, asked: str, *, twice: bool = False) -> str | None:
    """Of the environment, else of the person at the terminal; None where nobody is there."""
    if text := os.environ.get(variable):
        return text
    if sys.stdin is None or not sys.stdin.isatty():
        return None
    return str(click.prompt(asked, hide_input=True, confirmation_prompt=twice, err=True))
