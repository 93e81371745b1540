"""facekit gallery: look at, change, move and check what is enrolled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from facekit.cli.commands.gallery_transfer import export_command, import_command
from facekit.cli.gallery_options import (
    PASSPHRASE_VARIABLE,
    gallery_at,
    gallery_options,
    new_secret,
    refresh_index,
)
from facekit.cli.options import EnumChoice, crop_options, json_option, model_option
from facekit.cli.render.output import emit_json, note
from facekit.enums import VectorType
from facekit.errors import UsageError

EXIT_NOBODY = 1
_NEW_PASSPHRASE_VARIABLE = "FACEKIT_GALLERY_NEW_PASSPHRASE"


@click.group()
def gallery() -> None:
    """Look at, change, move and check what is enrolled.

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
    show_default=True,
    help="How templates are stored; float16 takes half the room.",
)
@gallery_options
@json_option
def init(
    encrypt: bool,
    vector_type: VectorType,
    gallery_url: str | None,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Make an empty gallery.  enroll makes one too, of float32 and not encrypted.

    Encryption covers the templates, not names, photo hashes and times.

    \b
    Example: facekit gallery init --encrypt --key-file secret.key --gallery people.db
    """
    from facekit.gallery.gallery import default_url
    from facekit.gallery.open import init_gallery

    url = gallery_url or default_url()
    secret = new_secret(key_file, PASSPHRASE_VARIABLE) if encrypt else None
    init_gallery(url, vector_type=vector_type, secret=secret)
    with gallery_at(url, key_file) as opened:
        _emit_info(opened.info(), as_json=as_json)


@gallery.command("list")
@gallery_options
@json_option
def list_command(gallery_url: str | None, key_file: Path | None, as_json: bool) -> None:
    """Everybody who is enrolled, with the number of templates.

    \b
    Example: facekit gallery list
    """
    with gallery_at(gallery_url, key_file) as opened:
        people = opened.people()
    if as_json:
        emit_json({"people": [_person(person) for person in people]})
        return
    for person in people:
        click.echo(f"{person.name}\t{person.templates}\t{person.enrolled_at}")


@gallery.command()
@click.argument("name")
@gallery_options
@json_option
def show(name: str, gallery_url: str | None, key_file: Path | None, as_json: bool) -> None:
    """Show a person's templates: photo, its sha256, box, detector score, time.

    \b
    Example: facekit gallery show "Ada Lovelace"
    """
    with gallery_at(gallery_url, key_file) as opened:
        person = opened.person(name)
        space = opened.info().space
        templates = [template for _, template in opened.templates(name)]
    if person is None or space is None:
        _nobody(name)
    elif as_json:
        records = [
            {
                "photo": template.photo,
                "photo_sha256": template.photo_sha256,
                "box_xyxy": template.box_xyxy,
                "score": template.score,
                "enrolled_at": template.enrolled_at,
                "model": space.model,
                "model_sha256": space.model_sha256,
                "crop": space.crop_text,
            }
            for template in templates
        ]
        emit_json({**_person(person), "records": records})
    else:
        click.echo(
            f"{person.name}: {person.templates} templates of {space.model}, {space.crop_text}"
        )
        for template in templates:
            score = "" if template.score is None else f"\tscore {template.score:.4f}"
            click.echo(
                f"{template.photo}\t{template.photo_sha256[:12]}\t{template.enrolled_at}{score}"
            )


@gallery.command()
@click.argument("name")
@gallery_options
@json_option
def remove(name: str, gallery_url: str | None, key_file: Path | None, as_json: bool) -> None:
    """Forget a person: no byte of the templates stays in the gallery's files.

    What the disk or a backup keeps below or beside them is out of reach.

    \b
    Example: facekit gallery remove "Ada Lovelace"
    """
    with gallery_at(gallery_url, key_file) as opened:
        removed = opened.remove(name)
    if not removed:
        _nobody(name)
    elif as_json:
        emit_json({"name": name, "removed": removed})
    else:
        click.echo(f"{name}\t{removed} templates removed")


@gallery.command()
@click.argument("old")
@click.argument("new")
@gallery_options
@json_option
def rename(
    old: str, new: str, gallery_url: str | None, key_file: Path | None, as_json: bool
) -> None:
    """Give a person another name.

    \b
    Example: facekit gallery rename "Ada Byron" "Ada Lovelace"
    """
    with gallery_at(gallery_url, key_file) as opened:
        renamed = opened.rename(old, new)
    if not renamed:
        _nobody(old)
    elif as_json:
        emit_json({"old": old, "new": new})
    else:
        click.echo(f"{old} is now {new}")


@gallery.command()
@gallery_options
@json_option
def stats(gallery_url: str | None, key_file: Path | None, as_json: bool) -> None:
    """How many people and templates, of which model, in how much room.

    \b
    Example: facekit gallery stats --json
    """
    with gallery_at(gallery_url, key_file) as opened:
        _emit_info(opened.info(), as_json=as_json)


@gallery.command()
@gallery_options
@json_option
def check(gallery_url: str | None, key_file: Path | None, as_json: bool) -> None:
    """Is the gallery sound?  Reads everything; exit code 7 where something is wrong.

    \b
    Example: facekit gallery check
    """
    from facekit.errors import StorageError

    with gallery_at(gallery_url, key_file) as opened:
        faults = opened.check()
        recall = opened.recall_at_1()
        info = opened.info()
    if as_json:
        emit_json(
            {"gallery": info.url, "sound": not faults, "faults": faults, "recall_at_1": recall}
        )
    else:
        for fault in faults:
            click.echo(fault)
        if recall is not None:
            click.echo(f"the index finds {recall:.1%} of the nearest templates")
        click.echo(
            f"{info.people} people, {info.templates} templates: {'faulty' if faults else 'sound'}"
        )
    if faults:
        raise SystemExit(StorageError.exit_code)


@gallery.command()
@click.option(
    "--new-key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"The key file from now on; for a passphrase set {_NEW_PASSPHRASE_VARIABLE}.",
)
@gallery_options
@json_option
def rekey(
    new_key_file: Path | None, gallery_url: str | None, key_file: Path | None, as_json: bool
) -> None:
    """Encrypt every template anew under another key file or passphrase.

    \b
    Example: facekit gallery rekey --key-file old.key --new-key-file new.key
    """
    from facekit.gallery.sqlite.gallery import SqliteGallery

    with gallery_at(gallery_url, key_file) as opened:
        if not isinstance(opened, SqliteGallery):
            raise UsageError("Only a gallery in an SQLite file can be encrypted.")
        opened.rekey(new_secret(new_key_file, _NEW_PASSPHRASE_VARIABLE))
        info = opened.info()
    if as_json:
        emit_json({"gallery": info.url, "templates": info.templates})
    else:
        click.echo(f"{info.url}: {info.templates} templates encrypted anew")


@gallery.command()
@model_option
@crop_options
@click.option("--no-detect", is_flag=True, help="The gallery is of photos that were face crops.")
@gallery_options
@json_option
def recenter(
    model: str, gallery_url: str | None, key_file: Path | None, as_json: bool, **options: Any
) -> None:
    """Bring the templates over to the mean embedding that the model's card has now.

    Needed once after facekit calibrate --write; no photos are needed, and everybody stays
    enrolled.  Model and crop options are those of enroll.

    \b
    Example: facekit gallery recenter --gallery people.db
    """
    from facekit.cli.requests import pipeline_request
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks.gallery_recenter import recenter as recenter_gallery

    request = pipeline_request(model, **options)
    with gallery_at(gallery_url, key_file) as opened:
        result = recenter_gallery(opened, request, reporter=TerminalReporter())
        refresh_index(opened)
    if as_json:
        emit_json(result.to_dict())
    else:
        click.echo(f"{result.gallery}: {result.changed} of {result.templates} templates changed")


gallery.add_command(export_command)
gallery.add_command(import_command)


def _nobody(name: str) -> None:
    note(f"nobody called {name} is enrolled")
    raise SystemExit(EXIT_NOBODY)


def _person(person: Any) -> dict[str, Any]:
    return {
        "name": person.name,
        "templates": person.templates,
        "enrolled_at": person.enrolled_at,
    }


def _emit_info(info: Any, *, as_json: bool) -> None:
    space = info.space
    if as_json:
        emit_json(
            {
                "gallery": info.url,
                "schema": info.schema_version,
                "people": info.people,
                "templates": info.templates,
                "vector_type": info.vector_type.value,
                "encrypted": info.encrypted,
                "size_bytes": info.size_bytes,
                "model": space and space.model,
                "model_sha256": space and space.model_sha256,
                "crop": space and space.crop_text,
            }
        )
        return
    click.echo(f"gallery:   {info.url} ({info.size_bytes / 1e6:.1f} MB)")
    click.echo(f"people:    {info.people}")
    click.echo(
        f"templates: {info.templates} ({info.vector_type.value}"
        f"{', encrypted' if info.encrypted else ''})"
    )
    click.echo(f"model:     {f'{space.model}, {space.crop_text}' if space else 'none yet'}")
