"""Runs commands for the documentation; imported by the cog blocks in README.md and docs/.

`cog -r -I . README.md docs/*.md` writes the outputs anew, scripts/test.sh checks them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cog
from click.testing import CliRunner

from docs.commands import every_command
from facekit.cli import cli
from facekit.model import registry

COLUMNS = "80"
"""Width of a line, for help pages"""

_work = tempfile.TemporaryDirectory()
shutil.copytree("tests/data", _work.name, dirs_exist_ok=True)


def show(*commands: str, hide: str = "") -> None:
    """Writes a console block: each command and what it prints, on stdout and stderr.

    Commands run in a copy of tests/data.  What the regular expression `hide` finds is left out:
    digits that differ from machine to machine.
    """
    cog.outl("```console")
    for command in commands:
        printed = _output(command)
        cog.outl(f"$ {command}")
        cog.out(re.sub(hide, "", printed) if hide else printed)
    cog.outl("```")


def show_help() -> None:
    """Writes a heading and the --help page of every command, groups included."""
    runner = CliRunner(env={"COLUMNS": COLUMNS})
    for path in ((), *every_command()):
        page = runner.invoke(cli, [*path, "--help"], prog_name="facekit").stdout
        cog.outl(f"## {' '.join(('facekit', *path))}\n\n```text\n{page}```\n")


def show_models() -> None:
    """Writes a table of the registry: name, what it is, where it comes from, licence."""
    cog.outl("| name | what | source | licence |\n| --- | --- | --- | --- |")
    for name in registry.names():
        entry = registry.entry(name)
        source = f"[{entry.source.title}]({entry.source.url})"
        cog.outl(f"| `{name}` | {entry.summary} | {source} | {entry.source.licence} |")


def _output(command: str) -> str:
    """Runs it in a shell with this environment's facekit on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        shell=True,
        cwd=_work.name,
        env={**os.environ, "PATH": path, "COLUMNS": COLUMNS},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if "Traceback" in done.stdout:
        raise RuntimeError(f"{command}\n{done.stdout}")
    return done.stdout
