"""facekit serve"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.command import Command
from facekit.cli.gallery_options import gallery_options
from facekit.cli.options import MOST_THREADS, embedding_options, json_option
from facekit.cli.render.output import emit_json_line
from facekit.cli.requests import service_request
from facekit.cli.threshold_options import threshold_options
from facekit.cli.types import FILE, FOLDER, Real, Whole

if TYPE_CHECKING:
    from facekit.cli.terminal import StopRequest
    from facekit.tasks.gallery import GalleryLocation
    from facekit.template.threshold import ThresholdChoice


@click.command(
    cls=Command, basic="host port uds token-file insecure read-only workers gallery fmr model json"
)
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", help="The address to listen at.")
@click.option("--port", metavar="N", type=Whole(0, 65535), default=8000, help="0 for a free one.")
@click.option("--uds", type=FILE, help="Listen at this path, a Unix socket, instead.")
@click.option(
    "--token-file",
    type=FILE,
    help="Answer whoever sends the token in this file, as Authorization: Bearer.",
)
@click.option(
    "--insecure",
    is_flag=True,
    help="Answer everybody who reaches an --host of the network, without a token.",
)
@click.option(
    "--allow-host",
    "allow_hosts",
    metavar="NAME",
    multiple=True,
    help="A name by which clients may call this machine, beside its addresses; may be repeated.",
)
@click.option(
    "--allow-paths",
    type=FOLDER,
    help="Let requests name photos in this folder by their paths.",
)
@click.option("--read-only", is_flag=True, help="Change nothing in the gallery.")
@click.option(
    "--max-upload-mb",
    metavar="NUMBER",
    type=Real(0, 1000, min_open=True),
    default=20,
    help="Refuse larger requests.",
)
@click.option(
    "--time-limit",
    metavar="SECONDS",
    type=Real(0, 3600, min_open=True),
    default=30,
    help="End a request that takes longer.",
)
@click.option(
    "--queue",
    metavar="N",
    type=Whole(0, 10_000),
    default=32,
    help="Requests that may wait; more are told to come again.",
)
@click.option(
    "--workers",
    metavar="N",
    type=Whole(1, MOST_THREADS),
    help="Worker processes, each with its own networks.",
    show_default="the cores that this process may run on",
)
@gallery_options
@threshold_options(default="1e-3")
@embedding_options
@json_option
def serve(
    choice: ThresholdChoice,
    location: GalleryLocation,
    host: str,
    port: int,
    uds: Path | None,
    token_file: Path | None,
    insecure: bool,
    allow_hosts: tuple[str, ...],
    allow_paths: Path | None,
    read_only: bool,
    max_upload_mb: float,
    time_limit: float,
    queue: int,
    workers: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Answer requests over HTTP.

    The answers are the JSON of the other commands.  Models are loaded once; a line on stderr says
    when it is ready, and with --json an object on stdout.  /docs lists the paths, and deepface's
    /verify and /represent are among them.  Only this machine may ask, unless --token-file or
    --insecure is given; systemd may pass the socket.

    Ctrl-C and SIGTERM end it after the requests under way, with exit code 130 or 143.

    \b
    Example: facekit serve --port 8000 --gallery people.db
             facekit serve --uds /run/facekit/socket --read-only
             facekit serve --host 0.0.0.0 --token-file token
    """
    from facekit.cli.terminal import TerminalReporter, asked_to_stop
    from facekit.server.run import ServerOptions
    from facekit.server.run import serve as run

    stop: StopRequest | None = None

    @contextmanager
    def stopping() -> Iterator[StopRequest]:
        nonlocal stop
        with asked_to_stop(signal.SIGINT, signal.SIGTERM) as stop:
            yield stop

    run(
        service_request(choice, location, **options),
        ServerOptions(
            host=host,
            port=port,
            uds=uds,
            token_file=token_file,
            insecure=insecure,
            allow_hosts=allow_hosts,
            allow_paths=allow_paths,
            read_only=read_only,
            max_upload_bytes=int(max_upload_mb * 1e6),
            longest_s=time_limit,
            workers=workers,
            queue=queue,
        ),
        asked_to_stop=stopping,
        on_ready=emit_json_line if as_json else lambda _: None,
        reporter=TerminalReporter(),
    )
    if stop is not None:
        raise SystemExit(stop.exit_code)
