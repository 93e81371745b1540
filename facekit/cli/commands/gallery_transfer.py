"""facekit gallery export and import"""

from __future__ import annotations

from pathlib import Path

import click

from facekit.cli.gallery_options import gallery_location, gallery_options
from facekit.cli.options import json_option, output_file
from facekit.cli.render.output import emit_json


@click.command("export")
@output_file("JSON Lines file.", required=True)
@click.option("--decrypt", is_flag=True, help="Needed for an encrypted gallery: the file is not.")
@gallery_options
@json_option
def export_command(
    output: Path, decrypt: bool, gallery_url: str | None, key_file: Path | None, as_json: bool
) -> None:
    """Write everybody to a file that gallery import reads, into any kind of gallery.

    The file holds biometric templates that are not encrypted; its mode is 0600.

    \b
    Example: facekit gallery export -o people.jsonl
    """
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks.gallery import export

    location = gallery_location(gallery_url, key_file)
    result = export(location, output, decrypt=decrypt, reporter=TerminalReporter())
    if as_json:
        emit_json(result.to_dict())
    else:
        click.echo(f"{result.templates} templates in {output}")


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@gallery_options
@json_option
def import_command(
    file: Path, gallery_url: str | None, key_file: Path | None, as_json: bool
) -> None:
    """Enroll everybody in a file that gallery export has written.

    What is there already is passed over, so that the command can be repeated.

    \b
    Example: facekit gallery import people.jsonl --gallery postgresql://localhost/faces
    """
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks.gallery import import_file

    location = gallery_location(gallery_url, key_file)
    result = import_file(location, file, reporter=TerminalReporter())
    if as_json:
        emit_json(result.to_dict())
    else:
        click.echo(f"{result.added} of {result.templates} templates added")
