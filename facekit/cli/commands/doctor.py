"""facekit doctor"""

from __future__ import annotations

import click

from facekit.cli.options import json_option
from facekit.cli.render.doctor import print_report
from facekit.cli.render.output import emit_json, exit_with


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Show versions, runtime, delegates, cache and models, and what is wrong.

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
