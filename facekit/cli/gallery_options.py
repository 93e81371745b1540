"""Options of all commands that use a gallery, and what they open."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from facekit.errors import UsageError

if TYPE_CHECKING:
    from facekit.gallery.gallery import Gallery
    from facekit.gallery.sqlite.encryption import Secret

AnyCommand = TypeVar("AnyCommand", bound=Callable[..., Any])
PASSPHRASE_VARIABLE = "FACEKIT_GALLERY_PASSPHRASE"


def gallery_options(command: AnyCommand) -> AnyCommand:
    """Which gallery, and what unlocks it."""
    for decorate in reversed(
        (
            click.option(
                "--gallery",
                "gallery_url",
                envvar="FACEKIT_GALLERY",
                metavar="URL",
                help="An SQLite file or postgresql://...  [default: gallery.db in the user's data "
                "folder]",
            ),
            click.option(
                "--key-file",
                envvar="FACEKIT_GALLERY_KEY_FILE",
                type=click.Path(path_type=Path, dir_okay=False),
                help=f"Unlocks an encrypted gallery; for a passphrase set {PASSPHRASE_VARIABLE}.",
            ),
        )
    ):
        command = decorate(command)
    return command


def gallery_at(url: str | None, key_file: Path | None, *, create: bool = False) -> Gallery:
    """The gallery that the options name; see facekit.gallery.open."""
    from facekit.gallery.gallery import default_url
    from facekit.gallery.open import open_gallery

    return open_gallery(
        url or default_url(),
        secret=lambda: given_secret(key_file, PASSPHRASE_VARIABLE),
        create=create,
    )


def refresh_index(gallery: Gallery) -> None:
    """After many have been enrolled; without the package every search is exact, and slower."""
    from facekit.cli.render.output import note
    from facekit.cli.terminal import TerminalReporter
    from facekit.errors import MissingExtraError

    try:
        if gallery.refresh_index(reporter=TerminalReporter()):
            note("the approximate index has been made anew")
    except MissingExtraError as error:
        note(str(error))


def given_secret(key_file: Path | None, variable: str) -> Secret | None:
    """Of a key file, the environment or the person at the terminal, in this order."""
    from facekit.gallery.sqlite import encryption

    if key_file is not None:
        return encryption.key_file(key_file)
    if text := os.environ.get(variable):
        return encryption.passphrase(text)
    if sys.stdin.isatty():
        return encryption.passphrase(click.prompt("Passphrase", hide_input=True, err=True))
    return None


def new_secret(key_file: Path | None, variable: str) -> Secret:
    """The same for a secret that is set.  Raises UsageError where none is given."""
    from facekit.gallery.sqlite import encryption

    if key_file is None and variable not in os.environ and sys.stdin.isatty():
        text = click.prompt("New passphrase", hide_input=True, confirmation_prompt=True, err=True)
        return encryption.passphrase(text)
    secret = given_secret(key_file, variable)
    if secret is None:
        raise UsageError(f"A secret is needed: pass a key file, or set {variable}.")
    return secret
