"""facekit watch"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.command import Command
from facekit.cli.gallery_options import gallery_options
from facekit.cli.options import embedding_options, json_lines_option
from facekit.cli.render.output import emit_json_line, exit_with
from facekit.cli.render.people import watched_line
from facekit.cli.threshold_options import min_margin_option, threshold_options
from facekit.cli.types import FOLDER, Real
from facekit.errors import UsageError

if TYPE_CHECKING:
    from facekit.cli.terminal import StopRequest
    from facekit.errors import FacekitError
    from facekit.tasks.gallery import GalleryLocation
    from facekit.template.threshold import ThresholdChoice


@click.command(cls=Command, basic="known gallery threshold existing once interval model json")
@click.argument("folder", type=FOLDER)
@click.option(
    "--known",
    metavar="PHOTO",
    type=click.Path(path_type=str),
    multiple=True,
    help="Compare with this photo or embedding file; may be repeated: a match with one suffices.",
    show_default="the people in the gallery",
)
@threshold_options(default="1e-3, with a gallery by its size, as of identify")
@min_margin_option
@click.option("--existing", is_flag=True, help="Begin with the photos that are there already.")
@click.option("--once", is_flag=True, help="Only the photos that are there now, then exit.")
@click.option(
    "--interval",
    metavar="SECONDS",
    type=Real(0, min_open=True),
    default=1.0,
    help="Look again after so long.  A photo that has not changed in between is whole.",
)
@gallery_options
@embedding_options
@json_lines_option
def watch(
    folder: Path,
    known: tuple[str, ...],
    choice: ThresholdChoice,
    min_margin: float | None,
    existing: bool,
    once: bool,
    interval: float,
    location: GalleryLocation,
    model: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Answer for each photo that arrives in a folder.

    One line a photo, as soon as it is whole: same or different with --known, else known with the
    name, ambiguous or unknown; or error with its exit code; then a tab and the file's name.

    Networks are loaded once.  Photos that are there already are left out, without --existing or
    --once; subfolders always.  A photo is answered again when it has changed.  With the package
    watchdog (the extra watch) a photo is seen when its writer closes it.

    Ctrl-C and SIGTERM end it after the photo under way, with exit code 130 or 143.  With --once
    the exit code is 0 when every answer is same or known, 1 when one is not, and that of the first
    error if there was one.

    \b
    Example: facekit watch incoming --known resident.jpg
             facekit watch incoming --gallery people.db --json
             facekit watch incoming --known resident.jpg --once
    """
    ctx = click.get_current_context()
    # In a bundle FACEKIT_GALLERY is always set: what is typed alone contradicts --known.
    if known and ctx.get_parameter_source("gallery") is click.core.ParameterSource.COMMANDLINE:
        raise UsageError("--known and --gallery each say who is known: pass one of them.")

    from facekit.cli.requests import open_set_choice, pipeline_request
    from facekit.cli.terminal import TerminalReporter, asked_to_stop
    from facekit.tasks.watch import watch as watch_folder

    stop: StopRequest | None = None

    @contextmanager
    def stopping() -> Iterator[StopRequest]:
        nonlocal stop
        with asked_to_stop(signal.SIGINT, signal.SIGTERM) as stop:
            yield stop

    failures: list[FacekitError] = []
    answer = True
    for photo in watch_folder(
        folder,
        known=known,
        location=location,
        request=pipeline_request(model, **options),
        threshold=open_set_choice(choice, None, min_margin),
        interval_s=interval,
        existing=existing,
        once=once,
        asked_to_stop=stopping,
        reporter=TerminalReporter(),
    ):
        if as_json:
            emit_json_line(photo.to_dict())
        else:
            click.echo(watched_line(photo))
        if once:  # otherwise it may go on for years
            failures += photo.errors
            answer = answer and (photo.error is not None or bool(photo))
    if stop is not None and stop.exit_code:
        raise SystemExit(stop.exit_code)
    exit_with(failures, answer=answer)
