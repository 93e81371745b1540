"""Runs commands for the documentation; imported by the cog blocks in README.md and docs/.

`cog -r -I docs README.md docs/cli.md` writes the outputs anew, scripts/test.sh checks them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import cog

from facekit.cli import cli

PHOTOS = Path("tests/data")


def show(*commands: str, hide: str = "") -> None:
    """Writes a console block: each command with what it prints and its exit code.

    Commands run in tests/data.  What the regular expression `hide` finds, timings for example,
    is replaced by "...", since it differs from machine to machine.
    """
    cog.outl("```console")
    for command in commands:
        done = _run(command)
        printed = re.sub(hide, "...", done.stdout) if hide else done.stdout
        cog.outl(f"$ {command}")
        cog.out(printed)
        cog.outl(f"$ echo $?\n{done.returncode}")
    cog.outl("```")


def show_help() -> None:
    """Writes a heading and the --help page of every command, groups included."""
    for path in ((), *_commands(cli, ())):
        line = " ".join(("facekit", *path))
        cog.outl(f"## {line}\n\n```text")
        cog.out(_run(f"{line} --help").stdout)
        cog.outl("```\n")


def _run(command: str) -> subprocess.CompletedProcess[str]:
    """In a shell, with this environment's facekit on the path and lines of 80 columns."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        shell=True,
        cwd=PHOTOS,
        env={**os.environ, "PATH": path, "COLUMNS": "80"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if "Traceback" in done.stderr:
        raise RuntimeError(f"{command}\n{done.stderr}")
    return done


def _commands(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))
