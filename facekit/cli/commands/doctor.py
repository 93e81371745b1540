"""facekit doctor"""

from __future__ import annotations

import click

from facekit.cli.command import Command
from facekit.cli.options import json_option
from facekit.cli.render.doctor import print_report
from facekit.cli.render.output import emit_json, exit_with


@click.command(cls=Command)
@json_option
def doctor(as_json: bool) -> None:
    """Show what is installed, and what is wrong.

    Versions, runtime, delegates, cache and models.

    Exit code 0 when verify, detect, embed and compare can work, else the code that the first
    problem would give them.

    \b
    Example: facekit doctor
             facekit doctor --json
    """
    from facekit.tasks.doctor import examine

    report = examine()
    if as_json:
        emit_json(report.to_dict())
    else:
        print_report(report)
    exit_with(report.problems)
