"""Runs `facekit serve`: workers, socket, server, and an orderly end."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facekit.errors import UsageError
from facekit.reporter import SILENT, Reporter
from facekit.server.guards import GuardOptions, read_token
from facekit.server.listen import (
    inherited_socket,
    is_local,
    shown_address,
    tcp_socket,
    tell_systemd,
    unix_socket,
)
from facekit.server.replies import Body, Reply
from facekit.server.verbs import Verb
from facekit.server.work import open_work
from facekit.server.workers import WorkerPool
from facekit.system.extras import EXTRAS, require_installed
from facekit.system.processes import available_cores
from facekit.system.wakeup import Wakeup

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from facekit.tasks.serve import ServiceRequest

_HEAD_S = 10.0
"""Seconds in which the head of a request must have arrived, and which an idle connection lives."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where a service listens, whom it answers, and its limits."""

    host: str = "127.0.0.1"
    port: int = 8000
    uds: Path | None = None
    """Path of a Unix socket, in place of host and port."""
    token_file: Path | None = None
    insecure: bool = False
    """Whether everybody who reaches an address of the network may ask."""
    allow_hosts: tuple[str, ...] = ()
    allow_paths: Path | None = None
    """Folder whose photos a request may name by their paths."""
    read_only: bool = False
    max_upload_bytes: int = 20_000_000
    longest_s: float = 30.0
    """Seconds that a request may wait and take."""
    workers: int | None = None
    """None means one per core that this process may use."""
    queue: int = 32
    """How many requests may be read or wait, beside those that run."""


def serve(
    request: ServiceRequest,
    options: ServerOptions,
    *,
    asked_to_stop: Callable[[], AbstractContextManager[Wakeup]],
    on_ready: Callable[[dict[str, Any]], object] = lambda _: None,
    reporter: Reporter = SILENT,
) -> None:
    """Answers HTTP requests until it is asked to stop, then finishes those that are under way.

    Requests are accepted when all networks are loaded; `on_ready` is called then, with a record of
    address and model.  `asked_to_stop` is entered before; setting what it returns ends the service.
    Raises MissingExtraError, UsageError, StorageError if the socket cannot be had, and the errors
    of opening the pipeline.
    """
    for package in EXTRAS["serve"]:
        require_installed(package, extra="serve", needed_for="facekit serve")
    workers = _worker_count(request, options)
    token = None if options.token_file is None else read_token(options.token_file)
    with ExitStack() as stack:
        listening = stack.enter_context(closing(_listening(options)))
        if options.uds is not None:
            stack.callback(options.uds.unlink, missing_ok=True)
        if not is_local(listening) and token is None and not options.insecure:
            raise UsageError(
                f"{shown_address(listening)} can be reached from other machines: pass "
                "--token-file, or --insecure if everybody may ask."
            )
        stop = stack.enter_context(asked_to_stop())
        pool: WorkerPool[Body, Reply] = WorkerPool(
            partial(
                open_work,
                request,
                allowed=options.allow_paths,
                read_only=options.read_only,
                reporter=reporter,
            ),
            workers=workers,
            longest_s=options.longest_s,
            reporter=reporter,
        )
        stack.callback(pool.close)
        pool.start()
        app = _app(pool, options, token, workers, reporter)
        reply = pool.submit(Body(Verb.PING, "", b"{}")).result()
        address = {"address": shown_address(listening), "worker_count": workers}
        tell_systemd("READY=1")
        on_ready({**json.loads(reply.content), **address})
        reporter.note(f"ready: {shown_address(listening)}, {workers} workers")
        asyncio.run(_run(app, listening, stop, options.longest_s))


def _worker_count(request: ServiceRequest, options: ServerOptions) -> int:
    """Returns the number of workers; one where an accelerator is used, or a bundle names one."""
    pipeline = request.pipeline
    if pipeline.accelerator.requests_accelerator and (options.workers or 1) > 1:
        raise UsageError("An accelerator is used by one process: pass --workers 1.")
    if pipeline.accelerator.requests_accelerator or pipeline.bundle is not None:
        return options.workers or 1
    return options.workers or available_cores()


def _listening(options: ServerOptions) -> socket.socket:
    found = inherited_socket()
    if found is not None:
        return found
    if options.uds is not None:
        return unix_socket(options.uds)
    return tcp_socket(options.host, options.port)


def _app(
    pool: WorkerPool[Body, Reply],
    options: ServerOptions,
    token: str | None,
    workers: int,
    reporter: Reporter,
) -> ASGIApp:
    from facekit.server.app import OPEN_PATHS, AppOptions, make_app

    return make_app(
        pool,
        AppOptions(
            max_body_bytes=options.max_upload_bytes,
            places=workers + options.queue,
            body_s=options.longest_s,
            read_only=options.read_only,
            guard=GuardOptions(token, options.allow_hosts, OPEN_PATHS),
        ),
        reporter=reporter,
    )


async def _run(app: ASGIApp, listening: socket.socket, stop: Wakeup, longest_s: float) -> None:
    import uvicorn

    from facekit.server.connections import TimedConnection

    class Server(uvicorn.Server):
        """Leaves signals to the command, which has told whoever waits for them."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    # What clients send wrong is answered and counted, not logged.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    config = uvicorn.Config(
        app,
        http=partial(TimedConnection, head_s=_HEAD_S),  # type: ignore[arg-type]  # is called alone
        loop="asyncio",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=int(_HEAD_S),
        timeout_graceful_shutdown=int(longest_s) + 5,
    )
    server = Server(config)

    def end() -> None:
        asyncio.get_running_loop().remove_reader(stop)
        server.should_exit = True

    asyncio.get_running_loop().add_reader(stop, end)
    await server.serve(sockets=[listening])
