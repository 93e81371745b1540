"""The recipes, targets and configurations that ship with facekit."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facekit.enums import ConfigKind
from facekit.errors import UsageError
from facekit.system.configs import CONFIGS
from facekit.system.files import require_free, write_atomically

USED_BY = {
    ConfigKind.RECIPES: "quantize --recipe",
    ConfigKind.TARGETS: "compile --target, convert --vela",
    ConfigKind.TRAIN: "train --config",
    ConfigKind.EVAL_LFW: "eval-lfw --config",
    ConfigKind.BENCHMARK: "benchmark --config",
}
"""The options that take a name of it, or the path of an own file."""


@dataclass(frozen=True, slots=True)
class ShippedConfig:
    """A recipe, target or configuration, as a file."""

    kind: ConfigKind
    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def full_name(self) -> str:
        """ "recipes/static_wi8_ai8": no two have the same."""
        return f"{self.kind.value}/{self.name}"

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def title(self) -> str:
        """Of a recipe its title, of a TOML file the first sentence of its comment."""
        if self.path.suffix == ".json":
            return str(json.loads(self.text)["title"])
        lines = [line.removeprefix("#").strip() for line in self.text.splitlines()]
        paragraph = " ".join(lines[: lines.index("")])
        return re.split(r":? *`|\.(?: |$)", paragraph, maxsplit=1)[0]

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind.value,
            "name": self.name,
            "title": self.title,
            "used_by": USED_BY[self.kind],
        }


@dataclass(frozen=True, slots=True)
class ConfigList:
    """All that ships."""

    configs: tuple[ShippedConfig, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"configs": [config.to_dict() for config in self.configs]}


@dataclass(frozen=True, slots=True)
class ShownConfig:
    """One of them, and where a copy was written."""

    config: ShippedConfig
    output: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.config.to_dict(),
            "text": self.config.text,
            "output": self.output and str(self.output),
        }


def list_configs() -> ConfigList:
    """Everything in configs/, by kind and name."""
    return ConfigList(
        tuple(
            ShippedConfig(kind, path)
            for kind in USED_BY
            for path in sorted((CONFIGS / kind.value).iterdir())
        )
    )


def show_config(name: str, *, output: Path | None = None, force: bool = False) -> ShownConfig:
    """A recipe, target or configuration by `name`, or KIND/NAME where two kinds have the name.

    `output`: a file for a copy that can be edited, and be named where the name was; `force`:
    replace a file that exists.
    Raises UsageError for an unknown name, a name of two kinds, another suffix than the file's and
    a file that exists; StorageError.
    """
    shipped = list_configs().configs
    found = [one for one in shipped if name in (one.name, one.full_name)]
    if len(found) != 1:
        known = ", ".join(one.full_name for one in found or shipped)
        said = f"{name} is of several kinds" if found else f"Nothing is called {name!r}"
        raise UsageError(f"{said}. Pass one of these: {known}")
    (config,) = found
    if output is not None:
        if output.suffix != config.path.suffix:
            raise UsageError(f"-o must end in {config.path.suffix}. Received: {output}")
        require_free(output, force=force)
        write_atomically(output, config.path.read_bytes())
    return ShownConfig(config, output)
