"""Converts what a user typed to the address of a gallery.

This module must import quickly, because a shell completes people's names while they are typed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from facekit.errors import UsageError

_POSTGRES_SCHEMES = ("postgresql://", "postgres://")
_SQLITE_SCHEME = "sqlite:///"


def default_url() -> str:
    """Returns the value of FACEKIT_GALLERY, or gallery.db in the user's data folder if not set."""
    if given := os.environ.get("FACEKIT_GALLERY"):
        return given
    from platformdirs import user_data_path

    return str(user_data_path("facekit", appauthor=False) / "gallery.db")


def is_postgres(url: str) -> bool:
    return url.startswith(_POSTGRES_SCHEMES)


def shown_url(url: str) -> str:
    """Returns the URL without its password, for messages."""
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1@", url)


def sqlite_path(url: str) -> Path:
    """Returns the path in a URL, either PATH or sqlite:///PATH.

    Raises UsageError for another scheme.
    """
    if url.startswith(_SQLITE_SCHEME):
        return Path(url[len(_SQLITE_SCHEME) :])
    if "://" in url:
        raise UsageError(
            "A gallery is a file, sqlite:///FILE or postgresql://HOST/DATABASE. "
            f"Received: {url.partition('://')[0]}://..."
        )
    return Path(url).expanduser()
