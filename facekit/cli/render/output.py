"""What goes to stdout and stderr, and in which form."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, Protocol

import click

from facekit.errors import FacekitError

SCHEMA_VERSION = 1
"""Of every JSON result; raised when a member changes its meaning or goes away."""


EXIT_YES, EXIT_NO = 0, 1
"""Same or different, found or not found: results, while every larger code is an error's"""


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


def exit_with(failures: Iterable[FacekitError] = (), *, answer: bool = True) -> NoReturn:
    """Ends a command with the exit code of its first failure, else 0 for yes and 1 for no.

    The rule is the same for one item and for many, see docs/reference/exit-codes.md.
    `failures`: in the order in which their items were given.  `answer`: False where the answer for
    any item is no.
    """
    first = next(iter(failures), None)
    raise SystemExit(first.exit_code if first is not None else EXIT_YES if answer else EXIT_NO)
