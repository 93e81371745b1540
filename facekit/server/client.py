"""Asks a running `facekit serve`, without importing NumPy or OpenCV."""

from __future__ import annotations

import http.client
import json
import os
import socket
import uuid
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from facekit.errors import ImageError, ServiceError, UsageError, error_named
from facekit.system.inputs import InputKind, read_input

_PHOTO = InputKind("a photo", ImageError, max_bytes=256_000_000)
_TOKEN = InputKind("a file with a token", UsageError, max_bytes=10_000)
_LONGEST_S = 120.0
_UNIX = "unix:"


class _UnixConnection(http.client.HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_LONGEST_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def verify(
    server: str,
    a: str,
    b: str,
    *,
    members: Mapping[str, Any] | None = None,
    token_file: Path | None = None,
) -> dict[str, Any]:
    """Returns what `facekit verify --json` writes of two photos, without schema_version.

    `server`: http://HOST:PORT, https://... or unix:PATH.  `a`, `b`: paths, or "-" for standard
    input.  `members`: more members of the request, such as fmr.  `token_file`: file with the token
    of the service.
    Raises UsageError for another form of `server`, ImageError if a photo cannot be read,
    ServiceError if the service cannot be reached, and the error that it answers.
    """
    connection, path = _connection(server)
    boundary = uuid.uuid4().hex
    parts = [
        _part(boundary, name, read_input(Path(photo), _PHOTO), file_name=photo)
        for name, photo in (("img1", a), ("img2", b))
    ]
    for name, value in (members or {}).items():
        text = str(value.value if isinstance(value, Enum) else value)
        parts.append(_part(boundary, name, text.encode()))
    body = b"".join((*parts, f"--{boundary}--\r\n".encode()))
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    if token_file is not None:
        token = read_input(token_file, _TOKEN).decode("latin-1").strip()
        headers["Authorization"] = f"Bearer {token}"
    try:
        with suppress(BrokenPipeError, ConnectionResetError):  # an answer may have come before
            connection.request("POST", f"{path}/verify", body, headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        if "error" in answer:
            raise error_named(answer["error"]["type"], answer["error"]["message"])
        return {
            name: value for name, value in answer.items() if name not in ("schema_version", "id")
        }
    except (OSError, http.client.HTTPException) as error:
        raise ServiceError(
            f"The service at {server} cannot be asked: {error or type(error).__name__}. "
            "Does it run? facekit serve starts one."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ServiceError(f"What answers at {server} is no facekit serve.") from error
    finally:
        connection.close()


def _connection(server: str) -> tuple[http.client.HTTPConnection, str]:
    """Returns a connection that is not open yet, and what stands before each path."""
    if server.startswith(_UNIX):
        return _UnixConnection(server.removeprefix(_UNIX)), ""
    try:
        url = urlsplit(server)
        kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        if url.scheme in kinds and url.hostname and not url.query:
            made = kinds[url.scheme](url.hostname, url.port, timeout=_LONGEST_S)
            return made, url.path.rstrip("/")
    except ValueError:  # no port, or no IPv6 address
        pass
    raise UsageError(f"--server is http://HOST:PORT or unix:PATH. Received: {server!r}")


def _part(boundary: str, name: str, content: bytes, *, file_name: str | None = None) -> bytes:
    """Returns a part of a form; see RFC 7578."""
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'.encode()
    if file_name is not None:
        raw = os.fsencode(file_name)
        for sign, escaped in ((b'"', b"%22"), (b"\r", b"%0D"), (b"\n", b"%0A")):
            raw = raw.replace(sign, escaped)
        head += b'; filename="' + raw + b'"'
    return head + b"\r\n\r\n" + content + b"\r\n"
