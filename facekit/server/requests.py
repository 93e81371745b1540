"""Parses the requests of `facekit serve-stdin`: one JSON object per line.

    {"verify": ["a.jpg", "b.jpg"], "id": 7}
    {"detect": "a.jpg"}
    {"embed": {"base64": "/9j/4AAQ..."}}

A photo is a path, or an encoded file in base64.  `id` may be any JSON value and is returned.  A
line has at most 100 MB, and nothing in it is nested more than 100 levels deep.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, BinaryIO

from facekit.errors import InputError, UsageError
from facekit.photo.reading import PictureSource
from facekit.system.inputs import InputKind, parse_json, reading

_MAX_DEPTH = 100
_LINES = InputKind("JSON Lines", InputError, max_bytes=100_000_000)  # of a line
_REQUEST = InputKind("one JSON object", UsageError, max_bytes=_LINES.max_bytes)


class Verb(str, Enum):
    """One request."""

    VERIFY = "verify"
    DETECT = "detect"
    EMBED = "embed"


_PICTURES = {Verb.VERIFY: 2, Verb.DETECT: 1, Verb.EMBED: 1}


@dataclass(frozen=True, slots=True)
class Request:
    verb: Verb
    pictures: tuple[PictureSource, ...]
    """Two for verify, one for the others."""


def request_lines(stream: BinaryIO | None) -> Iterator[bytes]:
    """Yields each line that is not blank as soon as it is there, with its line end.

    Of a line that is too long, the part that `parse_object` needs to refuse it is yielded, and the
    rest is read without being kept.  Raises InputError if the stream is closed (None) or cannot be
    read.
    """
    with reading(_LINES, "standard input"):
        if stream is None:
            raise InputError("Standard input is closed.")
        while line := stream.readline(_LINES.max_bytes + 1):
            if len(line) > _LINES.max_bytes or line.strip():
                yield line
            while len(line) > _LINES.max_bytes and not line.endswith(b"\n"):
                line = stream.readline(_LINES.max_bytes + 1)


def parse_object(line: bytes) -> dict[str, Any]:
    """Parses the JSON object of a line.  Raises UsageError."""
    if len(line) > _REQUEST.max_bytes:
        raise UsageError(f"A line has at most {_REQUEST.max_bytes:,} bytes. Received: more")
    with reading(_REQUEST, "The line"):
        found = parse_json(line)
    if not isinstance(found, dict):
        raise UsageError(f"A line must be one JSON object. Received: {type(found).__name__}")
    if _is_deeper(found, _MAX_DEPTH):  # it could be parsed, but perhaps not be written as an answer
        raise UsageError(f"A request is nested at most {_MAX_DEPTH} levels deep. Received: more")
    return found


def parse_request(found: dict[str, Any]) -> Request:
    """Checks a request.  Raises UsageError if it is not valid."""
    verbs = [verb for verb in Verb if verb.value in found]
    unknown = sorted(found.keys() - {"id", *(verb.value for verb in Verb)})
    if len(verbs) != 1 or unknown:
        names = ", ".join(verb.value for verb in Verb)
        raise UsageError(
            f"A request has one of the members {names}, and id if you like. "
            f"Received: {_shortened(', '.join(found)) or 'no member'}"
        )
    (verb,) = verbs
    value = found[verb.value]
    pictures = value if isinstance(value, list) else [value]
    if len(pictures) != _PICTURES[verb]:
        raise UsageError(
            f"{verb.value} needs {_PICTURES[verb]} photo(s). Received: {len(pictures)}"
        )
    return Request(verb, tuple(map(_picture, pictures)))


def _picture(value: Any) -> PictureSource:
    if isinstance(value, str) and value != "-":
        _require_path(value)
        return value
    if isinstance(value, dict) and value.keys() == {"base64"} and isinstance(value["base64"], str):
        try:
            return base64.b64decode(value["base64"], validate=True)
        except ValueError as error:
            raise UsageError(f"The photo is not base64: {error}") from error
    raise UsageError(
        'A photo is a path or {"base64": "..."}; "-" cannot be one here, since stdin holds the '
        f"requests. Received: {_shortened(json.dumps(value))}"
    )


def _require_path(text: str) -> None:
    """Raises UsageError for text that no file can have as its path."""
    try:
        possible = text and b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:  # half of a surrogate pair
        possible = False
    if not possible:
        raise UsageError(f"A photo's path needed. Received: {_shortened(json.dumps(text))}")


def _is_deeper(value: dict[str, Any], levels: int) -> bool:
    """Returns whether lists and objects contain each other more than `levels` deep."""
    layer: list[Any] = [value]
    for _ in range(levels):
        layer = [
            inner
            for one in layer
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, (dict, list))
        ]
        if not layer:
            return False
    return True


def _shortened(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}..."
