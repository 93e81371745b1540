"""What Vela compiles for: one TOML file each in configs/targets, or the user's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from facekit.errors import UsageError
from facekit.system.configs import config_names, config_path, parse_toml
from facekit.system.fields import Fields

_FOLDER = "targets"
_SUFFIX = ".toml"
_KEYS = frozenset(
    (
        "title",
        "accelerator_config",
        "system_config",
        "memory_mode",
        "optimize",
        "bandwidths",
        "options",
    )
)
_OPTIMIZE = ("Performance", "Size")


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
    optimize: str
    bandwidths: tuple[str, ...] = ()
    """further system configurations of Arm/vela.ini to show an estimate for"""
    options: tuple[str, ...] = field(default=())
    """further arguments of Vela's command line"""


def target_names() -> tuple[str, ...]:
    """The targets that come with facekit."""
    return config_names(_FOLDER, suffix=_SUFFIX)


def read_target(name_or_path: str) -> Target:
    """The target called "imx93", or the one in a .toml file.

    Raises UsageError: no such target, not readable, not TOML, a key missing, unknown or wrong.
    """
    path = config_path(name_or_path, _FOLDER, suffix=_SUFFIX, title="target")
    try:
        return _target(path.stem, parse_toml(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise UsageError(f"Target {path} cannot be used: {error}") from error


def _target(name: str, raw: dict[str, Any]) -> Target:
    if unknown := sorted(raw.keys() - _KEYS):
        raise ValueError(f"unknown keys {', '.join(unknown)}; known: {', '.join(sorted(_KEYS))}")
    fields = Fields({"optimize": "Performance", "bandwidths": [], "options": [], **raw}, "target")
    optimize = fields.text("optimize")
    if optimize not in _OPTIMIZE:
        raise ValueError(f"optimize must be one of {', '.join(_OPTIMIZE)}. Received: {optimize!r}")
    system = raw.get("system_config")
    own = {key: str(value) for key, value in system.items()} if isinstance(system, dict) else {}
    return Target(
        name=name,
        title=fields.text("title"),
        accelerator_config=fields.text("accelerator_config"),
        system_config=name if own else fields.text("system_config"),
        own_system_config=own,
        memory_mode=fields.text("memory_mode"),
        optimize=optimize,
        bandwidths=tuple(fields.texts("bandwidths")),
        options=tuple(fields.texts("options")),
    )
