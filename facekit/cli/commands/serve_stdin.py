"""facekit serve-stdin"""

from __future__ import annotations

import sys
from typing import Any

import click

from facekit.cli.command import Command
from facekit.cli.options import EnumChoice, embedding_options
from facekit.cli.render.output import emit_json_line
from facekit.cli.requests import pipeline_request
from facekit.enums import Metric


@click.command("serve-stdin", cls=Command, basic="threshold fmr metric face model")
@click.option(
    "--metric",
    type=EnumChoice(Metric),
    default=Metric.COSINE.value,
    show_default=True,
    help="Distance that is shown and that --threshold is in.",
)
@click.option("--threshold", type=float, help="Largest distance of a match, in --metric.")
@click.option(
    "--fmr",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Use the card's threshold at this false match rate.",
    show_default="1e-3",
)
@embedding_options
def serve_stdin(
    metric: Metric, threshold: float | None, fmr: float | None, model: str | None, **options: Any
) -> None:
    """Answer requests as JSON Lines on stdin.

    One JSON object a line on stdin is answered by one on stdout; models are loaded once.  A
    request that fails is answered with an error and the next one is read.  Exit code 0 when
    stdin ends.

    \b
    Requests: {"verify": ["a.jpg", "b.jpg"], "id": 1}
              {"detect": "a.jpg"}
              {"embed": {"base64": "..."}}

    \b
    Example: facekit serve-stdin < requests.jsonl > answers.jsonl
    """
    from facekit.cli.requests import threshold_choice
    from facekit.cli.terminal import TerminalReporter
    from facekit.server.stdin import serve

    # NB: the lines are asked for one by one, since iterating the stream would read ahead.
    for answer in serve(
        iter(sys.stdin.buffer.readline, b""),
        request=pipeline_request(model, **options),
        threshold=threshold_choice(threshold, metric, fmr),
        reporter=TerminalReporter(),
    ):
        emit_json_line(answer)
