"""The token that a service asks for, which it and its clients read from a file."""

from __future__ import annotations

import re
from pathlib import Path

from facekit.errors import UsageError
from facekit.system.inputs import InputKind, read_input

_TOKEN = InputKind("a file with a token", UsageError, max_bytes=10_000)
_SHORTEST = 16


def read_token(path: Path) -> str:
    """Returns the token of a file, without the line's end.

    Raises UsageError if the file cannot be read, or if the token is no word of at least 16 ASCII
    characters.
    """
    token = read_input(path, _TOKEN).decode("latin-1").strip()
    if len(token) < _SHORTEST or not re.fullmatch("[!-~]+", token):
        raise UsageError(
            f"{path}: a token of at least {_SHORTEST} ASCII characters without spaces is needed, "
            "such as that of: openssl rand -hex 32"
        )
    return token
