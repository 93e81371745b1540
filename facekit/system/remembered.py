"""What facekit remembers between runs, such as hashes and times: files that may always be lost."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from facekit.errors import StorageError
from facekit.system.files import write_atomically
from facekit.system.inputs import InputKind, parse_json, read_input, reading

_REMEMBERED = InputKind("what facekit remembers", StorageError, max_bytes=100_000_000)


def remembered(path: Path) -> Any:
    """Returns the JSON in the file; None if there is none, or it is damaged."""
    with suppress(StorageError), reading(_REMEMBERED, path):
        return parse_json(read_input(path, _REMEMBERED))
    return None


def remember(path: Path, content: object) -> None:
    """Writes content as JSON, if it can be written: in a read-only home, all is done again."""
    with suppress(StorageError):
        write_atomically(path, json.dumps(content, indent=1).encode())
