"""What is refused before a request is looked at: strangers, other sites' pages, rebound names.

A page of any site may have its visitor's browser send requests to 127.0.0.1.  Three things are
against it.  Where the browser says which site a request comes from (Origin, Sec-Fetch-Site), it
must be this service's own.  The Host must be an address, localhost or a name that was allowed:
DNS rebinding makes a foreign name resolve to 127.0.0.1, and that name is then in Host.  No answer
has CORS headers.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from facekit.errors import UsageError
from facekit.server.replies import error_bytes
from facekit.system.inputs import InputKind, read_input

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_TOKEN = InputKind("a file with a token", UsageError, max_bytes=10_000)
_SHORTEST_TOKEN = 16
_DRAIN_S = 2.0
HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; media-src 'self' blob:; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""What every answer has."""
_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]


@dataclass(frozen=True, slots=True)
class GuardOptions:
    """Who may ask."""

    token: str | None = None
    """What clients must send as Authorization: Bearer; None means that everybody may ask."""
    host_names: Collection[str] = ()
    """Names that Host may have, beside addresses and localhost."""
    open_paths: Collection[str] = ()
    """Paths that need no token."""
    most_drained_bytes: int = 20_000_000
    """How much of a body is read only to be thrown away."""


class Guard:
    """An ASGI application that passes on what is allowed, and adds headers to every answer."""

    def __init__(self, app: ASGIApp, options: GuardOptions) -> None:
        self._app = app
        self._options = options
        self._names = {"localhost", *(name.lower() for name in options.host_names)}
        self._token = None if options.token is None else _digest(options.token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        body = _ReadBody(receive, self._options.most_drained_bytes)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                await body.drain()
                message["headers"] = [*message["headers"], *_RAW_HEADERS]
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, body.receive, send_guarded)
            return
        status, message = refusal
        content = error_bytes(UsageError(message))
        headers = [(b"content-type", b"application/json")]
        if status == 401:
            headers.append((b"www-authenticate", b'Bearer realm="facekit"'))
        await send_guarded({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Returns status and message for a request that is not allowed."""
        headers: dict[str, str] = {}
        for raw_name, raw_value in scope["headers"]:
            name = raw_name.decode("latin-1")
            if name in ("host", "authorization", "content-length") and name in headers:
                return 400, f"A request has one {name}. Received: several"
            headers[name] = raw_value.decode("latin-1")
        host = headers.get("host", "")
        if not self._is_known(host):
            return 421, (
                f"The host {host[:100]!r} is not one of this service. Use its address, or allow "
                "the name by facekit serve --allow-host."
            )
        site = headers.get("sec-fetch-site", "none")
        origin = headers.get("origin")
        is_own = origin is None or origin.partition("://")[2].lower() == host.lower()
        if not is_own or site not in ("none", "same-origin"):
            return 403, "Pages of other sites may not ask this service."
        if self._token is not None and scope["path"] not in self._options.open_paths:
            scheme, _, token = headers.get("authorization", "").partition(" ")
            given = _digest(token.strip())
            if scheme.lower() != "bearer" or not hmac.compare_digest(given, self._token):
                return 401, "A token is needed: send it as Authorization: Bearer TOKEN."
        return None

    def _is_known(self, host: str) -> bool:
        """Returns whether a Host is an address, localhost, or a name that was allowed."""
        found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(:[0-9]{1,5})?", host)
        if found is None:
            return False
        name = found[1].lower()
        return name in self._names or _is_address(name.strip("[]"))


class _ReadBody:
    """The body of a request, of which the rest is read before an answer.

    A client that still sends would else meet a closed connection, and might never read why.
    """

    def __init__(self, receive: Receive, most_bytes: int) -> None:
        self._receive = receive
        self._left_bytes = most_bytes
        self._is_whole = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._left_bytes -= len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._read(), _DRAIN_S)

    async def _read(self) -> None:
        while not self._is_whole and self._left_bytes > 0:
            await self.receive()


def read_token(path: Path) -> str:
    """Returns the token of a file, without the line's end.

    Raises UsageError if the file cannot be read, or if the token is no word of at least 16 ASCII
    characters.
    """
    token = read_input(path, _TOKEN).decode("latin-1").strip()
    if len(token) < _SHORTEST_TOKEN or not re.fullmatch("[!-~]+", token):
        raise UsageError(
            f"{path}: a token of at least {_SHORTEST_TOKEN} ASCII characters without spaces is "
            "needed, such as that of: openssl rand -hex 32"
        )
    return token


def _digest(text: str) -> bytes:
    """Returns what is compared in place of a text, so that lengths are equal too."""
    return hashlib.sha256(text.encode("latin-1", "replace")).digest()


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
