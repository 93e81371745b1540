"""facekit gallery: look at, change, move and check what is enrolled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.command import Group
from facekit.cli.commands.gallery_merge import merge, unmerge
from facekit.cli.commands.gallery_transfer import export_command, import_command
from facekit.cli.gallery_options import (
    PASSPHRASE_VARIABLE,
    gallery_options,
    gallery_url_options,
    new_secret,
)
from facekit.cli.options import (
    EnumChoice,
    crop_options,
    json_option,
    model_option,
    no_detect_option,
    offline_option,
)
from facekit.cli.render.output import emit_json, exit_with, print_result
from facekit.cli.render.people import (
    note_nobody,
    print_check,
    print_people,
    print_person,
    print_stats,
)
from facekit.cli.requests import pipeline_request
from facekit.cli.types import FILE
from facekit.enums import VectorType
from facekit.errors import StorageError

if TYPE_CHECKING:
    from facekit.tasks.gallery import GalleryLocation
    from facekit.tasks.gallery_results import GalleryStats

_NEW_PASSPHRASE_VARIABLE = "FACEKIT_GALLERY_NEW_PASSPHRASE"


@click.group(
    cls=Group,
    headings={
        "People": ("list", "show", "rename", "remove", "merge", "unmerge"),
        "The gallery itself": ("init", "stats", "check", "rekey", "recenter"),
        "Move": ("export", "import"),
    },
)
def gallery() -> None:
    """List, change, check and move enrolled people.

    \b
    Example: facekit gallery list
             facekit gallery remove "Ada Lovelace"
    """


@gallery.command("init")
@click.option(
    "--encrypt", is_flag=True, help="Encrypt the templates, with --key-file or a passphrase."
)
@click.option(
    "--vector-type",
    type=EnumChoice(VectorType),
    default=VectorType.FLOAT32.value,
    help="How templates are stored; float16 takes half the room.",
)
@gallery_url_options
@json_option
def init(
    encrypt: bool,
    vector_type: VectorType,
    gallery: str | None,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Make an empty gallery.

    enroll makes one too, of float32 and not encrypted.  Encryption covers the templates, not
    names, photo hashes and times.

    \b
    Example: facekit gallery init --encrypt --key-file secret.key --gallery people.db
    """
    from facekit.tasks import gallery as tasks

    secret = new_secret(key_file, PASSPHRASE_VARIABLE)
    location = tasks.GalleryLocation(gallery, secret)
    _tell_stats(tasks.init(location, encrypt=encrypt, vector_type=vector_type), as_json=as_json)


@gallery.command("list")
@gallery_options
@json_option
def list_command(location: GalleryLocation, as_json: bool) -> None:
    """List everybody who is enrolled.

    \b
    Example: facekit gallery list
    """
    from facekit.tasks import gallery as tasks

    result = tasks.people(location)
    if as_json:
        emit_json(result.to_dict())
    else:
        print_people(result)


@gallery.command()
@click.argument("name")
@gallery_options
@json_option
def show(name: str, location: GalleryLocation, as_json: bool) -> None:
    """Show a person's templates.

    Of each the photo with its sha256, the box, the detector's score and the time.

    \b
    Example: facekit gallery show "Ada Lovelace"
    """
    from facekit.tasks import gallery as tasks

    shown = tasks.show(location, name)
    if shown.person is None:
        note_nobody(name)
    if as_json:
        emit_json(shown.to_dict())
    elif shown.person is not None:
        print_person(shown)
    exit_with(answer=shown.person is not None)


@gallery.command()
@click.argument("name")
@gallery_options
@json_option
def remove(name: str, location: GalleryLocation, as_json: bool) -> None:
    """Forget a person.

    No byte of the templates stays in the gallery's files.  What the disk or a backup keeps below
    or beside them is out of reach.

    \b
    Example: facekit gallery remove "Ada Lovelace"
    """
    from facekit.tasks import gallery as tasks

    result = tasks.remove(location, name)
    if not result.found:
        note_nobody(name)
    if result.found or as_json:
        text = f"{name}: {result.removed_count} templates removed"
        print_result(result, text, as_json=as_json)
    exit_with(answer=result.found)


@gallery.command()
@click.argument("old")
@click.argument("new")
@gallery_options
@json_option
def rename(old: str, new: str, location: GalleryLocation, as_json: bool) -> None:
    """Give a person another name.

    \b
    Example: facekit gallery rename "Ada Byron" "Ada Lovelace"
    """
    from facekit.tasks import gallery as tasks

    result = tasks.rename(location, old, new)
    if not result.found:
        note_nobody(old)
    if result.found or as_json:
        print_result(result, f"{old} is now {new}", as_json=as_json)
    exit_with(answer=result.found)


@gallery.command()
@gallery_options
@json_option
def stats(location: GalleryLocation, as_json: bool) -> None:
    """Count people and templates.

    Also of which model they are, and how much room they take.

    \b
    Example: facekit gallery stats --json
    """
    from facekit.tasks import gallery as tasks

    _tell_stats(tasks.stats(location), as_json=as_json)


@gallery.command()
@gallery_options
@json_option
def check(location: GalleryLocation, as_json: bool) -> None:
    """Check that the gallery is sound.

    Everything is read; exit code 7 where something is wrong.  Lists people who are so similar
    that they may be one; gallery merge makes them one.

    \b
    Example: facekit gallery check
    """
    from facekit.tasks import gallery as tasks

    result = tasks.check(location)
    if as_json:
        emit_json(result.to_dict())
    else:
        print_check(result)
    exit_with(map(StorageError, result.faults))


@gallery.command()
@click.option(
    "--new-key-file",
    type=FILE,
    help=f"The key file from now on; for a passphrase set {_NEW_PASSPHRASE_VARIABLE}.",
)
@gallery_options
@json_option
def rekey(new_key_file: Path | None, location: GalleryLocation, as_json: bool) -> None:
    """Encrypt the templates under another secret.

    \b
    Example: facekit gallery rekey --key-file old.key --new-key-file new.key
    """
    from facekit.tasks import gallery as tasks

    secret = new_secret(new_key_file, _NEW_PASSPHRASE_VARIABLE)
    result = tasks.rekey(location, new_secret=secret)
    print_result(
        result,
        f"{result.gallery}: {result.template_count} templates encrypted anew",
        as_json=as_json,
    )


@gallery.command(basic="model gallery json")
@model_option
@crop_options
@no_detect_option
@offline_option
@gallery_options
@json_option
def recenter(model: str | None, location: GalleryLocation, as_json: bool, **options: Any) -> None:
    """Move the templates to the model's new mean embedding.

    Needed once after facekit calibrate --write; no photos are needed, and everybody stays
    enrolled.  Model and crop options are those of enroll.

    \b
    Example: facekit gallery recenter --gallery people.db
    """
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks import gallery as tasks

    result = tasks.recenter(
        location,
        request=pipeline_request(model, **options),
        reporter=TerminalReporter(),
    )
    print_result(
        result,
        f"{result.gallery}: {result.changed_count} of {result.template_count} templates changed",
        as_json=as_json,
    )


gallery.add_command(merge)
gallery.add_command(unmerge)
gallery.add_command(export_command)
gallery.add_command(import_command)


def _tell_stats(stats: GalleryStats, *, as_json: bool) -> None:
    if as_json:
        emit_json(stats.to_dict())
    else:
        print_stats(stats)
