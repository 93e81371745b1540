"""Options that have a running service answer in place of this process."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from facekit.cli.render.output import emit_json, exit_with
from facekit.cli.types import FILE
from facekit.errors import UsageError

_PASSED_ON = {"photos", "metric", "threshold", "min_similarity", "fmr", "face"}
_HERE = {"as_json", "server", "token_file", "offline"}


def server_options(command: Callable[..., None]) -> Callable[..., None]:
    """--server and --token-file of `facekit verify`; the command runs where neither is given.

    It stands above all other options, so that a service is asked before anything is imported that
    takes long.
    """

    @functools.wraps(command)
    def asked(*, server: str | None, token_file: Path | None, **options: Any) -> None:
        if server:
            _ask(server, token_file, **options)
        command(**options)

    for decorate in (
        click.option(
            "--token-file",
            type=FILE,
            envvar="FACEKIT_TOKEN_FILE",
            help="Send the token in this file to the service of --server.",
        ),
        click.option(
            "--server",
            metavar="URL",
            envvar="FACEKIT_SERVER",
            help="Ask this facekit serve, http://HOST:PORT or unix:PATH, in place of loading "
            "models here.",
        ),
    ):
        asked = decorate(asked)
    return asked


def _ask(
    server: str,
    token_file: Path | None,
    *,
    photos: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    from facekit.cli.render.verification import print_verification
    from facekit.server.client import verify

    _require_passed_on()
    if len(photos) != 2:
        raise UsageError(f"Two photos are needed. Received: {len(photos)}")
    given = {name: options[name] for name in sorted(_PASSED_ON - {"photos"}) if _is_given(name)}
    record = verify(server, *photos, members=given, token_file=token_file)
    if as_json:
        emit_json(record)
    else:
        runs_on = record["device"]
        print_verification(record, device=None if runs_on == "cpu" else runs_on)
    exit_with(answer=record["verified"])


def _require_passed_on() -> None:
    """Raises UsageError for an option that the service has of its own."""
    ctx = click.get_current_context()
    for parameter in ctx.command.params:
        name = parameter.name or ""
        if name in _PASSED_ON | _HERE or not parameter.expose_value or not _is_given(name):
            continue
        raise UsageError(
            f"{parameter.opts[0]} goes without --server: a service was started with its own."
        )


def _is_given(name: str) -> bool:
    """Whether an option is typed, or stands in a configuration."""
    source = click.get_current_context().get_parameter_source(name)
    return source in (
        click.core.ParameterSource.COMMANDLINE,
        click.core.ParameterSource.DEFAULT_MAP,
    )
