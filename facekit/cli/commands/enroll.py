"""facekit enroll"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.gallery_options import gallery_options
from facekit.cli.options import embedding_options, json_option
from facekit.errors import UsageError

if TYPE_CHECKING:
    from facekit.tasks.enroll import Enrolment


@click.command()
@click.argument("name", required=False)
@click.argument("images", nargs=-1)
@click.option(
    "--from-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Enroll everybody: one folder a person, named after the person.",
)
@gallery_options
@embedding_options
@json_option
def enroll(
    name: str | None,
    images: tuple[str, ...],
    from_dir: Path | None,
    gallery_url: str | None,
    key_file: Path | None,
    model: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Remember a person's face from photos, or from folders of photos.

    Each person is enrolled as a whole: whatever stops the command, those that it has told of
    are in the gallery, and no other.  Photos that are there already are passed over, so that
    the command can be repeated.  A photo that cannot be used is reported, and the others
    count; the exit code is then that of the first such photo.

    \b
    Example: facekit enroll "Ada Lovelace" ada1.jpg ada2.jpg
             facekit enroll --from-dir people/
    """
    if (from_dir is None) == (name is None):
        raise UsageError("Pass a name and its photos, or --from-dir.")
    if name is not None and not images:
        raise UsageError(f"No photo of {name} is given.")

    from facekit.cli.gallery_options import gallery_at, refresh_index
    from facekit.cli.open_pipeline import open_pipeline
    from facekit.cli.render.output import emit_json, note
    from facekit.cli.terminal import with_progress
    from facekit.photo.sources import list_pictures
    from facekit.tasks.enroll import enroll as enroll_person
    from facekit.tasks.enroll import people_in

    people = (
        list(people_in(from_dir)) if from_dir is not None else [(str(name), list_pictures(images))]
    )
    pipeline = open_pipeline(model, **options)
    results: list[Enrolment] = []
    with gallery_at(gallery_url, key_file, create=True) as gallery:
        for person, photos in with_progress(people, length=len(people), label="enrolling"):
            result = enroll_person(gallery, pipeline, person, photos)
            results.append(result)
            for _, error in result.failures:
                note(str(error))
            if not as_json:
                click.echo(f"{result.name}\t{result.added} added, {result.known} known already")
        refresh_index(gallery)
        url = gallery.info().url
    failures = [failure for result in results for failure in result.failures]
    if as_json:
        emit_json(
            {
                "gallery": url,
                "people": [
                    {
                        "name": result.name,
                        "added": result.added,
                        "known_already": result.known,
                        "failed": [
                            {"image": photo, **error.to_dict()} for photo, error in result.failures
                        ],
                    }
                    for result in results
                ],
            }
        )
    if failures:
        raise SystemExit(failures[0][1].exit_code)
