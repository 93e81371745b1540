"""The HTTP interface: which path asks for what, within which limits."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from facekit.errors import FacekitError, ServiceError, UsageError, mistake
from facekit.reporter import SILENT, Reporter
from facekit.server.guards import Guard, GuardOptions
from facekit.server.metrics import CONTENT_TYPE, Metrics
from facekit.server.openapi import document, document_page
from facekit.server.replies import Body, Reply, error_bytes, json_bytes, status_of
from facekit.server.verbs import CHANGES, READ_ROUTES, WORK_ROUTES, Verb
from facekit.server.workers import WorkerPool

PAGE = Path(__file__).resolve().parent / "page"
PAGE_FILES = {
    f"/{'' if path.name == 'index.html' else path.name}": path for path in sorted(PAGE.glob("*.*"))
}
"""The files of the page by their paths; index.html is at /."""
OPEN_PATHS = frozenset(("/healthz", "/readyz", "/docs", "/openapi.json", *PAGE_FILES))
"""Paths that need no token: they hold nothing of anybody."""
_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
_JSON = "application/json"
_RETRY_AFTER = {"Retry-After": "1"}


@dataclass(frozen=True, slots=True)
class AppOptions:
    """The limits of a service."""

    max_body_bytes: int = 20_000_000
    places: int = 34
    """How many requests may be read, wait or run at the same time."""
    body_s: float = 30.0
    """Seconds in which a body must have arrived."""
    read_only: bool = False
    """Whether nothing may change the gallery."""
    guard: GuardOptions = field(default_factory=lambda: GuardOptions(open_paths=OPEN_PATHS))


def make_app(
    pool: WorkerPool[Body, Reply],
    options: AppOptions,
    *,
    reporter: Reporter = SILENT,
) -> ASGIApp:
    """Returns the ASGI application that asks the workers of `pool`."""
    service = _Service(pool, options, reporter)
    app = Starlette(
        routes=[
            *(Route(path, service.read, methods=["GET"]) for path in READ_ROUTES),
            *(Route(path, service.work, methods=["POST"]) for path in WORK_ROUTES),
            *(Route(path, _page_file, methods=["GET"]) for path in PAGE_FILES),
            Route("/healthz", _health, methods=["GET"]),
            Route("/readyz", service.ready, methods=["GET"]),
            Route("/metrics", service.metrics_text, methods=["GET"]),
            Route("/openapi.json", _openapi, methods=["GET"]),
            Route("/docs", _docs, methods=["GET"]),
        ],
        exception_handlers={
            HTTPException: service.refused,
            FacekitError: service.failed,
            ClientDisconnect: service.gone,
        },
    )
    app.router.redirect_slashes = False
    return Guard(app, options.guard)


class _Service:
    """The endpoints that know of the workers, and what they count."""

    def __init__(
        self, pool: WorkerPool[Body, Reply], options: AppOptions, reporter: Reporter
    ) -> None:
        self._pool = pool
        self._options = options
        self._reporter = reporter
        self._under_way = 0
        self._metrics = Metrics()
        self._metrics.watch(
            under_way=lambda: self._under_way, restarts=lambda: self._pool.restart_count
        )

    async def read(self, request: Request) -> Response:
        verb = READ_ROUTES[request.scope["path"]]
        members = dict(request.query_params)
        return await self._asked(request, Body(verb, "", json.dumps(members).encode()))

    async def work(self, request: Request) -> Response:
        verb = WORK_ROUTES[request.scope["path"]]
        if self._options.read_only and verb in CHANGES:
            message = "This service changes no gallery: it was started with --read-only."
            return self._refusal(UsageError(message), status=403)
        content_type = request.headers.get("content-type", "")
        if content_type.partition(";")[0].strip().lower() not in (_JSON, "multipart/form-data"):
            message = (
                f"The body is {_JSON} or multipart/form-data. Received: {content_type[:100]!r}"
            )
            return self._refusal(UsageError(message), status=415)
        return await self._asked(request, Body(verb, content_type, b""))

    async def ready(self, request: Request) -> Response:
        if not self._pool.process_ids:
            raise ServiceError("No worker is ready.")
        return await self._asked(request, Body(Verb.PING, "", b"{}"))

    async def metrics_text(self, _request: Request) -> Response:
        text = self._metrics.text(workers=self._pool.process_ids)
        return Response(text, media_type=CONTENT_TYPE)

    async def _asked(self, request: Request, body: Body) -> Response:
        """Returns what a worker answers, within a place of this request's own."""
        began_s = time.perf_counter()
        if self._under_way >= self._options.places:
            return self._refusal(ServiceError("The service is busy: ask again in a second."))
        self._under_way += 1
        try:
            if body.content_type:
                content = await self._content(request)
                body = Body(body.verb, body.content_type, content)
            reply = await asyncio.wrap_future(self._pool.submit(body))
        finally:
            self._under_way -= 1
        if reply.error is not None:
            self._metrics.add_error(reply.error)
        self._metrics.add_reply(reply)
        seconds = time.perf_counter() - began_s
        self._metrics.add_request(request.scope["path"], reply.status, seconds)
        headers = _RETRY_AFTER if reply.status == 503 else None
        return Response(reply.content, reply.status, headers, _JSON)

    async def _content(self, request: Request) -> bytes:
        """Returns the body.  Raises HTTPException if it is too large, or too slow."""
        most = self._options.max_body_bytes
        stated = request.headers.get("content-length", "0")
        if not stated.isdecimal() or int(stated[:20]) > most:
            raise HTTPException(413, _too_large(most))
        content = bytearray()
        try:
            with anyio.fail_after(self._options.body_s):
                async for chunk in request.stream():
                    content += chunk
                    if len(content) > most:
                        raise HTTPException(413, _too_large(most))
        except TimeoutError:
            message = f"The body must arrive within {self._options.body_s:g} s."
            raise HTTPException(408, message, {"Connection": "close"}) from None
        return bytes(content)

    def _refusal(self, error: FacekitError, *, status: int | None = None) -> Response:
        self._metrics.add_error(type(error).__name__)
        status = status or status_of(error)
        headers = _RETRY_AFTER if status == 503 else None
        return Response(error_bytes(error), status, headers, _JSON)

    async def refused(self, _request: Request, error: Exception) -> Response:
        """Answers what has no route, another method, or a body that is not taken."""
        assert isinstance(error, HTTPException)
        message = {
            404: "There is nothing at this path; /docs lists what there is.",
            405: "This path is asked by another method; /docs tells which.",
        }.get(error.status_code, error.detail)
        self._metrics.add_error("UsageError")
        content = error_bytes(UsageError(message))
        return Response(content, error.status_code, error.headers, _JSON)

    async def failed(self, request: Request, error: Exception) -> Response:
        """Answers an error of the workers."""
        told = error if isinstance(error, FacekitError) else mistake(error)
        response = self._refusal(told)
        self._metrics.add_request(request.scope["path"], response.status_code, 0.0)
        return response

    async def gone(self, _request: Request, _error: Exception) -> Response:
        """Answers nobody: the client has gone before its body was there."""
        return Response(status_code=400)


def _too_large(most: int) -> str:
    return f"A body has at most {most:,} bytes: send a smaller photo, or raise --max-upload-mb."


async def _health(_request: Request) -> Response:
    return Response(json_bytes({"ok": True}), media_type=_JSON)


async def _openapi(_request: Request) -> Response:
    return Response(json.dumps(document()), media_type=_JSON)


async def _docs(_request: Request) -> Response:
    return Response(document_page(), media_type="text/html; charset=utf-8")


async def _page_file(request: Request) -> Response:
    path = PAGE_FILES[request.scope["path"]]
    media_type = f"{_TYPES[path.suffix]}; charset=utf-8"
    return Response(path.read_bytes(), media_type=media_type)
