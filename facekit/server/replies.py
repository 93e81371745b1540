"""What travels between a service and its workers, and the JSON of answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from facekit.errors import FacekitError, ImageTooLargeError
from facekit.server.verbs import Verb
from facekit.version import SCHEMA_VERSION

STATUS_OF_EXIT_CODE = {2: 400, 3: 422, 4: 422, 5: 409, 6: 503, 7: 503, 8: 503}
"""The HTTP status of an error; 500 for exit code 70."""


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request."""

    verb: Verb
    content_type: str
    """"" for JSON that was not sent as a body."""
    content: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request."""

    status: int
    content: bytes
    """JSON."""
    error: str | None = None
    """Name of the error's class."""
    face_count: int = 0
    stages_ms: Mapping[str, float] | None = None


def json_bytes(record: Mapping[str, Any]) -> bytes:
    """Returns a record as one line of JSON, with the version of its form."""
    versioned = {"schema_version": SCHEMA_VERSION, **record}
    return json.dumps(versioned, allow_nan=False, separators=(",", ":")).encode()


def status_of(error: Exception) -> int:
    """Returns the HTTP status of an error."""
    if isinstance(error, ImageTooLargeError):
        return 413
    return STATUS_OF_EXIT_CODE.get(error.exit_code, 500) if isinstance(error, FacekitError) else 500


def error_bytes(error: FacekitError) -> bytes:
    """Returns the answer to a request of which nothing was read: its id is null."""
    return json_bytes({"id": None, **error.to_dict()})
