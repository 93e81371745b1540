"""--config: options of a command from a TOML file, those that ship in configs/ by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from facekit.cli.options import AnyCommand
from facekit.errors import UsageError
from facekit.system.configs import config_names, config_path, parse_toml

_SUFFIX = ".toml"


def config_option(command_name: str) -> Callable[[AnyCommand], AnyCommand]:
    """Values in the file stand where an option is not typed; keys are the options' long names."""

    def read(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
        if value is not None:
            ctx.default_map = {**(ctx.default_map or {}), **_defaults(ctx, command_name, value)}

    return click.option(
        "--config",
        metavar="NAME|FILE",
        is_eager=True,
        expose_value=False,
        callback=read,
        help="Take options that are not typed from a .toml file, or one of facekit's: "
        f"{', '.join(_names(command_name))}.",
    )


def _names(command_name: str) -> tuple[str, ...]:
    return config_names(command_name, suffix=_SUFFIX)


def _defaults(ctx: click.Context, command_name: str, value: str) -> dict[str, Any]:
    """By the parameter's own name, as click wants defaults.  Raises UsageError."""
    path = config_path(value, command_name, suffix=_SUFFIX, title="configuration")
    try:
        settings = parse_toml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--config {value} cannot be used: {error}. It is one of "
            f"{', '.join(_names(command_name))}, or a {_SUFFIX} file."
        ) from error
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
