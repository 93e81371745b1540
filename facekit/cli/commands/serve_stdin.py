"""facekit serve-stdin"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.command import Command
from facekit.cli.gallery_options import gallery_options
from facekit.cli.options import embedding_options
from facekit.cli.render.output import emit_json_line
from facekit.cli.requests import service_request
from facekit.cli.threshold_options import threshold_options

if TYPE_CHECKING:
    from facekit.tasks.gallery import GalleryLocation
    from facekit.template.threshold import ThresholdChoice


@click.command("serve-stdin", cls=Command, basic="gallery threshold min-similarity fmr face model")
@gallery_options
@threshold_options(default="1e-3")
@embedding_options
def serve_stdin(choice: ThresholdChoice, location: GalleryLocation, **options: Any) -> None:
    """Answer requests as JSON Lines on stdin.

    One JSON object a line on stdin is answered by one on stdout; models are loaded once, and
    then a first line says "ready": true.  A request that fails is answered with an error and the
    next one is read; a line has at most 100 MB.  Exit code 0 when stdin ends.

    \b
    Requests: {"verify": ["a.jpg", "b.jpg"], "fmr": 1e-4, "id": 1}
              {"detect": "a.jpg", "face": "largest"}
              {"embed": {"base64": "..."}}
              {"compare": ["a.jpg", "b.jpg", "data:;base64,..."]}
              {"enroll": ["ada1.jpg", "ada2.jpg"], "name": "Ada Lovelace"}
              {"identify": "door.jpg", "top": 3}
              {"ping": 1}

    \b
    Example: facekit serve-stdin < requests.jsonl > answers.jsonl
    """
    from facekit.cli.terminal import TerminalReporter
    from facekit.server.stdin import serve_lines

    for answer in serve_lines(
        None if sys.stdin is None else sys.stdin.buffer,
        request=service_request(choice, location, **options),
        reporter=TerminalReporter(),
    ):
        emit_json_line(answer)
