"""--config: options of a command from a TOML file, those that ship in configs/ by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from facekit.cli.types import AnyCommand
from facekit.errors import UsageError
from facekit.system.configs import TOML_SUFFIX, config_names, read_toml


def config_option(command_name: str) -> Callable[[AnyCommand], AnyCommand]:
    """Values in the file stand where an option is not typed; keys are the options' long names."""

    def read(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
        if value is not None:
            ctx.default_map = {**(ctx.default_map or {}), **_defaults(ctx, command_name, value)}

    return click.option(
        "--config",
        metavar="CONFIG",
        is_eager=True,
        expose_value=False,
        callback=read,
        help="Take options that are not typed from a .toml file, or one of facekit's: "
        f"{', '.join(config_names(command_name, suffix=TOML_SUFFIX))}.",
    )


def _defaults(ctx: click.Context, command_name: str, value: str) -> dict[str, Any]:
    """By the parameter's own name, as click wants defaults.  Raises UsageError."""
    path, settings = read_toml(value, command_name, title="configuration")
    known = {
        option.removeprefix("--"): str(parameter.name)
        for parameter in ctx.command.params
        for option in parameter.opts
        if option.startswith("--") and parameter.name != "config"
    }
    unknown = sorted(settings.keys() - known.keys())
    if unknown:
        raise UsageError(
            f"{path}: facekit {command_name} has no option {', '.join(unknown)}. It has: "
            f"{', '.join(sorted(known))}"
        )
    return {known[key]: setting for key, setting in settings.items()}
