"""facekit doctor"""

from __future__ import annotations

from pathlib import Path

import click

from facekit.cli.command import Command
from facekit.cli.options import bundle_option, json_option
from facekit.cli.render.doctor import print_report
from facekit.cli.render.output import emit_json, exit_with
from facekit.cli.terminal import TerminalReporter


@click.command(cls=Command)
@bundle_option
@json_option
def doctor(bundle: Path | None, as_json: bool) -> None:
    """Show what is installed, and what is wrong.

    Each package is compared with the least version that facekit is tested with and imported, each
    delegate is shown with the runtime that it goes with, and each model is compared with its card
    and run once.

    Exit code 0 when verify, detect, embed and compare can work, else the code that the first
    problem would give them: 5 for a package or a model, 6 for a runtime or a delegate.

    \b
    Example: facekit doctor
             facekit doctor --json
             facekit doctor --bundle facekit-imx93
    """
    from facekit.tasks.doctor import examine

    report = examine(bundle=bundle, reporter=TerminalReporter())
    if as_json:
        emit_json(report.to_dict())
    else:
        print_report(report)
    exit_with(report.problems)
