"""Parses the requests of `facekit serve-stdin`: one JSON object per line.

    {"verify": ["a.jpg", "b.jpg"], "id": 7}
    {"detect": "a.jpg"}
    {"embed": {"base64": "/9j/4AAQ..."}}

A photo is a path, or an encoded file in base64.  `id` may be any JSON value and is returned.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from enum import Enum
from typing import Any

from facekit.errors import UsageError
from facekit.photo.reading import PictureSource


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


def parse_object(line: bytes) -> dict[str, Any]:
    """Parses the JSON object of a line.  Raises UsageError."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"A line must be one JSON object. Received no JSON: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(f"A line must be one JSON object. Received: {type(found).__name__}")
    return found


def parse_request(found: dict[str, Any]) -> Request:
    """Checks a request.  Raises UsageError if it is not valid."""
    verbs = [verb for verb in Verb if verb.value in found]
    unknown = sorted(found.keys() - {"id", *(verb.value for verb in Verb)})
    if len(verbs) != 1 or unknown:
        names = ", ".join(verb.value for verb in Verb)
        raise UsageError(
            f"A request has one of the members {names}, and id if you like. "
            f"Received: {', '.join(found) or 'no member'}"
        )
    (verb,) = verbs
    value = found[verb.value]
    pictures = value if isinstance(value, list) else [value]
    if len(pictures) != _PICTURES[verb]:
        raise UsageError(
            f"{verb.value} needs {_PICTURES[verb]} picture(s). Received: {len(pictures)}"
        )
    return Request(verb, tuple(map(_picture, pictures)))


def _picture(value: Any) -> PictureSource:
    if isinstance(value, str) and value != "-":
        return value
    if isinstance(value, dict) and value.keys() == {"base64"} and isinstance(value["base64"], str):
        try:
            return base64.b64decode(value["base64"], validate=True)
        except binascii.Error as error:
            raise UsageError(f"The picture is not base64: {error}") from error
    raise UsageError(
        'A picture is a path or {"base64": "..."}; "-" cannot be one here, since stdin holds the '
        f"requests. Received: {json.dumps(value)[:80]}"
    )
