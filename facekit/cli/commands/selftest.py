"""facekit selftest"""

from __future__ import annotations

from typing import Any

import click

from facekit.cli.command import Command
from facekit.cli.device_options import device_options
from facekit.cli.options import (
    bundle_option,
    detector_option,
    json_option,
    model_option,
    offline_option,
    threads_option,
)
from facekit.cli.render.output import emit_json, exit_with
from facekit.cli.render.selftest import print_selftest
from facekit.cli.requests import pipeline_request
from facekit.cli.terminal import TerminalReporter


@click.command(cls=Command, basic="device delegate bundle model detector json")
@model_option
@detector_option
@threads_option
@device_options
@bundle_option
@offline_option
@json_option
def selftest(model: str | None, as_json: bool, **options: Any) -> None:
    """Test that this machine computes what it should.

    Three faces that come with facekit go through the networks on the CPU, and on the device,
    delegate or provider that is named.  The CPU's answers are compared with those known of
    facekit's own models, the device's with the CPU's.

    Exit code 6 when the device answers otherwise than the CPU, 5 when the CPU is wrong.

    \b
    Example: facekit selftest
             facekit selftest --device imx93-npu --bundle facekit-imx93
             facekit selftest --model sface --detector yunet --json
    """
    from facekit.tasks import selftest as task

    done = task.selftest(request=pipeline_request(model, **options), reporter=TerminalReporter())
    if as_json:
        emit_json(done.to_dict())
    else:
        print_selftest(done)
    exit_with(done.problems)
