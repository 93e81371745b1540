"""Options that say what networks run on, as decorators."""

from __future__ import annotations

from collections.abc import Callable

import click

from facekit.cli.types import FILE, AnyCommand, EnumChoice
from facekit.enums import Device, Runtime

runtime_option = click.option(
    "--runtime",
    type=EnumChoice(Runtime),
    help="What runs the embedding network; onnx and keras take that file of a model's name.",
    show_default="what the model's file is for",
)


def allow_cpu_fallback_option(help_text: str) -> Callable[[AnyCommand], AnyCommand]:
    return click.option(
        "--allow-cpu-fallback", is_flag=True, help=f"{help_text}  Without, that is exit code 6."
    )


def device_options(command: AnyCommand) -> AnyCommand:
    """What the embedding network runs on, without leave to use something else."""
    for decorate in reversed(
        (
            runtime_option,
            click.option(
                "--provider",
                "providers",
                multiple=True,
                metavar="NAME",
                help="ONNX Runtime's execution provider, such as CUDAExecutionProvider; may be "
                "repeated, the preferred one first.",
                show_default="CPUExecutionProvider",
            ),
            click.option(
                "--device",
                type=EnumChoice(Device),
                help="What the embedding network runs on; the detector's stay on the CPU.",
                show_default="cpu, or what the bundle is for",
            ),
            click.option(
                "--delegate",
                type=FILE,
                help="Run it through this delegate's library (.so) instead.",
            ),
            click.option(
                "--delegate-option",
                "delegate_options",
                multiple=True,
                metavar="KEY=VALUE",
                help="Handed to the delegate; may be repeated.",
            ),
        )
    ):
        command = decorate(command)
    return command


def accelerator_options(command: AnyCommand) -> AnyCommand:
    """What the embedding network runs on; `accelerator_request` reads them."""
    allow = allow_cpu_fallback_option(
        "Use the CPU where the delegate or provider is missing or accepts no operators, and say so."
    )
    return device_options(allow(command))
