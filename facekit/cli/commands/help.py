"""facekit help"""

from __future__ import annotations

from pathlib import Path

import click

from facekit.cli.command import Command, context_of
from facekit.cli.output_options import force_option, output_folder
from facekit.errors import UsageError


@click.command("help", cls=Command)
@click.argument("words", nargs=-1, metavar="[COMMAND]...")
@click.option("--man", is_flag=True, help="Write a man page of every command into --output.")
@output_folder("Folder for the man pages.")
@force_option("files that exist")
@click.pass_context
def help_command(
    ctx: click.Context, words: tuple[str, ...], man: bool, output: Path | None, force: bool
) -> None:
    """Explain a command, or write man pages.

    \b
    Example: facekit help verify
             facekit help models build
             facekit help --man -o man1
    """
    root = ctx.find_root()
    if not man and output is None and not force:
        click.echo(context_of(root, words).get_help())
        return
    if words or not man or output is None:
        raise UsageError("--man and -o FOLDER go together, without the name of a command.")
    from facekit.cli.manual import write_man_pages

    write_man_pages(root, output, force=force)
