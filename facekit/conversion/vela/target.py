"""Reads targets of Vela: TOML files in configs/targets, or files of the user."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from facekit.errors import UsageError
from facekit.system.configs import TOML_SUFFIX, config_names, read_toml
from facekit.system.fields import Fields

_FOLDER = "targets"
_KEYS = frozenset(
    (
        "title",
        "accelerator_config",
        "system_config",
        "memory_mode",
        "sram",
        "optimize",
        "bandwidths",
        "options",
    )
)
SRAM_ONLY = "Sram_Only"
MEMORY_MODES = (SRAM_ONLY, "Shared_Sram", "Dedicated_Sram")
"""Vela's memory modes without a size."""
_OPTIMIZE = ("Performance", "Size")


@dataclass(frozen=True, slots=True)
class Target:
    """An accelerator with its memory."""

    name: str
    title: str
    accelerator_config: str
    """Vela's name of the accelerator, e.g. "ethos-u65-256": generation and number of
    multiply-accumulators."""
    system_config: str
    """The name of the section in Vela's Arm/vela.ini that states the clock and the memory
    bandwidths, or `name` for a custom section."""
    custom_system_config: dict[str, str]
    """The keys of a custom section, or {} if the target has none."""
    memory_mode: str
    """Where weights and feature maps are: "Sram_Only", "Shared_Sram", "Dedicated_Sram", or another
    section of Arm/vela.ini, such as "Dedicated_Sram_384KB", which states the size of the SRAM."""
    optimize: str
    bandwidths: tuple[str, ...] = ()
    """Further system configurations of Arm/vela.ini for which estimates are shown."""
    options: tuple[str, ...] = field(default=())
    """Further arguments for Vela's command line."""
    sram: int | None = None
    """Bytes of SRAM that the NPU may use; None means the memory mode's, or unlimited."""

    def with_memory(self, *, mode: str | None = None, sram: int | None = None) -> Target:
        """Returns the target with another memory mode or SRAM; None changes nothing."""
        return replace(self, memory_mode=mode or self.memory_mode, sram=sram or self.sram)


def target_names() -> tuple[str, ...]:
    """Returns the names of the targets shipped with facekit."""
    return config_names(_FOLDER, suffix=TOML_SUFFIX)


def read_target(name_or_path: str) -> Target:
    """Returns the target with a name such as "imx93", or the target in a .toml file.

    Raises UsageError if the target does not exist, cannot be read, is not TOML, or has a missing,
    unknown or wrong key.
    """
    path, raw = read_toml(name_or_path, _FOLDER, title="target")
    try:
        return _target(path.stem, raw)
    except ValueError as error:
        raise UsageError(f"Target {path} cannot be used: {error}") from error


def _target(name: str, raw: dict[str, Any]) -> Target:
    if unknown := sorted(raw.keys() - _KEYS):
        raise ValueError(f"unknown keys {', '.join(unknown)}; known: {', '.join(sorted(_KEYS))}")
    fields = Fields(
        {"optimize": "Performance", "bandwidths": [], "options": [], "sram": None, **raw}, "target"
    )
    optimize = fields.text("optimize")
    if optimize not in _OPTIMIZE:
        raise ValueError(f"optimize must be one of {', '.join(_OPTIMIZE)}. Received: {optimize!r}")
    system = raw.get("system_config")
    if (sram := fields.optional_integer("sram")) is not None and sram < 1:
        raise ValueError(f"sram is a number of bytes. Received: {sram}")
    custom = {key: str(value) for key, value in system.items()} if isinstance(system, dict) else {}
    return Target(
        name=name,
        title=fields.text("title"),
        accelerator_config=fields.text("accelerator_config"),
        system_config=name if custom else fields.text("system_config"),
        custom_system_config=custom,
        memory_mode=fields.text("memory_mode"),
        optimize=optimize,
        bandwidths=tuple(fields.texts("bandwidths")),
        options=tuple(fields.texts("options")),
        sram=sram,
    )
