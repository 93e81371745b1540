"""facekit serve-stdin"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.command import Command
from facekit.cli.options import embedding_options
from facekit.cli.render.output import emit_json_line
from facekit.cli.requests import pipeline_request
from facekit.cli.threshold_options import threshold_options

if TYPE_CHECKING:
    from facekit.template.threshold import ThresholdChoice


@click.command("serve-stdin", cls=Command, basic="threshold min-similarity fmr face model")
@threshold_options(default="1e-3")
@embedding_options
def serve_stdin(choice: ThresholdChoice, model: str | None, **options: Any) -> None:
    """Answer requests as JSON Lines on stdin.

    One JSON object a line on stdin is answered by one on stdout; models are loaded once.  A
    request that fails is answered with an error and the next one is read; a line has at most
    100 MB.  Exit code 0 when stdin ends.

    \b
    Requests: {"verify": ["a.jpg", "b.jpg"], "id": 1}
              {"detect": "a.jpg"}
              {"embed": {"base64": "..."}}

    \b
    Example: facekit serve-stdin < requests.jsonl > answers.jsonl
    """
    from facekit.cli.terminal import TerminalReporter
    from facekit.server.stdin import serve

    for answer in serve(
        None if sys.stdin is None else sys.stdin.buffer,
        request=pipeline_request(model, **options),
        threshold=choice,
        reporter=TerminalReporter(),
    ):
        emit_json_line(answer)
