"""facekit gallery export and import"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from facekit.cli.command import Command
from facekit.cli.gallery_options import gallery_options
from facekit.cli.options import (
    json_option,
)
from facekit.cli.output_options import force_option, output_file
from facekit.cli.render.output import print_result
from facekit.cli.types import FILE

if TYPE_CHECKING:
    from facekit.tasks.gallery import GalleryLocation


@click.command("export", cls=Command)
@output_file("JSON Lines file.", required=True)
@force_option("a file that exists")
@click.option("--decrypt", is_flag=True, help="Needed for an encrypted gallery: the file is not.")
@gallery_options
@json_option
def export_command(
    output: Path, force: bool, decrypt: bool, location: GalleryLocation, as_json: bool
) -> None:
    """Write everybody to a file.

    gallery import reads it, into any kind of gallery.  It holds biometric templates that are not
    encrypted; its mode is 0600.

    \b
    Example: facekit gallery export -o people.jsonl
    """
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks.gallery import export

    result = export(location, output, decrypt=decrypt, force=force, reporter=TerminalReporter())
    print_result(result, f"{result.template_count} templates in {output}", as_json=as_json)


@click.command("import", cls=Command)
@click.argument("file", type=FILE)
@gallery_options
@json_option
def import_command(file: Path, location: GalleryLocation, as_json: bool) -> None:
    """Enroll everybody in a file of gallery export.

    What is there already is passed over, so that the command can be repeated.

    \b
    Example: facekit gallery import people.jsonl --gallery postgresql://localhost/faces
    """
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks.gallery import import_file

    result = import_file(location, file, reporter=TerminalReporter())
    text = f"{result.added_count} of {result.template_count} templates added"
    print_result(result, text, as_json=as_json)
