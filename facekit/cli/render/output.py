"""What goes to stdout and stderr, and in which form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from facekit.errors import FacekitError

SCHEMA_VERSION = 1
"""Of every JSON result; raised when a member changes its meaning or goes away."""


def emit_json(payload: Mapping[str, Any]) -> None:
    """One JSON object on stdout.  Refuses NaN and infinity, which are not JSON."""
    click.echo(json.dumps({"schema_version": SCHEMA_VERSION, **payload}, indent=1, allow_nan=False))


def emit_json_line(payload: Mapping[str, Any]) -> None:
    """One JSON object on a line of its own (JSON Lines)."""
    click.echo(json.dumps({"schema_version": SCHEMA_VERSION, **payload}, allow_nan=False))


def error_payload(error: FacekitError) -> dict[str, Any]:
    """The members of a failed result or record."""
    return {
        "error": {
            "type": type(error).__name__,
            "message": str(error),
            "exit_code": error.exit_code,
        }
    }


def emit_error(error: FacekitError, *, as_json: bool) -> None:
    """The message on stderr; with --json also an object on stdout, so that a parser gets one."""
    if as_json:
        emit_json(error_payload(error))
    note(f"error: {error}")


def note(text: str) -> None:
    """A line for the person at the terminal; stderr, never part of the result."""
    click.echo(f"facekit: {text}", err=True)
