"""What Vela compiles for: one TOML file each in facekit/configs/targets, or the user's own."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facekit.errors import UsageError
from facekit.models.decode import Fields

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_FOLDER = Path(__file__).parents[2] / "configs" / "targets"
_SUFFIX = ".toml"
_KEYS = frozenset(
    (
        "title",
        "accelerator_config",
        "system_config",
        "memory_mode",
        "optimise",
        "compare",
        "options",
    )
)
_OPTIMISE = ("Performance", "Size")


@dataclass(frozen=True, slots=True)
class Target:
    """An accelerator with the memory it has."""

    name: str
    title: str
    accelerator_config: str
    """as Vela calls it, "ethos-u65-256": generation and multiply-accumulators"""
    system_config: str
    """clock and memory bandwidth: a section of Vela's own Arm/vela.ini, or `name` itself"""
    own_system_config: dict[str, str]
    """the keys of that section where the target brings its own; else empty"""
    memory_mode: str
    optimise: str
    compare: tuple[str, ...] = ()
    """further system configurations of Arm/vela.ini to show an estimate for"""
    options: tuple[str, ...] = field(default=())
    """further arguments of Vela's command line"""


def target_names() -> tuple[str, ...]:
    """The targets that come with facekit."""
    return tuple(sorted(path.stem for path in _FOLDER.glob(f"*{_SUFFIX}")))


def read_target(name_or_path: str) -> Target:
    """The target called "imx93", or the one in a .toml file.

    Raises UsageError: no such target, not readable, not TOML, a key missing, unknown or wrong.
    """
    if name_or_path.endswith(_SUFFIX):
        path = Path(name_or_path)
    elif name_or_path in target_names():
        path = _FOLDER / f"{name_or_path}{_SUFFIX}"
    else:
        raise UsageError(
            f"No target is called {name_or_path!r}. Known targets: {', '.join(target_names())}; "
            f"or pass a {_SUFFIX} file of your own."
        )
    try:
        return _target(path.stem, tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise UsageError(f"Target {path} cannot be used: {error}") from error


def _target(name: str, raw: dict[str, Any]) -> Target:
    if unknown := sorted(raw.keys() - _KEYS):
        raise ValueError(f"unknown keys {', '.join(unknown)}; known: {', '.join(sorted(_KEYS))}")
    fields = Fields({"optimise": "Performance", "compare": [], "options": [], **raw}, "target")
    optimise = fields.text("optimise")
    if optimise not in _OPTIMISE:
        raise ValueError(f"optimise must be one of {', '.join(_OPTIMISE)}. Received: {optimise!r}")
    system = raw.get("system_config")
    own = {key: str(value) for key, value in system.items()} if isinstance(system, dict) else {}
    return Target(
        name=name,
        title=fields.text("title"),
        accelerator_config=fields.text("accelerator_config"),
        system_config=name if own else fields.text("system_config"),
        own_system_config=own,
        memory_mode=fields.text("memory_mode"),
        optimise=optimise,
        compare=tuple(fields.texts("compare")),
        options=tuple(fields.texts("options")),
    )
