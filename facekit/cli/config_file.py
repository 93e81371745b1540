"""--config: options of a command from a TOML file, those that ship in configs/ by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from facekit.cli.options import AnyCommand
from facekit.errors import MissingExtraError, UsageError

_FOLDER = Path(__file__).parents[1] / "configs"
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


def _names(command_name: str) -> list[str]:
    return sorted(path.stem for path in (_FOLDER / command_name).glob(f"*{_SUFFIX}"))


def _defaults(ctx: click.Context, command_name: str, value: str) -> dict[str, Any]:
    """By the parameter's own name, as click wants defaults.  Raises UsageError."""
    path = Path(value)
    if value in _names(command_name):
        path = _FOLDER / command_name / f"{value}{_SUFFIX}"
    try:
        settings = _toml().loads(path.read_text(encoding="utf-8"))
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


def _toml() -> Any:
    """Python's own since 3.11."""
    for name in ("tomllib", "tomli"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise MissingExtraError("tomli", extra="host", needed_for="--config with Python 3.10")
