"""What goes to stdout and stderr, and in which form."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, Protocol

import click

from facekit.errors import FacekitError

SCHEMA_VERSION = 1
"""Of every JSON result; raised when a member changes its meaning or goes away."""


class Result(Protocol):
    """What a task answers."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        ...


def emit_json(payload: Mapping[str, Any]) -> None:
    """One JSON object on stdout.  Refuses NaN and infinity, which are not JSON."""
    click.echo(json.dumps({"schema_version": SCHEMA_VERSION, **payload}, indent=1, allow_nan=False))


def print_result(result: Result, text: str, *, as_json: bool) -> None:
    """A result as one JSON object, or as `text`."""
    if as_json:
        emit_json(result.to_dict())
    else:
        click.echo(text)


def emit_json_line(payload: Mapping[str, Any]) -> None:
    """One JSON object on a line of its own (JSON Lines)."""
    click.echo(json.dumps({"schema_version": SCHEMA_VERSION, **payload}, allow_nan=False))


def emit_error(error: FacekitError, *, as_json: bool) -> None:
    """The message on stderr; with --json also an object on stdout, so that a parser gets one."""
    if as_json:
        emit_json(error.to_dict())
    note(f"error: {error}")


def note(text: str) -> None:
    """A line for the person at the terminal; stderr, never part of the result."""
    click.echo(f"facekit: {text}", err=True)


def exit_of(failures: Sequence[FacekitError], otherwise: int = 0) -> NoReturn:
    """Ends a command over a list: with the exit code of the first failure, else with another."""
    raise SystemExit(failures[0].exit_code if failures else otherwise)
