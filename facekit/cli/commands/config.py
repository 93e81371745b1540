"""facekit config: the recipes, targets and configurations that ship with facekit."""

from __future__ import annotations

from pathlib import Path

import click

from facekit.cli.command import Group
from facekit.cli.options import json_option
from facekit.cli.output_options import force_option, output_file
from facekit.cli.render.output import emit_json
from facekit.cli.render.table import Column, table


@click.group(cls=Group)
def config() -> None:
    """List and print recipes, targets and configurations.

    They ship with facekit.

    \b
    Example: facekit config list
             facekit config show imx93
    """


@config.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List what ships, by kind and name.

    Recipes are for quantize, targets for compile and convert; train, eval-lfw and benchmark have
    configurations.

    \b
    Example: facekit config list
    """
    from facekit.tasks.config import list_configs

    listed = list_configs()
    if as_json:
        emit_json(listed.to_dict())
        return
    columns = (Column("KIND"), Column("NAME"), Column("WHAT"))
    rows = ((one.kind.value, one.name, one.title) for one in listed.configs)
    click.echo("\n".join(table(columns, rows, wrap_last=True)))


@config.command()
@click.argument("name")
@output_file("Write a copy here, to be edited.")
@force_option("the file of -o")
@json_option
def show(name: str, output: Path | None, force: bool, as_json: bool) -> None:
    """Print a recipe, target or configuration.

    NAME is one of facekit config list; KIND/NAME where two kinds have it.  An option that takes the
    name takes the path of an edited copy too.

    \b
    Example: facekit config show imx93
             facekit config show eval-lfw/ixrt
             facekit config show static_wi8_ai8 -o mine.json
             facekit quantize facenet512-casia --recipe mine.json -o out/
    """
    from facekit.tasks.config import show_config

    shown = show_config(name, output=output, force=force)
    if as_json:
        emit_json(shown.to_dict())
    elif output is not None:
        click.echo(output)
    else:
        click.echo(shown.config.text, nl=False)
