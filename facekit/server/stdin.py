"""The loop of `facekit serve-stdin`: one answer per line; networks are loaded once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, BinaryIO

from facekit.errors import InputError, UsageError
from facekit.reporter import SILENT, Reporter
from facekit.server.answers import answered, error_record, ready
from facekit.server.requests import parse_line, parse_object
from facekit.system.inputs import InputKind, reading
from facekit.tasks.serve import Service, ServiceRequest

_LINES = InputKind("JSON Lines", InputError, max_bytes=100_000_000)  # of a line
LINE = InputKind("one JSON object", UsageError, max_bytes=_LINES.max_bytes)
"""One request."""


def serve_lines(
    stream: BinaryIO | None,
    *,
    request: ServiceRequest | None = None,
    reporter: Reporter = SILENT,
) -> Iterator[dict[str, Any]]:
    """Yields what the service answers with, then the answer to each line before reading the next.

    Blank lines are skipped.  An error in a line is its answer, whatever it is.  Raises the errors
    of `Service` before a line is read, and InputError if `stream` is closed (None) or cannot be
    read.
    """
    with closing(Service(request or ServiceRequest(), reporter=reporter)) as service:
        yield {"id": None, **ready(service)}
        for line in request_lines(stream):
            yield answer(line, service, reporter=reporter)


def answer(line: bytes, service: Service, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Returns the record for one request, or its error, with the request's `id` or None."""
    named: dict[str, Any] = {"id": None}
    try:
        found = parse_object(line, kind=LINE, name="A line")
        named = {"id": found.get("id")}
        return named | answered(parse_line(found), service)
    except Exception as error:
        return named | error_record(error, reporter)


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
