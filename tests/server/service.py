"""A `facekit serve` of its own process, and requests to it."""

from __future__ import annotations

import base64
import http.client
import json
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

DATA = Path(__file__).parents[1] / "data"
OBAMA, OBAMA2, BIDEN = (DATA / f"{name}.jpg" for name in ("obama", "obama2", "biden"))


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


@dataclass(frozen=True)
class Service:
    process: subprocess.Popen[str]
    ready: dict[str, Any]

    @property
    def port(self) -> int:
        return int(urlsplit(self.ready["address"]).port or 0)

    def connect(self, *, timeout: float = 60) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        connection = self.connect()
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, **members: Any) -> Answer:
        body = json.dumps(members).encode()
        return self.ask("POST", path, body, {"Content-Type": "application/json"})

    def post_form(self, path: str, *parts: tuple[str, bytes | str | Path]) -> Answer:
        body, kind = form(*parts)
        return self.ask("POST", path, body, {"Content-Type": kind})


def form(*parts: tuple[str, bytes | str | Path]) -> tuple[bytes, str]:
    """Content and Content-Type of multipart/form-data; paths and bytes are uploads."""
    boundary = uuid.uuid4().hex
    body = b"".join(_part(boundary, *part) for part in parts) + f"--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def _part(boundary: str, name: str, value: bytes | str | Path) -> bytes:
    file = "" if isinstance(value, str) else f'; filename="{getattr(value, "name", name)}"'
    content = value.read_bytes() if isinstance(value, Path) else value
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode()
    return head + (content.encode() if isinstance(content, str) else content) + b"\r\n"


def encoded(photo: Path) -> str:
    return encoded_bytes(photo.read_bytes())


def encoded_bytes(content: bytes) -> str:
    return base64.b64encode(content).decode()


@contextmanager
def running(*options: object, code: int = 143) -> Iterator[Service]:
    """Starts the command at a free port, and ends it by SIGTERM."""
    command = [sys.executable, "-m", "facekit", "serve", "--port", "0", "--json"]
    process = subprocess.Popen(
        [*command, *map(str, options)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    if not first:
        raise AssertionError(process.communicate()[1])
    yield Service(process, json.loads(first))
    process.send_signal(signal.SIGTERM)
    out, complaints = process.communicate(timeout=60)
    assert out == ""
    assert "Traceback" not in complaints, complaints
    assert process.returncode == code, complaints
