"""What goes to stdout and stderr, and in which form."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any, NoReturn, Protocol, TextIO

import click

from facekit.cli.render.style import Style, styled
from facekit.errors import FacekitError, UsageError
from facekit.version import SCHEMA_VERSION

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
    """The message on stderr; with --json also an object on stdout, so that a parser gets one.

    It stands on one line, as a reader of JSON Lines needs it.  With --verbose, what it came from is
    told too.
    """
    if as_json:
        try:
            emit_json_line(error.to_dict())
        except OSError:  # the exit code still tells of the first error
            lose(sys.stdout)
    if _verbosity is Verbosity.VERBOSE:
        import traceback

        _tell("".join(traceback.format_exception(error)).rstrip())
    note_error(str(error))


def tell_usage(error: click.ClickException, *, as_json: bool) -> None:
    """What click refuses, as `emit_error` does, and where to read about the command."""
    ctx = getattr(error, "ctx", None)
    message = error.format_message()
    if ctx is not None and message == ctx.get_help():  # a group without a command
        _tell(message)
        return
    emit_error(UsageError(message), as_json=as_json)
    if ctx is not None:
        program, *words = ctx.command_path.split()
        _tell(f"{ctx.get_usage()}\nHelp: {' '.join((program, 'help', *words))}")


class Verbosity(IntEnum):
    """How much a person is told on stderr."""

    QUIET = 0
    NORMAL = 1
    VERBOSE = 2


_verbosity = Verbosity.NORMAL
_began_s = time.perf_counter()


def begin_telling() -> None:
    """To be called where a command begins: nothing is asked for yet, and the clock starts."""
    global _began_s
    _began_s = time.perf_counter()
    set_verbosity(Verbosity.NORMAL)


def set_verbosity(verbosity: Verbosity) -> None:
    """For the rest of the process: whatever its threads tell."""
    global _verbosity
    _verbosity = verbosity


def verbosity() -> Verbosity:
    """What `set_verbosity` was told last."""
    return _verbosity


def note(text: str) -> None:
    """A line for the person at the terminal; stderr, never part of the result.

    With --verbose, the seconds since facekit began stand before it.
    """
    if _verbosity is Verbosity.VERBOSE:
        _tell(f"facekit: {time.perf_counter() - _began_s:.2f} s: {text}")
    elif _verbosity is Verbosity.NORMAL:
        _tell(f"facekit: {text}")


def note_error(text: str) -> None:
    """A line on what went wrong, --quiet or not."""
    mark = styled("error:", Style.ERROR, stream=sys.stderr)
    _tell(f"facekit: {mark} {text}")


def lose(stream: TextIO) -> None:
    """Has all that is written to the stream thrown away, also what its buffer still holds."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _tell(text: str) -> None:
    """Writes to stderr; that nobody can read it there changes neither result nor exit code."""
    try:
        click.echo(text, err=True)
    except OSError:
        lose(sys.stderr)


def exit_with(failures: Iterable[FacekitError] = (), *, answer: bool = True) -> NoReturn:
    """Ends a command with the exit code of its first failure, else 0 for yes and 1 for no.

    The rule is the same for one item and for many, see docs/reference/exit-codes.md.
    `failures`: in the order in which their items were given.  `answer`: False where the answer for
    any item is no.
    """
    first = next(iter(failures), None)
    raise SystemExit(first.exit_code if first is not None else EXIT_YES if answer else EXIT_NO)
